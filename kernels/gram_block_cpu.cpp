#include <algorithm>
#include <cstring>

#include "kernels/gram_block_math.h"

namespace mlq::kernels {
namespace {

template <class T>
T element(const void* data, uint64_t i) {
  T value;
  std::memcpy(&value, static_cast<const unsigned char*>(data) + i * sizeof(T), sizeof value);
  return value;
}

// The sum over a block of `size` elements; term(i) for the i-th of them.
template <class Term>
double block_sum(uint64_t size, const Term& term) {
  double strips[kGramStrips][kGramLanes] = {};
  for (uint64_t i = 0; i < size; ++i) strips[i / kGramStrip][i % kGramLanes] += term(i);
  return folded_neighbours<kGramLanes>([&](unsigned lane) {
    return folded_neighbours<kGramStrips>([&](unsigned strip) { return strips[strip][lane]; });
  });
}

void block(const GramGroups& groups, uint64_t first, uint64_t size, double* sums, NonFinite* nonfinite) {
  double* out = sums;
  for (unsigned i = 0; i < groups.count; ++i)
    for (unsigned j = 0; j <= i; ++j)
      *out++ = with_plain_nan(block_sum(size, [&](uint64_t at) {
        return gram_element(groups, i, first + at) * gram_element(groups, j, first + at);
      }));
  *out = with_plain_nan(block_sum(size, [&](uint64_t at) {
    return between_term(groups, [&](unsigned i) { return gram_element(groups, i, first + at); });
  }));
  note_nonfinite(groups, first, size, sums, nonfinite);
}

}  // namespace

double gram_element(const GramGroups& groups, unsigned group, uint64_t i) {
  const void* data = groups.data[group];
  switch (groups.type) {
    case GramType::f32:
      return element<float>(data, i);
    case GramType::f16:
      return f32_from_f16(element<uint16_t>(data, i));
    case GramType::bf16:
      return f32_from_bf16(element<uint16_t>(data, i));
    case GramType::f64:
      return element<double>(data, i);
    case GramType::e4m3:
      return f32_from_e4m3(element<uint8_t>(data, i));
    case GramType::e5m2:
      return f32_from_e5m2(element<uint8_t>(data, i));
  }
  return kGramNaN;
}

void note_nonfinite(const GramGroups& groups, uint64_t first, uint64_t size, double* sums,
                    NonFinite* nonfinite) {
  bool found = false;
  for (unsigned group = 0; group < groups.count; ++group) {
    // The square of what is not finite is not finite.
    if (is_finite(sums[gram_products(group + 1) - 1])) continue;
    for (uint64_t i = first; i < first + size; ++i) {
      if (is_finite(gram_element(groups, group, i))) continue;
      ++nonfinite[group].count;
      nonfinite[group].first = std::min(nonfinite[group].first, i);
      found = true;
    }
  }
  if (found) std::fill_n(sums, gram_sums(groups.count), kGramNaN);
}

void gram_blocks_cpu(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) {
  for (uint64_t first = 0; first < elems; first += kGramBlock) {
    block(groups, first, std::min(kGramBlock, elems - first), sums, nonfinite);
    sums += gram_sums(groups.count);
  }
}

}  // namespace mlq::kernels
