// Stages of xform: refused, or a stage whose canonical text reads back to the same text.
#include "lib/arrival/xform/stage.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  fuzz::accepted([&] {
    const std::string text = arrival::format_stage(arrival::parse_stage(fuzz::text_of(data, size)));
    MLQ_FUZZ_CLAIM(arrival::format_stage(arrival::parse_stage(text)) == text);
  });
  return 0;
}
