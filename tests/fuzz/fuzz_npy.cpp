// An npy file: refused with a message, or one tensor that reaches to its end. Input: a letter for
// `u2_is_bf16` and the version, a number of data bytes, a new line and the dict; or, if it begins with no
// letter of `123abc`, the file.
#include <charconv>

#include "lib/tensorfile/npy_header.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"

namespace mlq::fuzz {
namespace {

// The bytes of version `major` with `dict` as its header.
std::string npy(char major, std::string_view dict, uint64_t data) {
  std::string file(tensorfile::kNpyMagic);
  file += major;
  file += '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) file += static_cast<char>(dict.size() >> 8 * i & 0xFF);
  return file.append(dict).append(data, 'd');
}

void check(const std::string& bytes, bool u2_is_bf16) {
  const tensorfile::TensorInfo tensor = tensorfile::read_npy_header(MemoryFile(bytes), "w", u2_is_bf16);
  MLQ_FUZZ_CLAIM(tensorfile::element_count(tensor.shape) == tensor.elems);
  MLQ_FUZZ_CLAIM(tensorfile::byte_count(tensor.elems, tensor.dtype) == tensor.size_bytes);
  MLQ_FUZZ_CLAIM(tensor.file_offset + tensor.size_bytes == bytes.size());
  MLQ_FUZZ_CLAIM(u2_is_bf16 ? tensor.dtype != tensorfile::Dtype::u16
                            : tensor.dtype != tensorfile::Dtype::bf16);
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view input = text_of(data, size);
  const size_t kind = input.empty() ? std::string_view::npos : std::string_view("123abc").find(input[0]);
  const size_t line = input.find('\n');
  std::string file(input);
  if (kind != std::string_view::npos && line != std::string_view::npos && line <= 5) {
    uint64_t bytes = 0;
    std::from_chars(input.data() + 1, input.data() + line, bytes);
    file = npy(static_cast<char>(1 + kind % 3), input.substr(line + 1), bytes);
  }
  accepted([&] { check(file, kind != std::string_view::npos && kind >= 3); });
  return 0;
}
