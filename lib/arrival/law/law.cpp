#include "lib/arrival/law/law.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/fmath_block.h"
#include "lib/stats/special.h"

namespace mlq::arrival {

void Law::fill(const RandomStream& random, uint64_t first, uint32_t stream, std::span<double> out) const {
  for (size_t k = 0; k < out.size(); ++k) out[k] = sample({&random, first + k, stream});
}

double Law::residual(const Draws&) const {
  throw usage_error("this law has no stationary start; use --start event or --start zero");
}

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// The draw that belongs to no attempt of a rejection method.
constexpr uint32_t kExtraDraw = kDrawsPerVariate - 1;
constexpr size_t kChunk = 1024;

double exponential(double u) { return -fmath::log(u); }

// Gamma(shape), shape >= 1, by Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM
// TOMS 26, 2000). Attempt j is draw j: a normal from its first uniform, the acceptance from its second.
struct GammaSampler {
  double shape;
  double d;
  double c;

  explicit GammaSampler(double k) : shape(k), d(k - 1.0 / 3.0), c(1.0 / std::sqrt(9.0 * d)) {}

  // One attempt; 0 if it is rejected.
  double attempt(double z, double u) const {
    const double t = 1.0 + c * z;
    if (t <= 0) return 0;
    const double v = t * t * t;
    const double z2 = z * z;
    if (u < 1.0 - 0.0331 * (z2 * z2)) return d * v;
    if (fmath::log(u) < 0.5 * z2 + d * (1.0 - v + fmath::log(v))) return d * v;
    return 0;
  }
  double from_attempt(const Draws& draws, uint32_t first) const {
    for (uint32_t j = first; j < kExtraDraw; ++j) {
      const UniformPair u = draws.at(j);
      if (const double x = attempt(fmath::normal_quantile(u.a), u.b); x > 0) return x;
    }
    return shape;  // 2^-65000 away
  }
  double operator()(const Draws& draws) const { return from_attempt(draws, 0); }
};

class Exponential final : public Law {
 public:
  double sample(const Draws& draws) const override { return exponential(draws.at(0).a); }
  void fill(const RandomStream& random, uint64_t first, uint32_t stream,
            std::span<double> out) const override {
    fmath::uniform_block(random.key(), first, 0, stream, out.data(), nullptr, out.size());
    fmath::log_block(out.data(), out.data(), out.size());
    for (double& x : out) x = -x;
  }
  double residual(const Draws& draws) const override { return sample(draws); }
  bool has_residual() const override { return true; }
  double cdf(double x) const override { return x <= 0 ? 0 : -fmath::expm1(-x); }
  double mean() const override { return 1; }
  double cv() const override { return 1; }
};

class Gamma final : public Law {
 public:
  explicit Gamma(double shape)
      : shape_(shape), boosted_(shape < 1), core_(boosted_ ? shape + 1 : shape), over_(shape + 1) {}

  double sample(const Draws& draws) const override {
    return finish(core_(draws), boosted_ ? draws.at(kExtraDraw).a : 0);
  }
  void fill(const RandomStream& random, uint64_t first, uint32_t stream,
            std::span<double> out) const override;
  double residual(const Draws& draws) const override {
    return draws.at(kExtraDraw).b * over_(draws) / shape_;
  }
  bool has_residual() const override { return true; }
  double cdf(double x) const override { return x <= 0 ? 0 : stats::gamma_p(shape_, shape_ * x); }
  double mean() const override { return 1; }
  double cv() const override { return 1 / std::sqrt(shape_); }

