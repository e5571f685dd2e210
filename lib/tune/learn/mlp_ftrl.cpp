#include "lib/tune/learn/mlp_ftrl.h"

#include <algorithm>
#include <cmath>

#include "lib/tune/learn/mlp_kernels.h"

namespace mlq::tune {

template <class Real>
MlpFtrl<Real>::MlpFtrl(size_t inputs, const MlpFtrlSettings& settings, const RandomStream& random,
                       uint64_t index)
    : settings_(settings),
      net_(inputs, {{settings.width1, Activation::relu},
                    {settings.width2, Activation::relu},
                    {1, Activation::linear}}) {
  net_.init_xavier(random, index);
  const size_t size = net_.parameters().size();
  n_.assign(size, static_cast<Real>(settings.accumulator));
  z_.assign(size, Real{0});
  if (settings.zero_z) return;
  const double factor = -std::sqrt(settings.accumulator) / settings.rate;
  for (size_t k = 0; k < size; ++k) z_[k] = static_cast<Real>(factor * net_.parameters()[k]);
}

template <class Real>
double MlpFtrl<Real>::pass(std::span<const Real> x, std::span<const Real> targets, bool learn) {
  const auto rows = static_cast<double>(targets.size());
  double sum = 0;
  std::vector<Real> d;
  for (size_t begin = 0; begin < targets.size(); begin += Mlp<Real>::kBatch) {
    const size_t n = std::min(Mlp<Real>::kBatch, targets.size() - begin);
    const auto out = net_.forward(x.data() + begin * inputs(), n);
    d.resize(n);
    for (size_t r = 0; r < n; ++r) {
      const double error = static_cast<double>(out[r]) - static_cast<double>(targets[begin + r]);
      const double size = std::fabs(error);
      sum += size <= settings_.huber ? 0.5 * error * error
                                     : settings_.huber * size - 0.5 * settings_.huber * settings_.huber;
      d[r] = static_cast<Real>(std::clamp(error, -settings_.huber, settings_.huber) / rows);
    }
    if (learn) net_.backward(d.data());
  }
  return sum / rows;
}

template <class Real>
double MlpFtrl<Real>::step(std::span<const Real> x, std::span<const Real> targets) {
  net_.zero_gradients();
  const double before = pass(x, targets, true);
  ftrl_step(net_.parameters().data(), net_.gradients().data(), z_.data(), n_.data(), n_.size(),
            static_cast<Real>(settings_.rate));
  return before;
}

template <class Real>
double MlpFtrl<Real>::loss(std::span<const Real> x, std::span<const Real> targets) {
  return pass(x, targets, false);
}

template <class Real>
std::vector<double> MlpFtrl<Real>::predict(std::span<const Real> x) {
  std::vector<double> y;
  const size_t rows = x.size() / inputs();
  for (size_t begin = 0; begin < rows; begin += Mlp<Real>::kBatch) {
    const size_t n = std::min(Mlp<Real>::kBatch, rows - begin);
    const auto out = net_.forward(x.data() + begin * inputs(), n);
    y.insert(y.end(), out.begin(), out.end());
  }
  return y;
}

template class MlpFtrl<float>;
template class MlpFtrl<double>;

}  // namespace mlq::tune
