#include "lib/simigrad/synth/gradient.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/base/fmath_block.h"
#include "lib/base/random.h"

namespace mlq::simigrad {
namespace {

// The index in the whole gradient of a tensor's first element.
uint64_t first_of(const GradientLaw& gradient, uint64_t tensor) {
  const uint64_t each = gradient.params / gradient.tensors, longer = gradient.params % gradient.tensors;
  return tensor * each + std::min(tensor, longer);
}

}  // namespace

uint64_t tensor_elems(const GradientLaw& gradient, uint64_t index) {
  return first_of(gradient, index + 1) - first_of(gradient, index);
}

std::string tensor_name(const GradientLaw& gradient, uint64_t index) {
  const size_t width = std::to_string(gradient.tensors - 1).size();
  const std::string digits = std::to_string(index);
  return "t" + std::string(width - digits.size(), '0') + digits;
}

void fill_gradient(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group, uint64_t tensor,
                   uint64_t first, std::span<double> out) {
  const uint64_t begin = first_of(gradient, tensor) + first;
  const double everywhere = gradient.uniform ? 1 / std::sqrt(static_cast<double>(gradient.params)) : 0;
  std::ranges::fill(out, everywhere);
  if (!gradient.uniform && begin == 0 && !out.empty()) out[0] = 1;

  const GramLaw& law = gradient.law;
  if (begin >= law.d_eff) return;
  const size_t noisy = std::min<uint64_t>(out.size(), law.d_eff - begin);
  const double variance =
      b_simple_at(law, step) / (static_cast<double>(law.d_eff) * static_cast<double>(law.samples));
  const double sigma = std::sqrt(variance);
  const PhiloxKey key = RandomStream(mix64(mix64(seed) + step), Purpose::gradient_noise).key();
  std::vector<double> normals(noisy);
  fmath::uniform_block(key, first, static_cast<uint32_t>(tensor), static_cast<uint32_t>(group),
                       normals.data(), nullptr, noisy);
  fmath::normal_quantile_block(normals.data(), normals.data(), noisy);
  for (size_t i = 0; i < noisy; ++i) out[i] += sigma * normals[i];
}

}  // namespace mlq::simigrad
