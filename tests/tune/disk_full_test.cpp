// A journal that cannot grow beyond so many bytes, wherever that is: nothing is set that is not on disk as a
// decision, what was set before is put back, and the next run goes on from what was kept.
#include <sys/resource.h>

#include <csignal>

#include "lib/base/error.h"
#include "tests/tune/drive_support.h"

namespace mlq::tune {
namespace {

constexpr const char* kStart = R"({"a":0,"b":0})";

// While it lives, no file of this process grows beyond so many bytes.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

struct FullWorld : FakeWorld {
  FullWorld() {
    options.budget = 5;
    options.confirm_pairs = 2;
    live_options.confirm_pairs = 2;
    endpoint.safety.dwell_ns = 0;
    output = "/dev/null";
  }
  // Without its end: when that is due, all is done.
  size_t journal_bytes() const {
    const std::string text = slurp(state());
    return text.rfind('\n', text.size() - 2) + 1;
  }
};

// Runs `drive` with a journal of at most `bytes`, which must be too few for it.
void run_full(FullWorld& w, size_t bytes, const std::function<void(FullWorld&)>& drive) {
  // Whatever is set but what was set before is a decision on disk.
  w.server.hook = [&w](const std::string& step) {
    if (step != "applied" || w.is_set() == kStart) return;
    const JournalContents journal = read_journal(w.state());
    ASSERT_FALSE(journal.runs.empty());
    ASSERT_FALSE(journal.runs.back().decisions.empty());
    EXPECT_EQ(journal.runs.back().decisions.back().config.text, w.is_set());
  };
  std::string said;
  {
    const SmallFiles small(bytes);
    try {
      drive(w);
    } catch (const Error& e) {
      said = e.what();
      EXPECT_EQ(e.kind(), ExitKind::environment);
    }
  }
  EXPECT_EQ(said, w.state() + ": cannot write: File too large");
  EXPECT_EQ(w.is_set(), kStart);
  EXPECT_FALSE(read_journal(w.state()).torn) << "whole lines only";
}

TEST(DiskFull, ASearchPutsTheStartBackAndGoesOnLater) {
  FullWorld whole;
  whole.search();
  ASSERT_NE(whole.is_set(), kStart);
  for (size_t bytes = 0; bytes < whole.journal_bytes(); bytes += 83) {
    SCOPED_TRACE(bytes);
    FullWorld w;
    run_full(w, bytes, [](FullWorld& world) { world.search(); });
    w.server.hook = [](const std::string&) {};
    w.search();
    EXPECT_EQ(w.tried(), whole.tried());
    EXPECT_EQ(w.is_set(), whole.is_set());
  }
}

TEST(DiskFull, ALiveStepPutsTheLastGoodBack) {
  FullWorld whole;
  ASSERT_EQ(whole.live().result, LiveResult::promoted);
  for (size_t bytes = 0; bytes < whole.journal_bytes(); bytes += 83) {
    SCOPED_TRACE(bytes);
    FullWorld w;
    run_full(w, bytes, [](FullWorld& world) { world.live(); });
    w.server.hook = [](const std::string&) {};
    w.live();
    EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), w.is_set());
  }
}

}  // namespace
}  // namespace mlq::tune
