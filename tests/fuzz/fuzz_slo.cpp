// Service-level objectives: refused, or terms whose text reads back to the same text.
#include "lib/stats/slo.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  fuzz::accepted([&] {
    const auto terms = stats::parse_slo(fuzz::text_of(data, size));
    const std::string text = stats::slo_text(terms);
    const auto again = stats::parse_slo(text);
    MLQ_FUZZ_CLAIM(again.size() == terms.size());
    MLQ_FUZZ_CLAIM(stats::slo_text(again) == text);
  });
  return 0;
}
