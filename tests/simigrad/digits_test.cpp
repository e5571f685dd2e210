// The laws of law_test.cpp on real gradients: those of a perceptron on pictures of digits, at four points of
// its training. All pictures are the population, so |G|^2 and tr Sigma are known exactly.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "examples/13-adaptive-batch/perceptron.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/simigrad/estimate/estimator.h"
#include "tests/simigrad/grams.h"

namespace mlq::simigrad::test {
namespace {

const std::vector<digits::Picture>& pictures() {
  static const auto all = digits::read_pictures(MLQ_SOURCE_DIR "/data/digits/digits.npy");
  return all;
}

// Weights when the loss over all pictures first is at most `goal`.
digits::Parameters trained(double goal) {
  digits::Parameters weights = digits::initial(1), gradient;
  const RandomStream draws(1, Purpose::policy);
  std::vector<uint32_t> batch(32);
  for (uint64_t step = 0; digits::loss(weights, pictures()) > goal; ++step) {
    for (uint32_t i = 0; i < batch.size(); ++i)
      batch[i] = static_cast<uint32_t>(draws.uniform(step, i) * static_cast<double>(pictures().size()));
    digits::mean_gradient(weights, pictures(), batch, gradient);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] -= 0.5f * gradient[i];
  }
  return weights;
}

// Inner products of the gradients of all pictures: each is made of outer products, so no gradient is formed.
class Population {
 public:
  explicit Population(const digits::Parameters& weights)
      : size_(pictures().size()), products_(size_ * size_) {
    std::vector<digits::Passes> at(size_);
    for (size_t i = 0; i < size_; ++i) digits::passes(weights, pictures()[i], at[i]);
    for (size_t i = 0; i < size_; ++i)
      for (size_t j = 0; j <= i; ++j)
        products_[i * size_ + j] = products_[j * size_ + i] = static_cast<float>(
            (1 + dot(pictures()[i].points, pictures()[j].points)) *
                dot(at[i].hidden_back, at[j].hidden_back) +
            (1 + dot(at[i].hidden, at[j].hidden)) * dot(at[i].output_back, at[j].output_back));
    const double n = static_cast<double>(size_);
    double trace = 0;
    for (size_t i = 0; i < size_; ++i) trace += product(i, i);
    square_ = std::accumulate(products_.begin(), products_.end(), 0.0) / (n * n);
    trace_cov_ = trace / n - square_;
  }

  size_t size() const { return size_; }
  double product(size_t i, size_t j) const { return products_[i * size_ + j]; }
  double square() const { return square_; }        // |G|^2
  double trace_cov() const { return trace_cov_; }  // tr Sigma
  double b_simple() const { return trace_cov_ / square_; }

  // The record of two groups.
  records::Gram gram(std::span<const uint32_t> one, std::span<const uint32_t> other) const {
    return gram_of(one.size() + other.size(), 2,
                   {mean_product(one, one), mean_product(one, other), mean_product(other, other)});
  }

 private:
  template <size_t N>
  static float dot(const std::array<float, N>& a, const std::array<float, N>& b) {
    float sum = 0;
    for (size_t i = 0; i < N; ++i) sum += a[i] * b[i];
    return sum;
  }
  double mean_product(std::span<const uint32_t> a, std::span<const uint32_t> b) const {
    double sum = 0;
    for (const uint32_t i : a) {
      const float* row = &products_[i * size_];
      for (const uint32_t j : b) sum += row[j];
    }
    return sum / static_cast<double>(a.size() * b.size());
  }