 private:
  // Gamma(k) = Gamma(k+1) U^(1/k) for k < 1 (same paper, section 6).
  double finish(double core, double u) const {
    if (!boosted_) return core / shape_;
    return core * fmath::exp(std::max(fmath::log(u) / shape_, -700.0)) / shape_;
  }
  double shape_;
  bool boosted_;
  GammaSampler core_;
  GammaSampler over_;
};

// The first attempt of every event and the boost are done over arrays; the few rejected go on alone.
void Gamma::fill(const RandomStream& random, uint64_t first, uint32_t stream, std::span<double> out) const {
  std::array<double, kChunk> z;
  std::array<double, kChunk> u;
  std::array<double, kChunk> boost;
  for (size_t start = 0; start < out.size(); start += kChunk) {
    const size_t n = std::min(kChunk, out.size() - start);
    fmath::uniform_block(random.key(), first + start, 0, stream, z.data(), u.data(), n);
    fmath::normal_quantile_block(z.data(), z.data(), n);
    if (boosted_) {
      fmath::uniform_block(random.key(), first + start, kExtraDraw, stream, boost.data(), nullptr, n);
      fmath::log_block(boost.data(), boost.data(), n);
      for (size_t k = 0; k < n; ++k) boost[k] = std::max(boost[k] / shape_, -700.0);
      fmath::exp_block(boost.data(), boost.data(), n);
    }
    for (size_t k = 0; k < n; ++k) {
      double x = core_.attempt(z[k], u[k]);
      if (x == 0) x = core_.from_attempt({&random, first + start + k, stream}, 1);
      out[start + k] = boosted_ ? x * boost[k] / shape_ : x / shape_;
    }
  }
}

class Weibull final : public Law {
 public:
  explicit Weibull(double shape)
      : shape_(shape), scale_(fmath::exp(-fmath::lgamma(1 + 1 / shape))), biased_(1 + 1 / shape) {}

  double sample(const Draws& draws) const override {
    return scale_ * fmath::exp(fmath::log(exponential(draws.at(0).a)) / shape_);
  }
  void fill(const RandomStream& random, uint64_t first, uint32_t stream,
            std::span<double> out) const override {
    fmath::uniform_block(random.key(), first, 0, stream, out.data(), nullptr, out.size());
    fmath::log_block(out.data(), out.data(), out.size());
    for (double& x : out) x = -x;
    fmath::log_block(out.data(), out.data(), out.size());
    for (double& x : out) x = fmath::exp(x / shape_) * scale_;
  }
  double residual(const Draws& draws) const override {
    return draws.at(kExtraDraw).a * scale_ * fmath::exp(fmath::log(biased_(draws)) / shape_);
  }
  bool has_residual() const override { return true; }
  double cdf(double x) const override { return x <= 0 ? 0 : -fmath::expm1(-fmath::pow(x / scale_, shape_)); }
  double mean() const override { return 1; }
  double cv() const override { return cv_of_shape(shape_); }

  static double cv_of_shape(double k) {
    return std::sqrt(fmath::expm1(fmath::lgamma(1 + 2 / k) - 2 * fmath::lgamma(1 + 1 / k)));
  }

 private:
  double shape_;
  double scale_;
  GammaSampler biased_;
};

class Lognormal final : public Law {
 public:
  explicit Lognormal(double cv)
      : cv_(cv), sigma_(std::sqrt(fmath::log1p(cv * cv))), mu_(-0.5 * sigma_ * sigma_) {}
  double sample(const Draws& draws) const override {
    return fmath::exp(mu_ + sigma_ * fmath::normal_quantile(draws.at(0).a));
  }
  double residual(const Draws& draws) const override {
    const UniformPair u = draws.at(0);
    return u.b * fmath::exp(mu_ + sigma_ * sigma_ + sigma_ * fmath::normal_quantile(u.a));
  }
  bool has_residual() const override { return true; }
  double cdf(double x) const override {
    return x <= 0 ? 0 : stats::normal_cdf((fmath::log(x) - mu_) / sigma_);
  }
  double mean() const override { return 1; }
  double cv() const override { return cv_; }

