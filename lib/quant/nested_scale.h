// Double quantisation (Dettmers et al., "QLoRA", 2023, section 3): the scales of blocks, less their mean, as
// 8-bit codes in groups of 256 with one fp32 absmax each, against a table of 256 values between -1 and 1 that
// are dense near 0. Table and layout are those of bitsandbytes, whose files hold them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace mlq::quant {

inline constexpr uint64_t kNestedGroup = 256;
constexpr uint64_t nested_groups(uint64_t blocks) { return (blocks + kNestedGroup - 1) / kNestedGroup; }

// The table, ascending: for i = 0 ... 6 the 2^i midpoints of 2^i + 1 equally spaced values from 0.1 to 1,
// times 10^(i - 6), with both signs; 0 and 1.
const std::array<float, 256>& nested_table();

struct NestedScales {
  float offset = 0;            // the mean, summed in fp64 in order
  std::vector<uint8_t> codes;  // one a scale
  std::vector<float> absmax;   // one a group
};
// `scales` are finite. The code is that of the nearest table value of (scale - offset) * (1 / absmax of the
// group).
NestedScales nested_encode(std::span<const float> scales);
// table[code] * absmax + offset, in fp32 with one rounding an operation.
std::vector<float> nested_decode(std::span<const uint8_t> codes, std::span<const float> absmax, float offset);

}  // namespace mlq::quant
