#include "lib/tune/journal/journal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "lib/base/error.h"
#include "tests/support/temp_dir.h"

namespace mlq::tune {
namespace {

const std::string kRun =
    R"({"type":"run","tool":"mlq-tune","version":"1","schema":1,"argv":[],"space_xxh3":"ab"})";
const std::string kDecision =
    R"({"type":"decision","t_ns":1,"i":0,"level":"single","config":{"a":1},"config_id":"x","from":"","reason":"r"})";
const std::string kTrial =
    R"({"type":"trial","t_ns":2,"i":0,"phase":"explore","tuner":"random","level":"single","config":{"a":1},)"
    R"("config_id":"x","outcome":"ok","window_ns":1,"requests":1,"ok":1,"errors":0,"censored":0,"dropped":0})";
const std::string kEnd = R"({"type":"end","count":1})";

struct JournalFile {
  test::TempDir folder;
  std::vector<std::string> notices;

  std::string path() const { return folder / "j"; }
  void write(const std::string& text) const { std::ofstream(path()) << text; }
  std::unique_ptr<Journal> open(const std::string& space = "ab", bool reset = false) {
    JournalOptions options;
    options.path = path();
    options.command = "search";
    options.space_xxh3 = space;
    options.reset = reset;
    options.now_unix_ns = 1'000'000'000'000;
    return std::make_unique<Journal>(options, [this](const std::string& m) { notices.push_back(m); });
  }
  std::string error(const std::string& space = "ab") {
    try {
      open(space);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
};

TEST(Journal, ALineThatWasCutIsTakenOff) {
  for (const size_t kept : {1u, 20u, 60u}) {
    JournalFile f;
    f.write(kRun + "\n" + kDecision + "\n" + kTrial.substr(0, kept));
    const auto journal = f.open();
    EXPECT_TRUE(journal->before().torn);
    ASSERT_EQ(journal->before().runs.size(), 1u);
    EXPECT_NE(journal->before().runs[0].unanswered(), nullptr);
    const std::string text = test::slurp(f.path());
    EXPECT_TRUE(text.starts_with(kRun + "\n" + kDecision + "\n{\"type\":\"end\"")) << text;
  }
}

TEST(Journal, EveryPrefixOfItCanBeOpened) {
  const std::string whole =
      kRun + "\n" + kDecision + "\n" + kTrial + "\n" + kEnd + "\n" + kRun + "\n" + kDecision + "\n";
  for (size_t n = 0; n <= whole.size(); n += n < 20 ? 1 : 13) {
    JournalFile f;
    f.write(whole.substr(0, n));
    EXPECT_NO_THROW(f.open()) << n;
    // And it is whole then: a second start has nothing to repair.
    f.notices.clear();
    EXPECT_NO_THROW(f.open()) << n;
    EXPECT_TRUE(f.notices.empty()) << n << ": " << f.notices.front();
  }
}

TEST(Journal, ARunWithoutItsEndIsClosed) {
  JournalFile f;
  f.write(kRun + "\n" + kDecision + "\n" + kTrial + "\n");
  const auto journal = f.open();
  EXPECT_TRUE(journal->was_cut());
  EXPECT_EQ(journal->before().runs[0].unanswered(), nullptr);
  EXPECT_TRUE(journal->before().runs[0].end->recovered.value_or(false));
  EXPECT_EQ(journal->before().next_i, 1u);
}

TEST(Journal, DamageBeforeTheLastLineIsAnErrorWithItsNumber) {
  JournalFile f;
  f.write(kRun + "\n{\"type\":\n" + kEnd + "\n");
  EXPECT_NE(f.error().find("line 2"), std::string::npos) << f.error();
  f.write(kRun + "\n" + kEnd + "\n" + kTrial + "\n");
  EXPECT_NE(f.error().find("line 3"), std::string::npos) << f.error();
}

// Its last line, which has no end, is not taken off.
TEST(Journal, AFileOfSomebodyElseIsLeftAlone) {
  JournalFile f;
  for (const std::string& text : {std::string("my only notes"), kTrial + "\n", std::string("hello\n")}) {
    f.write(text);
    EXPECT_NE(f.error().find("is no journal"), std::string::npos) << f.error();
    EXPECT_EQ(test::slurp(f.path()), text);
  }
}

TEST(Journal, OfAnotherSpaceIsRefusedAndKeptOnReset) {
  JournalFile f;
  f.write(kRun + "\n" + kEnd + "\n");
  EXPECT_NE(f.error("cd").find("another space"), std::string::npos);
  const auto fresh = f.open("cd", true);
  EXPECT_TRUE(fresh->before().runs.empty());
  EXPECT_EQ(test::slurp(f.path() + ".old"), kRun + "\n" + kEnd + "\n");
}

TEST(Journal, OfANewerProgramIsRefused) {
  JournalFile f;
  std::string run = kRun;
  run.replace(run.find("\"schema\":1"), 10, "\"schema\":9");
  f.write(run + "\n" + kEnd + "\n");
  EXPECT_NE(f.error().find("newer"), std::string::npos) << f.error();
}

TEST(Journal, ASecondProcessIsToldWhoHoldsIt) {
  JournalFile f;
  const auto held = f.open();
  const std::string error = f.error();
  EXPECT_NE(error.find("pid " + std::to_string(::getpid())), std::string::npos) << error;
  EXPECT_NE(error.find("search"), std::string::npos) << error;
}

TEST(Journal, TheLockOfADeadProcessIsNone) {
  JournalFile f;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = f.open();
    ::_exit(0);  // no destructor: the lock file stays behind
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_NO_THROW(f.open());
}

TEST(Journal, MustBeARegularFile) {
  JournalFile f;
  std::filesystem::create_symlink("/dev/full", f.path());
  EXPECT_NE(f.error().find("no regular file"), std::string::npos) << f.error();
}

TEST(Journal, LinesAreAppendedWhole) {
  JournalFile f;
  {
    const auto journal = f.open();
    journal->append(kRun + "\n", true);
    journal->append(kDecision + "\n", true);
    journal->append(kTrial + "\n", true);
    journal->append(kEnd + "\n", true);
  }
  const JournalContents again = read_journal(f.path());
  ASSERT_EQ(again.runs.size(), 1u);
  EXPECT_TRUE(again.runs[0].finished());
  EXPECT_EQ(again.runs[0].trials.size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(f.path() + ".lock"));
}

}  // namespace
}  // namespace mlq::tune