 private:
  double cv_;
  double sigma_;
  double mu_;
};

double power_of_uniform(double u, double exponent) { return fmath::exp(fmath::log(u) * exponent); }

// Type I: x >= xm. Its stationary gap has density (1 - F): constant up to xm, then a power with exponent
// alpha - 1, which is U times a Pareto(alpha - 1) of the same xm.
class Pareto final : public Law {
 public:
  explicit Pareto(double alpha) : alpha_(alpha), xm_((alpha - 1) / alpha) {}
  double sample(const Draws& draws) const override {
    return xm_ * power_of_uniform(draws.at(0).a, -1 / alpha_);
  }
  double residual(const Draws& draws) const override {
    const UniformPair u = draws.at(0);
    return u.b * xm_ * power_of_uniform(u.a, -1 / (alpha_ - 1));
  }
  bool has_residual() const override { return true; }
  double cdf(double x) const override { return x <= xm_ ? 0 : 1 - fmath::pow(xm_ / x, alpha_); }
  double mean() const override { return 1; }
  double cv() const override { return alpha_ > 2 ? 1 / std::sqrt(alpha_ * (alpha_ - 2)) : kInfinity; }

 private:
  double alpha_;
  double xm_;
};

class Lomax final : public Law {
 public:
  explicit Lomax(double alpha) : alpha_(alpha) {}
  double sample(const Draws& draws) const override { return variate(draws.at(0).a, alpha_); }
  double residual(const Draws& draws) const override { return variate(draws.at(0).a, alpha_ - 1); }
  bool has_residual() const override { return true; }
  double cdf(double x) const override {
    return x <= 0 ? 0 : -fmath::expm1(-alpha_ * fmath::log1p(x / (alpha_ - 1)));
  }
  double mean() const override { return 1; }
  double cv() const override { return alpha_ > 2 ? std::sqrt(alpha_ / (alpha_ - 2)) : kInfinity; }

 private:
  double variate(double u, double alpha) const { return (alpha_ - 1) * fmath::expm1(-fmath::log(u) / alpha); }
  double alpha_;
};

class Erlang final : public Law {
 public:
  explicit Erlang(uint32_t stages) : stages_(stages) {}
  double sample(const Draws& draws) const override { return sum(draws, stages_) / stages_; }
  double residual(const Draws& draws) const override {
    const double u = draws.at(kExtraDraw).a;
    const auto stages = std::min(static_cast<uint32_t>(u * stages_) + 1, stages_);
    return sum(draws, stages) / stages_;
  }
  bool has_residual() const override { return true; }
  double cdf(double x) const override { return x <= 0 ? 0 : stats::gamma_p(stages_, stages_ * x); }
  double mean() const override { return 1; }
  double cv() const override { return 1 / std::sqrt(static_cast<double>(stages_)); }

 private:
  static double sum(const Draws& draws, uint32_t stages) {
    double total = 0;
    for (uint32_t j = 0; j < stages; j += 2) {
      const UniformPair u = draws.at(j / 2);
      total += exponential(u.a);
      if (j + 1 < stages) total += exponential(u.b);
    }
    return total;
  }
  uint32_t stages_;
};

// Two exponential branches of equal mass (balanced means).
class HyperExponential final : public Law {
 public:
  explicit HyperExponential(double cv) : cv_(cv), p_((1 + std::sqrt((cv * cv - 1) / (cv * cv + 1))) / 2) {}
  double sample(const Draws& draws) const override { return branch(draws.at(0), p_); }
  double residual(const Draws& draws) const override { return branch(draws.at(0), 0.5); }
  bool has_residual() const override { return true; }
  double cdf(double x) const override {
    if (x <= 0) return 0;
    return -(p_ * fmath::expm1(-2 * p_ * x) + (1 - p_) * fmath::expm1(-2 * (1 - p_) * x));
  }
  double mean() const override { return 1; }
  double cv() const override { return cv_; }

