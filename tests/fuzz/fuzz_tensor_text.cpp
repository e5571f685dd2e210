// Tensor text: the vector code agrees with its definition, and what passes is JSON and holds what the shape
// says. Input: a letter for the kind of elements, the dimensions, a new line, the text.
#include <algorithm>
#include <vector>

#include "lib/base/cpu_avx2.h"
#include "lib/serve/protocol/tensor_numbers.h"
#include "lib/serve/protocol/tensor_text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::serve;

ElementKind kind_of(char c) { return static_cast<ElementKind>(static_cast<unsigned char>(c) % 4); }

void check(std::string_view text, const Shape& shape, ElementKind kind, std::span<const uint64_t> cuts) {
  TensorText plain, fast;
  std::vector<size_t> plain_commas, fast_commas;
  const auto error =
      scan_tensor_text_plainly(text, shape, kind, JsonRules::strict, cuts, plain, plain_commas);
  const bool numbers = kind == ElementKind::number || kind == ElementKind::integer;
  if (numbers && scan_numbers(text, shape, kind == ElementKind::integer, cuts, fast, fast_commas)) {
    MLQ_FUZZ_CLAIM(!error && !plain.ragged && plain.form == fast.form);
    MLQ_FUZZ_CLAIM(plain.begin == fast.begin && plain.end == fast.end && plain.past == fast.past);
    MLQ_FUZZ_CLAIM(plain_commas == fast_commas);
  } else if (numbers && cpu_has_avx2()) {
    MLQ_FUZZ_CLAIM(error || plain.ragged || element_count(shape.all()).value_or(0) == 0);
  }
  TensorText liberal;
  std::vector<size_t> liberal_commas;
  const bool taken =
      !scan_tensor_text(text, shape, kind, JsonRules::liberal, cuts, liberal, liberal_commas).has_value();
  if (error) {
    MLQ_FUZZ_CLAIM(!error->message.empty() && error->offset <= text.size());
    return;
  }
  MLQ_FUZZ_CLAIM(taken && liberal_commas == plain_commas && liberal.past == plain.past);
  MLQ_FUZZ_CLAIM(1 <= plain.begin && plain.begin <= plain.end && plain.end < plain.past);
  MLQ_FUZZ_CLAIM(is_json(text.substr(0, plain.past)));
  // Twice the data between two brackets is still JSON.
  const std::string_view data = text.substr(plain.begin, plain.end - plain.begin);
  if (!data.empty())
    MLQ_FUZZ_CLAIM(is_json(std::string("[").append(data).append(",").append(data).append("]")));
  if (plain.ragged || element_count(shape.all()).value_or(0) == 0) return;
  MLQ_FUZZ_CLAIM(plain_commas.size() == cuts.size());
  for (const size_t comma : plain_commas) {
    MLQ_FUZZ_CLAIM(text[comma] == ',');
    MLQ_FUZZ_CLAIM(is_json("[" + std::string(text.substr(plain.begin, comma - plain.begin)) + "]"));
  }
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  using namespace mlq::serve;
  std::string_view text = text_of(data, size);
  const size_t line = text.find('\n');
  if (line == 0 || line > 9 || line == std::string_view::npos) return 0;
  Shape shape;
  for (const char c : text.substr(1, line - 1))
    shape.dims[shape.rank++] = static_cast<uint64_t>(c - '0') & 0xFF;
  const ElementKind kind = kind_of(text[0]);
  text.remove_prefix(line + 1);
  std::vector<uint64_t> cuts;
  for (uint64_t row = 1; shape.rank > 0 && row < shape.dims[0]; row += 1 + row % 3) cuts.push_back(row);
  check(text, shape, kind, cuts);
  check(text, shape, kind, {});
  return 0;
}
