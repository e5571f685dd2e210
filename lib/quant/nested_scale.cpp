#include "lib/quant/nested_scale.h"

#include <algorithm>
#include <cmath>

namespace mlq::quant {
namespace {

// To the bit what bitsandbytes computes in fp32 on a machine with FMA: the edges are counted from the nearer
// end, each product and its sum rounded once.
std::array<float, 256> make_table() {
  constexpr double kDecades[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
  std::vector<float> values = {0.0F, 1.0F};
  for (int i = 0; i < 7; ++i) {
    const int count = 1 << i;
    const float step = (1.0F - 0.1F) / static_cast<float>(count);
    const auto edge = [&](int k) {
      return static_cast<float>(2 * k < count ? double{0.1F} + double{step} * k
                                              : 1.0 - double{step} * (count - k));
    };
    const auto scale = static_cast<float>(kDecades[i]);
    for (int k = 0; k < count; ++k) {
      const float middle = (edge(k) + edge(k + 1)) / 2.0F;
      values.push_back(scale * middle);
      values.push_back(-(scale * middle));
    }
  }
  std::sort(values.begin(), values.end());
  std::array<float, 256> table{};
  std::copy(values.begin(), values.end(), table.begin());
  return table;
}

uint8_t nearest(float v) {
  const auto& table = nested_table();
  const auto above = std::lower_bound(table.begin(), table.end(), v);
  if (above == table.begin()) return 0;
  if (above == table.end()) return 255;
  const auto below = above - 1;
  return static_cast<uint8_t>((v - *below <= *above - v ? below : above) - table.begin());
}

}  // namespace

const std::array<float, 256>& nested_table() {
  static const std::array<float, 256> table = make_table();
  return table;
}

NestedScales nested_encode(std::span<const float> scales) {
  NestedScales nested;
  double sum = 0;
  for (const float scale : scales) sum += scale;
  if (!scales.empty()) nested.offset = static_cast<float>(sum / static_cast<double>(scales.size()));
  nested.codes.resize(scales.size());
  for (size_t begin = 0; begin < scales.size(); begin += kNestedGroup) {
    const size_t end = std::min<size_t>(begin + kNestedGroup, scales.size());
    float absmax = 0;
    for (size_t i = begin; i < end; ++i) absmax = std::max(absmax, std::fabs(scales[i] - nested.offset));
    nested.absmax.push_back(absmax);
    const float inverse = absmax > 0 ? 1.0F / absmax : 0.0F;
    for (size_t i = begin; i < end; ++i) nested.codes[i] = nearest((scales[i] - nested.offset) * inverse);
  }
  return nested;
}

std::vector<float> nested_decode(std::span<const uint8_t> codes, std::span<const float> absmax,
                                 float offset) {
  const auto& table = nested_table();
  std::vector<float> scales(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const float part = table[codes[i]] * absmax[i / kNestedGroup];
    scales[i] = part + offset;
  }
  return scales;
}

}  // namespace mlq::quant
