// A pattern of paths and, behind a new line, a path: refused, or numbers that put back into the pattern give
// the end of the path, but for zeros in front of them.
#include <algorithm>
#include <string>

#include "lib/simigrad/dump/pattern.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

// Without zeros at the beginning of numbers.
std::string without_zeros(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool first = i == 0 || !digit(text[i - 1]) || (!out.empty() && out.back() == '\1');
    const bool more = i + 1 < text.size() && digit(text[i + 1]);
    if (text[i] == '0' && first && more) {
      if (out.empty() || out.back() != '\1') out += '\1';  // so that the next is a first one too
      continue;
    }
    out += text[i];
  }
  std::erase(out, '\1');
  return out;
}

void check(std::string_view text, std::string_view path) {
  const simigrad::Pattern pattern(text);
  const auto address = pattern.match(path);
  if (!address) return;
  std::string filled(text);
  const auto fill = [&](const std::string& name, const std::optional<uint64_t>& number) {
    const size_t at = filled.find(name);
    if (at == std::string::npos) return;
    MLQ_FUZZ_CLAIM(number.has_value());
    filled.replace(at, name.size(), std::to_string(*number));
  };
  fill("{incarnation}", address->incarnation);
  fill("{step}", address->step);
  fill("{group}", address->group);
  fill("{rank}", address->group);
  fill("{shard}", address->shard);
  MLQ_FUZZ_CLAIM(without_zeros(path).ends_with(without_zeros(filled)));
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view input = text_of(data, size);
  const size_t line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  accepted([&] { check(input.substr(0, line), input.substr(line + 1)); });
  return 0;
}
