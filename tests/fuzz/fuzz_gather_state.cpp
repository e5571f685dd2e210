// A file that says it is the state of a gather: refused with a message, or no larger than the file.
#include "lib/gather/state_file.h"
#include "tests/fuzz/memory_source.h"

namespace mlq::fuzz {

void check(std::string_view input) {
  try {
    const gather::State state = gather::parse_state(source_of(input));
    size_t bytes = 0;
    for (const gather::StateTensor& tensor : state.tensors) bytes += tensor.bytes.size();
    MLQ_FUZZ_CLAIM(bytes <= input.size());
  } catch (const Error& error) {
    MLQ_FUZZ_CLAIM(error.kind() == ExitKind::input);
  }
}

}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mlq::fuzz::check(mlq::fuzz::text_of(data, size));
  return 0;
}
