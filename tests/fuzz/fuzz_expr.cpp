// Formulas: refused, or evaluated to the same value each time.
#include <bit>

#include "lib/arrival/path/expression.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  const std::string text(fuzz::text_of(data, size));
  fuzz::accepted([&] {
    const arrival::Expression formula(text);
    MLQ_FUZZ_CLAIM(formula.text() == text);
    for (const double t : {0.0, 0.5, 86400.0, 1e300}) {
      const double value = formula(t);
      MLQ_FUZZ_CLAIM(value != value || std::bit_cast<uint64_t>(value) == std::bit_cast<uint64_t>(formula(t)));
    }
  });
  return 0;
}
