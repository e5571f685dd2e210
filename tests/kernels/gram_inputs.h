// Groups of gradients for the tests of gram_block.h on any device.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/gram_block.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {

inline constexpr GramType kGramTypes[] = {GramType::f32, GramType::f16,  GramType::bf16,
                                          GramType::f64, GramType::e4m3, GramType::e5m2};

inline const char* name_of(GramType type) {
  constexpr const char* kNames[] = {"f32", "f16", "bf16", "f64", "e4m3", "e5m2"};
  return kNames[static_cast<int>(type)];
}

// The bytes of an element of `type` that is near `x`.
inline void append_element(GramType type, double x, std::vector<uint8_t>& out) {
  const auto narrow = static_cast<float>(x);
  const uint64_t bits = type == GramType::f64    ? __builtin_bit_cast(uint64_t, x)
                        : type == GramType::f32  ? bits_of(narrow)
                        : type == GramType::f16  ? f16_from_f32(narrow)
                        : type == GramType::bf16 ? bf16_from_f32(narrow)
                        : type == GramType::e4m3 ? e4m3_from_f32(narrow)
                                                 : e5m2_from_f32(narrow);
  for (size_t i = 0; i < size_of(type); ++i) out.push_back(static_cast<uint8_t>(bits >> (8 * i)));
}

// A signal that the groups share, and noise of their own.
inline std::vector<std::vector<uint8_t>> gram_input(GramType type, unsigned count, uint64_t elems) {
  std::vector<std::vector<uint8_t>> groups(count);
  for (unsigned group = 0; group < count; ++group)
    for (uint64_t i = 0; i < elems; ++i)
      append_element(type, 0.3 * normal_at(i, 1) + normal_at(i, 20 + group) / 3.0, groups[group]);
  return groups;
}

// Groups of unequal numbers of samples.
inline GramGroups gram_groups(GramType type, const std::vector<std::vector<uint8_t>>& data) {
  GramGroups groups;
  groups.type = type;
  groups.count = static_cast<unsigned>(data.size());
  double batch = 0;
  for (unsigned i = 0; i < groups.count; ++i) {
    groups.data[i] = data[i].data();
    groups.samples[i] = 33 + 7 * (i % 3);
    batch += groups.samples[i];
  }
  groups.per_batch = 1 / batch;
  return groups;
}

struct GramResult {
  std::vector<double> sums;
  std::vector<NonFinite> nonfinite;

  GramResult(const GramGroups& groups, uint64_t elems)
      : sums(gram_blocks(elems) * gram_sums(groups.count), -1.0), nonfinite(groups.count) {}
};

// Empty if they have the same bits.
inline std::string difference(const GramResult& a, const GramResult& b) {
  for (size_t i = 0; i < a.sums.size(); ++i)
    if (std::memcmp(&a.sums[i], &b.sums[i], sizeof(double)) != 0)
      return "sum " + std::to_string(i) + " is " + std::to_string(a.sums[i]) + ", not " +
             std::to_string(b.sums[i]);
  for (size_t i = 0; i < a.nonfinite.size(); ++i)
    if (a.nonfinite[i].count != b.nonfinite[i].count || a.nonfinite[i].first != b.nonfinite[i].first)
      return "group " + std::to_string(i) + " has " + std::to_string(a.nonfinite[i].count) +
             " that are not finite from " + std::to_string(a.nonfinite[i].first) + ", not " +
             std::to_string(b.nonfinite[i].count) + " from " + std::to_string(b.nonfinite[i].first);
  return {};
}

}  // namespace mlq::kernels::test
