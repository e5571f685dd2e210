// Inner products of K groups of gradients, block by block: the sums behind gradient noise scale and cosine
// similarity. Every sum is fp64 in one fixed tree, `f64-16x64x64`, so its bits depend on nothing but the
// elements: a block is 64 strips of 1024 elements; in a strip lane l of 16 adds elements l, l + 16 ... in
// order, from +0; then neighbours are added, and neighbours of those: first the 64 strips lane by lane, then
// the 16 lanes. A last block that is shorter is as if padded with +0. The caller folds blocks and tensors in
// the same manner (lib/simigrad/fold.h).
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

// Element types of gradients. e4m3 and e5m2 are those of float_convert.h.
enum class GramType : uint8_t { f32, f16, bf16, f64, e4m3, e5m2 };
MLQ_HOST_DEVICE constexpr size_t size_of(GramType type) {
  return type == GramType::f64 ? 8 : type == GramType::f32 ? 4 : type >= GramType::e4m3 ? 1 : 2;
}

inline constexpr uint64_t kGramBlock = 65536, kGramStrip = 1024;  // elements
inline constexpr unsigned kGramStrips = kGramBlock / kGramStrip, kGramLanes = 16, kMostGramGroups = 32;

// Sums of a block of `groups` groups: the lower triangle of the products by rows (M00 M10 M11 M20 ...), then
// between_ss.
MLQ_HOST_DEVICE constexpr unsigned gram_products(unsigned groups) { return groups * (groups + 1) / 2; }
MLQ_HOST_DEVICE constexpr unsigned gram_sums(unsigned groups) { return gram_products(groups) + 1; }
constexpr uint64_t gram_blocks(uint64_t elems) { return (elems + kGramBlock - 1) / kGramBlock; }

struct GramGroups {
  GramType type = GramType::f32;
  unsigned count = 0;                      // 1 to kMostGramGroups
  const void* data[kMostGramGroups] = {};  // on the host at any address; on the device aligned to an element
  double samples[kMostGramGroups] = {};    // behind each group's mean gradient, above 0
  double per_batch = 0;                    // 1 over the sum of samples, rounded once
};

// What is not finite in one group.
struct NonFinite {
  uint64_t count = 0;
  uint64_t first = ~uint64_t{0};  // the least index among them
};
static_assert(sizeof(NonFinite) == 16);

// For each block of `elems` elements writes gram_sums(count) numbers to `sums`:
//   M_ij = sum of x_i x_j, each product rounded to fp64 (exact but for f64) and then added;
//   between_ss = sum over elements of p - (r r) per_batch, where, with y_i = x_i - x_0 and i = 1, 2 ... in
//   order, p adds n_i (y_i y_i) and r adds n_i y_i: sum of n_i |x_i - mean|^2, 0 for equal groups. (Shifted
//   sum of squares, as in Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983, section
//   3; the shift is group 0.)
// In a block that has an element which is not finite all sums are NaN. Each NaN is the quiet one of positive
// sign. What is not finite is added to nonfinite[0 .. count), indices from the beginning of the call. Sums of
// f64 may overflow to infinity.
void gram_blocks_cpu(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite);
void gram_blocks_simd(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite);
void gram_blocks_cuda(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite,
                      Stream stream);

}  // namespace mlq::kernels