 private:
  double branch(const UniformPair& u, double first) const {
    return exponential(u.b) / (u.a < first ? 2 * p_ : 2 * (1 - p_));
  }
  double cv_;
  double p_;
};

class Fixed final : public Law {
 public:
  double sample(const Draws&) const override { return 1; }
  double residual(const Draws& draws) const override { return draws.at(0).a; }
  bool has_residual() const override { return true; }
  double cdf(double x) const override { return x < 1 ? 0 : 1; }
  bool continuous() const override { return false; }
  double mean() const override { return 1; }
  double cv() const override { return 0; }
};

// Without blocks, a value is the inverse of the sample's distribution function at a uniform. With blocks,
// event i continues the value after that of event i-1, except with probability 1/block, where a new block
// starts at a random place; the start is found by going back, so any event can still be drawn alone.
class Empirical final : public Law {
 public:
  Empirical(std::vector<double> values, uint64_t block) : values_(std::move(values)), block_(block) {
    double total = 0;
    for (const double x : values_) total += x;
    const double mean = total / static_cast<double>(values_.size());
    if (!(mean > 0)) throw input_error("empirical law: the mean of the values is not positive");
    double squares = 0;
    for (double& x : values_) {
      x /= mean;
      squares += (x - 1) * (x - 1);
    }
    cv_ = std::sqrt(squares / static_cast<double>(values_.size()));
    sorted_ = values_;
    std::sort(sorted_.begin(), sorted_.end());
    cumulated_.reserve(sorted_.size());
    double sum = 0;
    for (const double x : sorted_) cumulated_.push_back(sum += x);
  }
  double sample(const Draws& draws) const override {
    if (block_ == 1) return sorted_[random_place(draws.at(0).a)];
    uint64_t back = 0;
    for (Draws at = draws;; --at.index, ++back) {
      if (const UniformPair u = at.at(0); starts(at.index, u.b)) return follower(random_place(u.a), back);
    }
  }
  void fill(const RandomStream& random, uint64_t first, uint32_t stream,
            std::span<double> out) const override {
    if (block_ == 1) return Law::fill(random, first, stream, out);
    uint64_t start = first;
    while (!starts(start, random.uniforms(start, 0, stream).b)) --start;
    size_t place = 0;
    for (uint64_t i = start; i < first + out.size(); ++i) {
      const UniformPair u = random.uniforms(i, 0, stream);
      place = starts(i, u.b) ? random_place(u.a) : (place + 1) % values_.size();
      if (i >= first) out[i - first] = values_[place];
    }
  }
  // A gap drawn in proportion to its length, times a uniform.
  double residual(const Draws& draws) const override {
    const UniformPair u = draws.at(kExtraDraw);
    const auto at = std::upper_bound(cumulated_.begin(), cumulated_.end(), u.a * cumulated_.back());
    const size_t k = std::min(static_cast<size_t>(at - cumulated_.begin()), sorted_.size() - 1);
    return sorted_[k] * u.b;
  }
  bool has_residual() const override { return true; }
  double cdf(double x) const override {
    const auto at = std::upper_bound(sorted_.begin(), sorted_.end(), x);
    return static_cast<double>(at - sorted_.begin()) / static_cast<double>(sorted_.size());
  }
  bool continuous() const override { return false; }
  double mean() const override { return 1; }
  double cv() const override { return cv_; }

 private:
  size_t random_place(double u) const {
    const auto k = static_cast<size_t>(u * static_cast<double>(values_.size()));
    return std::min(k, values_.size() - 1);
  }
  bool starts(uint64_t index, double u) const { return index == 0 || u * static_cast<double>(block_) < 1; }
  double follower(size_t place, uint64_t steps) const { return values_[(place + steps) % values_.size()]; }
  std::vector<double> values_;
  std::vector<double> sorted_;
  std::vector<double> cumulated_;
  uint64_t block_;
  double cv_ = 0;
};

class Scaled final : public Law {
 public:
  Scaled(LawPtr law, double factor) : law_(std::move(law)), factor_(factor) {}
  double sample(const Draws& draws) const override { return factor_ * law_->sample(draws); }
  double residual(const Draws& draws) const override { return factor_ * law_->residual(draws); }
  bool has_residual() const override { return law_->has_residual(); }
  double cdf(double x) const override { return law_->cdf(x / factor_); }
  bool continuous() const override { return law_->continuous(); }
  double mean() const override { return factor_ * law_->mean(); }
  double cv() const override { return law_->cv(); }

