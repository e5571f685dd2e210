// A pickle of torch.save, or if it begins with `PK` a whole file: refused with a message, or tensors that lie
// within their storages.
#include "lib/tensorfile/torch_file.h"
#include "lib/tensorfile/torch_pickle.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"

namespace mlq::fuzz {
namespace {

void check_pickle(std::string_view input) {
  for (const tensorfile::TorchTensor& tensor : tensorfile::read_torch_pickle("f", input)) {
    const tensorfile::TensorInfo& info = tensor.info;
    MLQ_FUZZ_CLAIM(tensorfile::element_count(info.shape) == info.elems);
    MLQ_FUZZ_CLAIM(info.shape.size() == tensor.strides.size());
    MLQ_FUZZ_CLAIM(info.elems <= tensor.storage_elems);
    if (info.elems == 0) continue;
    unsigned __int128 last = info.file_offset * 8 / bits_per_element(info.dtype);
    for (size_t i = 0; i < info.shape.size(); ++i)
      last += static_cast<unsigned __int128>(info.shape[i] - 1) * tensor.strides[i];
    MLQ_FUZZ_CLAIM(last < tensor.storage_elems);
  }
}

void check_file(std::string_view input) {
  const MemoryFile file(input);
  for (const tensorfile::TensorInfo& info : tensorfile::read_torch_file(file).tensors) {
    MLQ_FUZZ_CLAIM(info.file_offset <= file.size());
    if (info.strides.empty()) MLQ_FUZZ_CLAIM(info.size_bytes <= file.size() - info.file_offset);
  }
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view input = text_of(data, size);
  accepted([&] { input.starts_with("PK") ? check_file(input) : check_pickle(input); });
  return 0;
}
