#include "lib/serve/protocol/request.h"

namespace mlq::serve {

std::string_view dialect_name(Dialect dialect) {
  constexpr std::string_view kNames[] = {"v2", "v1", "plain"};
  return kNames[static_cast<size_t>(dialect)];
}

std::optional<uint64_t> element_count(std::span<const uint64_t> shape) {
  constexpr uint64_t limit = uint64_t{1} << 63;
  uint64_t count = 1;
  bool empty = false;
  for (const uint64_t n : shape) {
    // A zero does not excuse the others: a row of the shape must have a size too.
    empty |= n == 0;
    if (n > 0 && __builtin_mul_overflow(count, n, &count)) return std::nullopt;
    if (count >= limit) return std::nullopt;
  }
  return empty ? 0 : count;
}

}  // namespace mlq::serve
