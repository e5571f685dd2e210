#include "lib/tune/learn/mlp_ftrl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/fmath.h"
#include "lib/tune/draws.h"

namespace mlq::tune {
namespace {

MlpFtrl<double> small_net(const MlpFtrlSettings& settings) {
  return {3, settings, RandomStream(1, Purpose::estimator), 0};
}

std::vector<double> uniforms(size_t n, uint64_t index) {
  Draws draws(9, Purpose::design, index);
  std::vector<double> x(n);
  for (double& v : x) v = 2 * draws.uniform() - 1;
  return x;
}

TEST(Mlp, ForwardIsTheSumOfProducts) {
  Mlp<double> net(2, {{2, Activation::relu}, {1, Activation::linear}});
  auto p = net.parameters();
  p[net.weight_at(0, 0, 0)] = 1;
  p[net.weight_at(0, 0, 1)] = 2;
  p[net.bias_at(0, 0)] = 0.5;
  p[net.weight_at(0, 1, 0)] = -1;
  p[net.weight_at(1, 0, 0)] = 3;
  p[net.weight_at(1, 0, 1)] = 5;
  p[net.bias_at(1, 0)] = -1;
  const double x[] = {1, 1, -2, 0};  // hidden: (3.5, 0) and (0, 2)
  const auto y = net.forward(x, 2);
  EXPECT_EQ(y[0], 3 * 3.5 - 1);
  EXPECT_EQ(y[1], 5 * 2.0 - 1);
}

TEST(Mlp, GradientsAreThoseOfDifferences) {
  for (const Activation activation : {Activation::relu, Activation::tanh}) {
    Mlp<double> net(3, {{7, activation}, {5, activation}, {2, Activation::linear}});
    net.init_xavier(RandomStream(3, Purpose::estimator), 0);
    for (size_t l = 0; l < 3; ++l) net.parameters()[net.bias_at(l, 0)] = 0.1;
    const std::vector<double> x = uniforms(3 * 11, 0), c = uniforms(2 * 11, 1);
    const auto loss = [&] {
      const auto y = net.forward(x.data(), 11);
      return std::inner_product(y.begin(), y.end(), c.begin(), 0.0);
    };
    net.zero_gradients();
    loss();
    net.backward(c.data());
    for (const auto& v : net.variables())
      for (size_t k = v.begin; k < v.begin + v.size; ++k) {
        const double keep = net.parameters()[k];
        const double h = 1e-6;
        net.parameters()[k] = keep + h;
        const double up = loss();
        net.parameters()[k] = keep - h;
        const double down = loss();
        net.parameters()[k] = keep;
        // Padding is no parameter: nothing depends on it but through inputs of 0.
        ASSERT_NEAR(net.gradients()[k], (up - down) / (2 * h), 1e-7) << k;
      }
  }
}

TEST(Mlp, FloatAndDoubleAgree) {
  MlpFtrlSettings settings;
  MlpFtrl<double> d(4, settings, RandomStream(1, Purpose::estimator), 5);
  MlpFtrl<float> f(4, settings, RandomStream(1, Purpose::estimator), 5);
  const std::vector<double> x = uniforms(4 * 40, 2);
  const std::vector<float> xf(x.begin(), x.end());
  const auto yd = d.predict(x), yf = f.predict(xf);
  ASSERT_EQ(yd.size(), 40u);
  for (size_t k = 0; k < yd.size(); ++k) EXPECT_NEAR(yd[k], yf[k], 1e-5);
}

TEST(MlpFtrl, WeightsBeginWithinXaviersBounds) {
  MlpFtrl<double> net(4, {}, RandomStream(1, Purpose::estimator), 0);
  auto& n = net.network();
  double most = 0, sum = 0;
  for (size_t u = 0; u < 256; ++u)
    for (size_t i = 0; i < 4; ++i) {
      most = std::max(most, std::fabs(n.parameters()[n.weight_at(0, u, i)]));
      sum += n.parameters()[n.weight_at(0, u, i)];
    }
  const double bound = std::sqrt(6.0 / 260);
  EXPECT_LE(most, bound);
  EXPECT_GT(most, 0.99 * bound);
  EXPECT_LT(std::fabs(sum / 1024), 5 * bound / std::sqrt(3.0 * 1024));  // five standard deviations
  EXPECT_EQ(n.parameters()[n.bias_at(0, 7)], 0);
}

// With z0 = -w0 sqrt(n0) / rate, FTRL is AdaGrad: a second network, updated by w - rate g / sqrt(n').
TEST(MlpFtrl, WithTheStartCorrectedItIsAdaGradStepForStep) {
  MlpFtrlSettings settings{.width1 = 9, .width2 = 6};
  settings.rate = 0.05;
  auto net = small_net(settings);
  Mlp<double> twin = net.network();
  std::vector<double> n(twin.parameters().size(), settings.accumulator);
  const std::vector<double> x = uniforms(3 * 20, 0);
  std::vector<double> y = uniforms(20, 1);
  for (double& v : y) v *= 3;
  for (int step = 0; step < 500; ++step) {
    net.step(x, y);
    const auto out = twin.forward(x.data(), 20);
    std::vector<double> d(20);
    for (size_t r = 0; r < 20; ++r) d[r] = (out[r] - y[r]) / 20;
    twin.zero_gradients();
    twin.backward(d.data());
    for (size_t k = 0; k < n.size(); ++k) {
      const double g = twin.gradients()[k];
      n[k] += g * g;
      twin.parameters()[k] -= settings.rate * g / std::sqrt(n[k]);
    }
    for (size_t k = 0; k < n.size(); ++k)
      ASSERT_NEAR(net.network().parameters()[k], twin.parameters()[k], 1e-12) << "step " << step;
  }
}

TEST(MlpFtrl, WithZAtZeroTheFirstStepShrinksTheRandomStart) {
  MlpFtrlSettings settings{.width1 = 9, .width2 = 6, .rate = 0.7, .zero_z = true};
  auto net = small_net(settings);
  Mlp<double> start = net.network();
  const std::vector<double> x = uniforms(3 * 4, 0), y = {40, 30, 50, 20};
  net.step(x, y);
  const auto out = start.forward(x.data(), 4);
  std::vector<double> d(4);
  for (size_t r = 0; r < 4; ++r) d[r] = (out[r] - y[r]) / 4;
  start.zero_gradients();
  start.backward(d.data());
  for (size_t k = 0; k < start.parameters().size(); ++k) {
    const double g = start.gradients()[k], after = std::sqrt(0.1 + g * g);
    const double w = start.parameters()[k] * (1 - std::sqrt(0.1) / after) - 0.7 * g / after;
    ASSERT_NEAR(net.network().parameters()[k], w, 1e-12);
  }
}

TEST(MlpFtrl, TheHuberLossTurnsLinear) {
  auto net = small_net({.width1 = 3, .width2 = 2, .huber = 100});
  for (double& p : net.network().parameters()) p = 0;
  EXPECT_DOUBLE_EQ(net.loss(uniforms(3, 0), std::vector<double>{10}), 50);
  EXPECT_DOUBLE_EQ(net.loss(uniforms(3, 0), std::vector<double>{-300}), 100 * 300 - 5000);
}

}  // namespace
}  // namespace mlq::tune
