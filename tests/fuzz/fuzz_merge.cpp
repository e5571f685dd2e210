// The output of a run: refused, or accounts that write the very records they were read from.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "lib/replay/report.h"
#include "lib/replay/run_stream.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

// A file in memory with the input in it, by a path that any reader opens.
class InputFile {
 public:
  explicit InputFile(std::string_view text) : fd_(::memfd_create("run", 0)) {
    MLQ_FUZZ_CLAIM(fd_ >= 0);
    MLQ_FUZZ_CLAIM(::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void read_windows(const std::string& path) {
  records::ReaderOptions options;
  options.allow_truncated = true;
  replay::RunStream stream(path, options);
  replay::WindowRecords window;
  while (stream.next_window(window, [](records::Result&) {})) {
    accepted([&] { window.window(); });
  }
  if (!stream.has_totals()) return;
  const replay::Accounts accounts = stream.totals();
  const records::Summary& read = *stream.summary();
  const records::Summary made = replay::summarise(replay::kAll, accounts.all(), replay::facts_of(read), {});
  MLQ_FUZZ_CLAIM(made.planned == read.planned - read.unfinished.value_or(0));
  MLQ_FUZZ_CLAIM(made.good <= made.ok && made.ok <= made.done);
}

void report(const std::string& path) {
  replay::ReportOptions options;
  options.reader.allow_truncated = true;
  const replay::Report made = replay::make_report({path}, options);
  MLQ_FUZZ_CLAIM(!made.summaries.empty());
  MLQ_FUZZ_CLAIM(!replay::report_markdown(made).empty());
  MLQ_FUZZ_CLAIM(!replay::report_csv(made).empty());
  MLQ_FUZZ_CLAIM(!replay::report_hgrm(made).empty());
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const InputFile file(text_of(data, size));
  accepted([&] { read_windows(file.path()); });
  accepted([&] { report(file.path()); });
  return 0;
}
