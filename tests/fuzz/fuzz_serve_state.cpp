// A state folder that was damaged: the first line of the input chooses what the rest stands for, the snapshot
// or the log. It is refused with a message, or what was read is what is read again after it was written.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib/serve/gateway/state.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace mlq;
using namespace mlq::serve;

bool same(const SavedModels& a, const SavedModels& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, model] : a) {
    const auto at = b.find(name);
    if (at == b.end() || at->second.gen != model.gen || at->second.knobs != model.knobs ||
        at->second.added != model.added || at->second.latency.size() != model.latency.size())
      return false;
  }
  return true;
}

const std::string& folder() {
  // In memory where possible: the state is flushed to the disk each time.
  if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  static const test::TempDir made;
  static const std::string path = made.path().string();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string dir = folder() + "/state";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directory(dir);
  const char* file = text.substr(0, line) == "log" ? "/wal.jsonl" : "/snapshot.json";
  std::ofstream(dir + file) << text.substr(std::min(line + 1, text.size()));
  SavedModels first;
  const auto quiet = [](const std::string&) {};
  if (!fuzz::accepted([&] {
        State state(dir, quiet);
        first = state.saved();
        state.snapshot();
      }))
    return 0;
  const State again(dir, quiet);  // must not be refused
  MLQ_FUZZ_CLAIM(same(first, again.saved()));
  return 0;
}
