// What the twins of gram_block.h share. Internal to kernels/.
#pragma once

#include "kernels/float_convert.h"
#include "kernels/gram_block.h"

namespace mlq::kernels {

inline constexpr double kGramNaN = __builtin_bit_cast(double, uint64_t{0x7ff8000000000000u});

MLQ_HOST_DEVICE constexpr bool is_finite(double x) {
  return (__builtin_bit_cast(uint64_t, x) & 0x7fffffffffffffffu) < 0x7ff0000000000000u;
}
// One bit pattern for every NaN: that of an operation's result differs from machine to machine.
MLQ_HOST_DEVICE constexpr double with_plain_nan(double x) { return x == x ? x : kGramNaN; }

// The sum of term(first) ... term(first + kCount - 1), kCount a power of two: neighbours first.
template <unsigned kCount, class Term>
MLQ_HOST_DEVICE auto folded_neighbours(const Term& term, unsigned first = 0) {
  if constexpr (kCount == 1) {
    return term(first);
  } else {
    return folded_neighbours<kCount / 2>(term, first) +
           folded_neighbours<kCount / 2>(term, first + kCount / 2);
  }
}

// What one element adds to between_ss; x(i) is group i's.
template <class Element>
MLQ_HOST_DEVICE double between_term(const GramGroups& groups, const Element& x) {
  const double x0 = x(0);
  double p = 0, r = 0;
  for (unsigned i = 1; i < groups.count; ++i) {
    const double y = x(i) - x0;
    p += groups.samples[i] * (y * y);
    r += groups.samples[i] * y;
  }
  return p - (r * r) * groups.per_batch;
}

// Element i of group `group`; for the host, at any address.
double gram_element(const GramGroups& groups, unsigned group, uint64_t i);
// For the host: if elements first .. first + size - 1 are not all finite, counts those that are not and makes
// the block's sums NaN.
void note_nonfinite(const GramGroups& groups, uint64_t first, uint64_t size, double* sums,
                    NonFinite* nonfinite);

}  // namespace mlq::kernels
