// Pairs of word arrays to take differences of, for the tests on all sides. Not mlq's own conversions: bits.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/ordered_diff.h"
#include "kernels/philox.h"

namespace mlq::kernels::test {

inline constexpr WordKind kWordKinds[] = {{1, WordOrder::integer}, {1, WordOrder::sign_magnitude},
                                          {2, WordOrder::integer}, {2, WordOrder::sign_magnitude},
                                          {4, WordOrder::integer}, {4, WordOrder::sign_magnitude},
                                          {8, WordOrder::integer}, {8, WordOrder::sign_magnitude}};

// Words of any bits, of which about one in `one_in` differs: by a step, or altogether.
struct WordPair {
  WordPair(WordKind kind, uint64_t elems, unsigned one_in, uint64_t seed)
      : base((elems * kind.width + 7) / 8 + 1), next(base.size()) {
    for (size_t i = 0; i < base.size(); ++i) {
      const PhiloxCounter drawn =
          philox4x32_10({static_cast<uint32_t>(i), static_cast<uint32_t>(seed), 1, 2}, {3, 4});
      base[i] = uint64_t{drawn.c0} << 32 | drawn.c1;
    }
    next = base;
    auto* bytes = reinterpret_cast<uint8_t*>(next.data());
    for (uint64_t i = 0; i < elems; ++i) {
      const PhiloxCounter drawn =
          philox4x32_10({static_cast<uint32_t>(i), static_cast<uint32_t>(seed), 5, 6}, {7, 8});
      if (drawn.c0 % one_in != 0) continue;
      uint64_t word = 0;
      std::memcpy(&word, bytes + i * kind.width, kind.width);
      word = drawn.c1 % 2 == 0 ? uint64_t{drawn.c2} << 32 | drawn.c3 : word + drawn.c2 % 3;
      std::memcpy(bytes + i * kind.width, &word, kind.width);
    }
  }
  std::vector<uint64_t> base, next;
};

}  // namespace mlq::kernels::test