  size_t size_;
  std::vector<float> products_;
  double square_ = 0, trace_cov_ = 0;
};

// Two groups of n pictures each, drawn with replacement.
records::Gram draw(const Population& population, uint64_t n, uint64_t number, uint32_t stream) {
  const RandomStream draws(7, Purpose::gradient_noise);
  std::vector<uint32_t> drawn(2 * n);
  for (uint32_t i = 0; i < drawn.size(); ++i)
    drawn[i] =
        static_cast<uint32_t>(draws.uniform(number, i, stream) * static_cast<double>(population.size()));
  return population.gram(std::span(drawn).first(n), std::span(drawn).last(n));
}

constexpr double kGoals[] = {2.5, 0.6, 0.09, 0.02};

TEST(Digits, InnerProductsAreThoseOfTheGradients) {
  const digits::Parameters weights = trained(0.6);
  const Population population(weights);
  std::vector<uint32_t> one = {5, 900, 17, 17}, other = {1, 2, 1796};
  digits::Parameters a, b;
  digits::mean_gradient(weights, pictures(), one, a);
  digits::mean_gradient(weights, pictures(), other, b);
  const records::Gram gram = population.gram(one, other);
  double aa = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    aa += static_cast<double>(a[i]) * a[i];
    ab += static_cast<double>(a[i]) * b[i];
  }
  EXPECT_NEAR(gram.gram->at(0), aa, 1e-5 * aa);
  EXPECT_NEAR(gram.gram->at(1), ab, 1e-5 * aa);
}

// (a), and E[a] / E[|g|^2] = 1 / (1 + B_simple / n). |z| < 4.
TEST(Digits, SimilarityFollowsTheNoiseScale) {
  double last = 0;
  for (const double goal : kGoals) {
    const Population population(trained(goal));
    const double b = population.b_simple();
    EXPECT_GT(b, last) << "the noise scale grows in training";
    last = b;
    for (const uint64_t n : {16, 64, 256}) {
      const int kDraws = n == 256 ? 300 : 1500;
      double a = 0, aa = 0, s = 0, ss = 0, d = 0, dd = 0, ad = 0;
      for (int t = 0; t < kDraws; ++t) {
        const records::Gram gram = draw(population, n, static_cast<uint64_t>(t), static_cast<uint32_t>(n));
        const Observation o = observed(gram);
        const double square = (gram.gram->at(0) + gram.gram->at(2)) / 2;
        a += o.a, aa += o.a * o.a, s += o.s, ss += o.s * o.s;
        d += square, dd += square * square, ad += o.a * square;
      }
      const double m = kDraws;
      a /= m, s /= m, d /= m;
      const double var_a = aa / m - a * a, var_s = ss / m - s * s, var_d = dd / m - d * d;
      EXPECT_LT(std::fabs(a - population.square()) / std::sqrt(var_a / m), 4) << goal << ' ' << n;
      EXPECT_LT(std::fabs(s - population.trace_cov()) / std::sqrt(var_s / m), 4) << goal << ' ' << n;
      const double rho = 1 / (1 + b / static_cast<double>(n));
      const double scatter = var_a - 2 * rho * (ad / m - a * d) + rho * rho * var_d;
      EXPECT_LT(std::fabs(a - rho * d) / std::sqrt(scatter / m), 4) << goal << ' ' << n;
    }
  }
}

// (e): the interval of a window of 20 steps covers the truth in 93 to 97 of 100 runs. 0.95 +- 0.0097 (one
// standard error).
TEST(Digits, TheIntervalCoversTheTruth) {
  EstimatorOptions options;
  options.smoothing.kind = Smoothing::Kind::window;
  options.smoothing.steps = 20;
  for (const double goal : kGoals) {
    const Population population(trained(goal));
    for (const uint64_t n : {16, 64}) {
      const int kRuns = 500;
      int covered = 0;
      for (int run = 0; run < kRuns; ++run) {
        Estimator estimator(options);
        for (uint64_t t = 0; t < options.smoothing.steps; ++t)
          estimator.add(observed(draw(population, n, static_cast<uint64_t>(run) * 20 + t, 1)));
        const RatioInterval i = estimator.signal().interval;
        covered += i.lo <= population.b_simple() && population.b_simple() <= i.hi;
      }
      EXPECT_GE(covered, 0.93 * kRuns) << goal << ' ' << n;
      EXPECT_LE(covered, 0.97 * kRuns) << goal << ' ' << n;
    }
  }
}

}  // namespace
}  // namespace mlq::simigrad::test
