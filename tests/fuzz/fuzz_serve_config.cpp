// A server's configuration: refused with a message, or models whose knobs hold together. The same text as the
// value of a member of "models", and as what --model takes.
#include "lib/serve/gateway/config.h"
#include "lib/serve/gateway/model_knobs.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::serve;

void use(const ModelConfig& config) {
  MLQ_FUZZ_CLAIM(!config.name.empty());
  fuzz::accepted([&] {
    const auto values = knob_values(config);
    MLQ_FUZZ_CLAIM(values.size() == model_knob_rows().rows().size());
    MLQ_FUZZ_CLAIM(!model_knob_rows().check(values));
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    for (const ModelConfig& config : parse_config(text, "c.json").models) use(config);
  });
  fuzz::accepted([&] { use(parse_model_config(text, "m")); });
  fuzz::accepted([&] { use(parse_model_option(text)); });
  return 0;
}
