// Quantities as users type them: refused or read, and what format_* writes reads back to the same.
#include <cmath>

#include "lib/base/random.h"
#include "lib/base/units.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using fuzz::accepted;
  const std::string_view text = fuzz::text_of(data, size);
  accepted([&] {
    const int64_t ns = parse_duration(text);
    MLQ_FUZZ_CLAIM(ns >= 0);
    MLQ_FUZZ_CLAIM(parse_duration(format_duration(ns)) == ns);
  });
  accepted([&] {
    const Rate rate = parse_rate(text);
    MLQ_FUZZ_CLAIM(rate.events > 0 && rate.ns > 0);
    MLQ_FUZZ_CLAIM(parse_rate(format_rate(rate)) == rate);
  });
  accepted([&] { MLQ_FUZZ_CLAIM(parse_gap(text).ns > 0); });
  accepted([&] { parse_count(text); });
  accepted([&] { parse_size(text); });
  accepted([&] { MLQ_FUZZ_CLAIM(parse_ratio(text).den > 0); });
  accepted([&] { MLQ_FUZZ_CLAIM(std::isfinite(parse_double(text))); });
  accepted([&] { parse_seed(text); });
  return 0;
}
