// The estimator of RRL (HeyangQin/RRL, inception_latency_Q_network_mixed_changed_environment.py): two ReLU
// layers, one linear output, Huber loss, FTRL.
#pragma once

#include <vector>

#include "lib/tune/learn/mlp.h"

namespace mlq::tune {

struct MlpFtrlSettings {
  size_t width1 = 256, width2 = 64;
  double rate = 0.05;
  double accumulator = 0.1;  // n at the start
  double huber = 100;        // where the loss turns linear
  // FTRL's z at the start. TensorFlow has 0, with which the first step shrinks every weight whose gradient is
  // small by 1 - sqrt(n / n'), and hidden layers go dead. z0 = -w0 sqrt(n0) / rate keeps the weights; then
  // FTRL is AdaGrad, w' = w - rate g / sqrt(n'), step for step.
  bool zero_z = false;
};

// Not thread-safe. The same bits on any machine.
template <class Real>
class MlpFtrl {
 public:
  MlpFtrl(size_t inputs, const MlpFtrlSettings& settings, const RandomStream& random, uint64_t index);

  size_t inputs() const { return net_.inputs(); }
  // One step on all of `targets.size()` rows; x has targets.size() x inputs() numbers. The mean loss before
  // it.
  double step(std::span<const Real> x, std::span<const Real> targets);
  double loss(std::span<const Real> x, std::span<const Real> targets);
  // Of each row of x.
  std::vector<double> predict(std::span<const Real> x);

  Mlp<Real>& network() { return net_; }

 private:
  double pass(std::span<const Real> x, std::span<const Real> targets, bool learn);

  MlpFtrlSettings settings_;
  Mlp<Real> net_;
  std::vector<Real> z_, n_;
};

extern template class MlpFtrl<float>;
extern template class MlpFtrl<double>;

}  // namespace mlq::tune
