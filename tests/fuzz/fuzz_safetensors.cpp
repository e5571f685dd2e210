// A safetensors file: refused with a message, or its tensors fill it, and a header written for them reads the
// same. Input: a number of data bytes, a new line and the text of the header; or, if it begins with no digit,
// the file.
#include <charconv>
#include <cstring>
#include <vector>

#include "lib/tensorfile/safetensors_header.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"
#include "tests/fuzz/memory_file.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::tensorfile;

std::string file_of(std::string_view input) {
  const size_t line = input.find('\n');
  uint64_t data = 0;
  if (line == std::string_view::npos || line > 5 ||
      std::from_chars(input.data(), input.data() + line, data).ptr != input.data() + line || line == 0) {
    return std::string(input);
  }
  const std::string_view text = input.substr(line + 1);
  const uint64_t length = text.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(text).append(data, 'd');
}

bool same(const TensorInfo& a, const TensorInfo& b) {
  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.elems == b.elems &&
         a.size_bytes == b.size_bytes;
}

void check(const std::string& bytes) {
  const SafetensorsHeader header = read_safetensors_header(MemoryFile(bytes));
  MLQ_FUZZ_CLAIM(is_json(std::string_view(bytes).substr(8, header.data_offset - 8)));
  uint64_t at = header.data_offset;
  std::vector<const TensorInfo*> tensors;
  for (const TensorInfo& tensor : header.tensors) {
    MLQ_FUZZ_CLAIM(tensor.file_offset == at);
    MLQ_FUZZ_CLAIM(element_count(tensor.shape) == tensor.elems);
    MLQ_FUZZ_CLAIM(byte_count(tensor.elems, tensor.dtype) == tensor.size_bytes);
    at += tensor.size_bytes;
    tensors.push_back(&tensor);
  }
  MLQ_FUZZ_CLAIM(at == bytes.size());
  const std::string data = bytes.substr(header.data_offset);
  const std::string written = safetensors_header(header.metadata, tensors);
  MLQ_FUZZ_CLAIM(written.size() % 8 == 0);
  const SafetensorsHeader again = read_safetensors_header(MemoryFile(written + data));
  MLQ_FUZZ_CLAIM(again.metadata == header.metadata && again.tensors.size() == header.tensors.size());
  // Empty tensors at one place come back in the order of their names, which is how they were.
  for (size_t i = 0; i < again.tensors.size(); ++i) MLQ_FUZZ_CLAIM(same(again.tensors[i], header.tensors[i]));
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string file = file_of(text_of(data, size));
  accepted([&] { check(file); });
  return 0;
}
