// A file that says it was written by mlq-quant: refused with a message, or all of it is read, decoded and
// hashed.
#include "lib/quant/decode.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_source.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::tensorfile;

// Far more than any input holds as it is; compressed planes may claim it.
constexpr uint64_t kMostBytes = uint64_t{8} << 20;

}  // namespace

void check(std::string_view input) {
  const std::string bytes(input);
  try {
    const Source source = source_of(bytes);
    const quant::StoredModel model(source);
    for (const quant::StoredTensor& tensor : model.tensors())
      if (tensor.meta.size_bytes > kMostBytes) return;
    quant::VerifyOptions options;
    options.resources.memory_bytes = 1;  // one thread
    const quant::VerifyReport report = quant::verify(model, options, {});
    MLQ_FUZZ_CLAIM(report.model.tensors == model.tensors().size());
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
  }
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