 private:
  LawPtr law_;
  double factor_;
};

void require_cv(double cv, double low, double high, std::string_view law) {
  if (!(cv > low && cv <= high)) {
    throw usage_error("cv {} is out of range for {}; it must be above {} and at most {}", cv, law, low, high);
  }
}

}  // namespace

LawPtr exponential_law() { return std::make_shared<Exponential>(); }

LawPtr gamma_law(double cv) {
  require_cv(cv, 0, 100, "gamma");
  return std::make_shared<Gamma>(1 / (cv * cv));
}

LawPtr weibull_law(double cv) {
  double low = fmath::log(0.05);
  double high = fmath::log(50.0);
  const double least = Weibull::cv_of_shape(50.0);
  if (!(cv >= least && cv <= 1000)) {
    throw usage_error("cv {} is out of range for weibull; it must be from {:.4f} to 1000", cv, least);
  }
  for (int step = 0; step < 200 && low < high; ++step) {  // cv falls with the shape
    const double middle = 0.5 * (low + high);
    if (middle == low || middle == high) break;
    (Weibull::cv_of_shape(fmath::exp(middle)) > cv ? low : high) = middle;
  }
  return std::make_shared<Weibull>(fmath::exp(0.5 * (low + high)));
}

LawPtr lognormal_law(double cv) {
  require_cv(cv, 0, 1000, "lognormal");
  return std::make_shared<Lognormal>(cv);
}

LawPtr pareto_law_of_alpha(double alpha) {
  if (!(alpha > 1 && alpha <= 1e6)) {
    throw usage_error(
        "alpha {} is out of range for pareto; it must be above 1 (a finite mean) and at most 1e6", alpha);
  }
  return std::make_shared<Pareto>(alpha);
}

LawPtr pareto_law(double cv) {
  require_cv(cv, 0, 1000, "pareto");
  return std::make_shared<Pareto>(1 + std::sqrt(1 + 1 / (cv * cv)));
}

LawPtr lomax_law(double cv) {
  require_cv(cv, 1, 1000, "lomax");
  return std::make_shared<Lomax>(2 * cv * cv / (cv * cv - 1));
}

LawPtr erlang_law(uint32_t stages) {
  if (stages < 1 || stages > 10000) {
    throw usage_error("k {} is out of range for erlang; it must be from 1 to 10000", stages);
  }
  return std::make_shared<Erlang>(stages);
}

LawPtr h2_law(double cv) {
  if (!(cv >= 1 && cv <= 1000)) {
    throw usage_error("cv {} is out of range for h2; it must be from 1 to 1000", cv);
  }
  return std::make_shared<HyperExponential>(cv);
}

LawPtr fixed_law() { return std::make_shared<Fixed>(); }

LawPtr empirical_law(std::vector<double> values, uint64_t block) {
  if (values.empty()) throw input_error("empirical law: there are no values");
  for (const double x : values) {
    if (!(x >= 0 && std::isfinite(x))) throw input_error("empirical law: {} is no length", x);
  }
  if (block < 1 || block > 1'000'000) {
    throw usage_error("block {} is out of range for empirical; it must be from 1 to 1000000", block);
  }
  return std::make_shared<Empirical>(std::move(values), block);
}

LawPtr scaled_law(LawPtr law, double factor) {
  return factor == 1 ? law : std::make_shared<Scaled>(std::move(law), factor);
}

}  // namespace mlq::arrival
