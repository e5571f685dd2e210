// What a file says of a tensor that mlq-quant stored: refused with a message, or it is written as it was
// read.
#include "lib/quant/tensor_meta.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {

void check(std::string_view input) {
  quant::TensorMeta meta;
  try {
    meta = quant::parse_meta("x", input, "f");
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
    return;
  }
  const std::string json = quant::meta_json(meta);
  const quant::TensorMeta back = quant::parse_meta("x", json, "f");
  MLQ_FUZZ_CLAIM(quant::meta_json(back) == json);
  MLQ_FUZZ_CLAIM(back.coding.spec == meta.coding.spec);
  MLQ_FUZZ_CLAIM(back.planes == meta.planes);
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
