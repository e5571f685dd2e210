#include "lib/base/random.h"

#include <xxhash.h>

#include <charconv>

#include "lib/base/error.h"

namespace mlq {

uint64_t parse_seed(std::string_view text) {
  if (text.empty()) throw usage_error("the seed is empty; give a number or any text");
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hexadecimal ? text.substr(2) : text;
  uint64_t seed = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), seed, hexadecimal ? 16 : 10);
  if (error == std::errc() && end == digits.data() + digits.size()) return seed;
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace mlq
