// A journal of follow that was damaged: refused with a message and left as it is, or opened, after which it
// is whole and opens again to the same state.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "lib/simigrad/live/state_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace mlq;
using namespace mlq::simigrad;

const std::string& path() {
  static const test::TempDir made(test::quick_folder());
  static const std::string file = made / "state";
  return file;
}

std::string content() {
  std::ostringstream text;
  text << std::ifstream(path()).rdbuf();
  return text.str();
}

uint64_t opened(const ControlOptions& options) {
  Advisor advisor(options, {});
  const StateFile file(path(), canonical(options), "1", false, advisor, [](const std::string&) {});
  return advisor.decisions();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::text_of(data, size));
  std::ofstream(path(), std::ios::trunc) << text;
  ControlOptions options;
  options.target = Target::of_gamma(0.8);
  uint64_t decisions = 0;
  if (!fuzz::accepted([&] { decisions = opened(options); })) {
    MLQ_FUZZ_CLAIM(content() == text);
    return 0;
  }
  const std::string whole = content();
  MLQ_FUZZ_CLAIM(whole.ends_with('\n'));
  MLQ_FUZZ_CLAIM(opened(options) == decisions);
  MLQ_FUZZ_CLAIM(content() == whole);
  return 0;
}
