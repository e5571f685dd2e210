// An expression over knobs: refused with a message, or of the same value whichever way it is evaluated.
#include "lib/tune/space/expression.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::tune;

std::optional<KnobValue> knob(std::string_view name) {
  if (name == "rows") return int64_t{16};
  if (name == "share") return 0.25;
  if (name == "mode") return std::string("fast");
  if (name == "spin") return true;
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const Expression e = Expression::parse(text, [](std::string_view) { return KnobValue(int64_t{8}); });
    MLQ_FUZZ_CLAIM(e.text() == text);
    const auto value = e.value(knob);
    MLQ_FUZZ_CLAIM(value == e.with(knob).value(knob));
    MLQ_FUZZ_CLAIM(value || !e.holds(knob));
  });
  return 0;
}
