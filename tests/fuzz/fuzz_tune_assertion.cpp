// Assertions over tuners, tuners with settings, and drifts, as users type them: refused with a message, or
// read.
#include "lib/base/error.h"
#include "lib/tune/compare/contestant.h"
#include "lib/tune/surface/sim_server.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  static const std::vector<std::string> tuners = {"a", "rrl-a/estimators=gp"};
  fuzz::accepted([&] { MLQ_FUZZ_CLAIM(Assertion::parse(text, tuners).text() == text); });
  fuzz::accepted([&] { MLQ_FUZZ_CLAIM(!parse_contestants(text).empty()); });
  fuzz::accepted([&] { MLQ_FUZZ_CLAIM(!parse_external(text).command.empty()); });
  fuzz::accepted([&] {
    SimFaults faults;
    parse_drift(text, faults);
    MLQ_FUZZ_CLAIM(faults.drift > 0);
  });
  return 0;
}
