// The actuator object of an endpoint file: refused with a message, or an actuator that can say what it would
// do. And a JSON value: read, written and read again it is the same.
#include "lib/tune/actuator/actuator.h"
#include "lib/tune/actuator/json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  std::string error;
  if (const auto json = Json::parse(text, error)) {
    const std::string written = json->text();
    const auto again = Json::parse(written, error);
    MLQ_FUZZ_CLAIM(again && again->text() == written);
  } else {
    MLQ_FUZZ_CLAIM(!error.empty());
  }
  if (text.find("template_file") != text.npos || text.find("pid_file") != text.npos) return 0;  // read files
  static const SteadyClock clock;
  fuzz::accepted([&] {
    const auto actuator = make_actuator(text, {"fuzz", nullptr, &clock, nullptr, "", {}});
    fuzz::accepted([&] { MLQ_FUZZ_CLAIM(!actuator->describe({{"rows", int64_t{64}}}).empty()); });
  });
  return 0;
}
