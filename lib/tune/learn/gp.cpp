#include "lib/tune/learn/gp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/cpu_avx2.h"
#include "lib/base/fmath.h"
#include "lib/base/fmath_inline.h"

namespace mlq::tune {
namespace {

constexpr size_t kTile = Cholesky::kTile;
constexpr double kLeastJitter = 1e-8, kMostJitter = 1e-4;
constexpr double kLn2Pi = 1.8378770664093453;

struct Normal {
  double mean, sd;
};
constexpr Normal kPriorLnL{-0.91629073, 0.8};  // ln 0.4
constexpr Normal kPriorLnV{0, 0.7};
constexpr Normal kPriorLnNoise{-1.6094379, 0.9};  // ln 0.2
constexpr Normal kPriorLnB{-0.5, 1};
constexpr double kNearLnL = 0.3, kNearLnV = 0.2, kNearLnNoise = 0.3, kNearLnB = 0.3, kNearCarry = 0.15;
constexpr double kLeastCarry = 0.01;

double log_density(const Normal& prior, double x) {
  const double z = (x - prior.mean) / prior.sd;
  return -0.5 * z * z;
}

// Matern-5/2 of a squared distance.
MLQ_ALWAYS_INLINE double matern(double square) {
  const double t = 5.0 * (square < 9e4 ? square : 9e4);  // beyond, the value is 0 but for 1e-280
  const double s = std::sqrt(t);
  return (1.0 + s + t * (1.0 / 3.0)) * fmath::exp_moderate(-s);
}

// That of the distances between scaled x (a number a column) and n scaled points whose columns
// lie `stride` apart.
struct MaternRow {
  static MLQ_ALWAYS_INLINE void run(const double* x, const double* points, size_t stride, size_t columns,
                                    size_t n, double* out) {
    for (size_t k = 0; k < n; ++k) out[k] = 0;
    for (size_t c = 0; c < columns; ++c) {
      const double xc = x[c];
      const double* column = points + c * stride;
      for (size_t k = 0; k < n; ++k) {
        const double d = xc - column[k];
        out[k] += d * d;
      }
    }
    for (size_t k = 0; k < n; ++k) out[k] = matern(out[k]);
  }
};

// The same of n rows, each by its columns, and the kTile points of a tile, whose columns lie kTile apart:
// out[i * kTile + p].
struct MaternTile {
  static MLQ_ALWAYS_INLINE void run(const double* rows, size_t stride, size_t n, const double* tile,
                                    size_t columns, double* out) {
    for (size_t i = 0; i < n; ++i) {
      double square[kTile] = {};
      for (size_t c = 0; c < columns; ++c) {
        const double xc = rows[c * stride + i];
        for (size_t p = 0; p < kTile; ++p) {
          const double d = xc - tile[c * kTile + p];
          square[p] += d * d;
        }
      }
      for (size_t p = 0; p < kTile; ++p) out[i * kTile + p] = matern(square[p]);
    }
  }
};

template <class Loop, class... Args>
MLQ_TARGET_AVX2 void run_avx2(Args... args) {
  Loop::run(args...);
}

template <class Loop, class... Args>
void run(Args... args) {
  if (cpu_has_avx2()) {
    run_avx2<Loop>(args...);
  } else {
    Loop::run(args...);
  }
}

// |log2 (rate / rate')| + 1 for another cv class; a rate that is not known is an octave away.
double level_distance(const Level& a, const Level& b) {
  constexpr double kInvLn2 = 1.4426950408889634;
  const bool known = a.rate_per_s > 0 && b.rate_per_s > 0;
  const double octaves = known ? std::fabs(fmath::log(a.rate_per_s / b.rate_per_s)) * kInvLn2 : 1.0;
  return octaves + (a.bursty != b.bursty ? 1.0 : 0.0);
}

}  // namespace

Gp::Gp(const Features& features) : features_(&features) {
  hyper_.ln_l.assign(features.axes(), kPriorLnL.mean);
}

void Gp::set_hyper(GpHyper hyper) {
  hyper_ = std::move(hyper);
  rows_ = {};
  factor_.resize(factor_.capacity());
}

void Gp::set_levels(std::span<const Level> levels, const GpHyper& hyper) {
  levels_ = levels.size();
  share_.assign(levels_ * levels_, 1.0);
  const double ln_carry = fmath::log(hyper.carry);
  for (size_t a = 0; a < levels_; ++a)
    for (size_t b = 0; b < levels_; ++b)
      if (a != b) share_[a * levels_ + b] = fmath::exp(ln_carry * level_distance(levels[a], levels[b]));
}

void Gp::scale_rows(const GpHyper& hyper) {
  const size_t columns = features_->columns();
  scale_.resize(columns);
  for (size_t c = 0; c < columns; ++c)
    scale_[c] = std::sqrt(features_->weight(c)) * fmath::exp(-hyper.ln_l[features_->axis_of(c)]);
  signal_var_ = fmath::exp(2 * hyper.ln_v);
  level_var_ = fmath::exp(2 * hyper.ln_b);
  noise_var_ = fmath::exp(2 * hyper.ln_noise);
  if (factor_.capacity() < rows_.size()) factor_.resize(std::max<size_t>(rows_.size() + 8, 64));
  stride_ = (factor_.capacity() + kTile - 1) / kTile * kTile;
  scaled_.resize(columns * stride_);
  for (size_t c = 0; c < columns; ++c)
    for (size_t k = 0; k < rows_.size(); ++k) scaled_[c * stride_ + k] = rows_.x[k * columns + c] * scale_[c];
}

double Gp::noise_of(size_t k) const { return noise_var_ + jitter_ + rows_.own_var[k]; }

// Covariances of a scaled point at a level with the scaled rows begin .. end - 1.
void Gp::covariances(const double* x, LevelId level, size_t begin, size_t end, double* out) const {
  run<MaternRow>(x, scaled_.data() + begin, stride_, features_->columns(), end - begin, out);
  for (size_t k = begin; k < end; ++k) {
    const LevelId other = rows_.level[k];
    out[k - begin] =
        signal_var_ * share_[level * levels_ + other] * out[k - begin] + (other == level ? level_var_ : 0.0);
  }
}

bool Gp::factorise() {
  const size_t n = rows_.size(), columns = features_->columns();
  std::vector<double> x(columns);
  for (jitter_ = kLeastJitter; jitter_ <= kMostJitter * 1.01; jitter_ *= 10) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t c = 0; c < columns; ++c) x[c] = scaled_[c * stride_ + i];
      covariances(x.data(), rows_.level[i], i, n, factor_.row(i) + i);
      factor_.row(i)[i] += noise_of(i);
    }
    if (factor_.factor(n)) return true;
  }
  return false;
}

void Gp::fit(const GpRows& rows, std::span<const Level> levels, Draws& draws) {
  rows_ = rows;
  GpHyper best = hyper_;
  double best_score = -std::numeric_limits<double>::infinity();
  for (int draw = 0; draw < kDraws; ++draw) {
    const GpHyper hyper = draw == 0 ? hyper_ : draw % 2 == 0 ? from_prior(draws) : around(best, draws);
    set_levels(levels, hyper);
    scale_rows(hyper);
    if (!factorise()) continue;
    const double score = likelihood(rows.y) + log_prior(hyper);
    if (score > best_score) {
      best_score = score;
      best = hyper;
    }
  }
  set_hyper(std::move(best));
  condition(rows, levels);
}

void Gp::condition(const GpRows& rows, std::span<const Level> levels) {
  const size_t old = factor_.size(), columns = features_->columns();
  const auto begins_with = [&](const auto& whole, const auto& part, size_t count) {
    return whole.size() >= count &&
           std::equal(part.begin(), part.begin() + static_cast<long>(count), whole.begin());
  };
  const bool grows =
      old > 0 && old <= rows.size() && rows.size() <= factor_.capacity() && rows_.size() == old &&
      levels_ == levels.size() && begins_with(rows.x, rows_.x, old * columns) &&
      begins_with(rows.level, rows_.level, old) && begins_with(rows.own_var, rows_.own_var, old);
  rows_ = rows;
  if (rows.size() == 0) {
    factor_.resize(factor_.capacity());
    set_levels(levels, hyper_);
    scale_rows(hyper_);
    return;
  }
  if (!grows || !grow()) {
    set_levels(levels, hyper_);
    scale_rows(hyper_);
    // More noise makes any covariance positive definite.
    while (!factorise()) hyper_.ln_noise += 0.5;
  }
  retarget(rows.y);
}

bool Gp::grow() {
  const size_t columns = features_->columns();
  std::vector<double> x(columns), a(rows_.size() + 1);
  for (size_t k = factor_.size(); k < rows_.size(); ++k) {
    for (size_t c = 0; c < columns; ++c) {
      x[c] = rows_.x[k * columns + c] * scale_[c];
      scaled_[c * stride_ + k] = x[c];
    }
    covariances(x.data(), rows_.level[k], 0, k + 1, a.data());
    a[k] += noise_of(k);
    if (!factor_.append(a.data())) return false;
  }
  return true;
}

double Gp::likelihood(std::span<const double> y) {
  z_.assign(y.begin(), y.end());
  factor_.forward(z_.data());
  double square = 0;
  for (const double z : z_) square += z * z;
  return -0.5 * square - factor_.log_det() - 0.5 * static_cast<double>(y.size()) * kLn2Pi;
}

void Gp::retarget(std::span<const double> y) {
  rows_.y.assign(y.begin(), y.end());
  likelihood(y);
  alpha_ = z_;
  factor_.backward(alpha_.data());
}

double Gp::log_marginal_likelihood() const {
  double square = 0;
  for (const double z : z_) square += z * z;
  return -0.5 * square - factor_.log_det() - 0.5 * static_cast<double>(size()) * kLn2Pi;
}

double Gp::log_prior(const GpHyper& hyper) const {
  double sum = log_density(kPriorLnV, hyper.ln_v) + log_density(kPriorLnNoise, hyper.ln_noise) +
               log_density(kPriorLnB, hyper.ln_b);
  for (const double l : hyper.ln_l) sum += log_density(kPriorLnL, l);
  return sum;
}

GpHyper Gp::from_prior(Draws& draws) const {
  const auto draw = [&](const Normal& prior) { return prior.mean + prior.sd * draws.normal(); };
  GpHyper hyper;
  for (size_t a = 0; a < features_->axes(); ++a) hyper.ln_l.push_back(draw(kPriorLnL));
  hyper.ln_v = draw(kPriorLnV);
  hyper.ln_noise = draw(kPriorLnNoise);
  hyper.ln_b = draw(kPriorLnB);
  hyper.carry = std::clamp(draws.uniform(), kLeastCarry, 1 - kLeastCarry);
  return hyper;
}

GpHyper Gp::around(const GpHyper& best, Draws& draws) const {
  GpHyper hyper = best;
  for (double& l : hyper.ln_l) l += kNearLnL * draws.normal();
  hyper.ln_v += kNearLnV * draws.normal();
  hyper.ln_noise += kNearLnNoise * draws.normal();
  hyper.ln_b += kNearLnB * draws.normal();
  hyper.carry = std::clamp(hyper.carry + kNearCarry * draws.normal(), kLeastCarry, 1 - kLeastCarry);
  return hyper;
}

void Gp::predict(std::span<const PointId> points, LevelId level, std::span<double> mean,
                 std::span<double> variance) const {
  const size_t n = size(), columns = features_->columns();
  const double prior = signal_var_ + level_var_;
  std::vector<double> x(columns), tile(columns * kTile), k(std::max<size_t>(n, 1) * kTile);
  for (size_t begin = 0; begin < points.size(); begin += kTile) {
    const size_t width = std::min(kTile, points.size() - begin);
    for (size_t p = 0; p < width; ++p) {
      features_->encode(points[begin + p], x);
      for (size_t c = 0; c < columns; ++c) tile[c * kTile + p] = x[c] * scale_[c];
    }
    double sum[kTile] = {}, explained[kTile] = {};
    run<MaternTile>(static_cast<const double*>(scaled_.data()), stride_, n,
                    static_cast<const double*>(tile.data()), columns, k.data());
    for (size_t i = 0; i < n; ++i) {
      double* out = k.data() + i * kTile;
      const double share = signal_var_ * share_[level * levels_ + rows_.level[i]];
      const double shift = rows_.level[i] == level ? level_var_ : 0.0;
      for (size_t p = 0; p < kTile; ++p) {
        out[p] = share * out[p] + shift;
        sum[p] += alpha_[i] * out[p];
      }
    }
    if (n > 0) factor_.forward_tile(k.data());
    for (size_t i = 0; i < n; ++i)
      for (size_t p = 0; p < kTile; ++p) explained[p] += k[i * kTile + p] * k[i * kTile + p];
    for (size_t p = 0; p < width; ++p) {
      mean[begin + p] = sum[p];
      variance[begin + p] = std::max(prior - explained[p], 1e-10);
    }
  }
}

Posterior Gp::predict(PointId point, LevelId level) const {
  double mean = 0, variance = 0;
  predict({&point, 1}, level, {&mean, 1}, {&variance, 1});
  return {mean, std::sqrt(variance)};
}

double Gp::mean_at(std::span<const double> x, LevelId level) const {
  std::vector<double> scaled(x.size()), k(size());
  for (size_t c = 0; c < x.size(); ++c) scaled[c] = x[c] * scale_[c];
  covariances(scaled.data(), level, 0, size(), k.data());
  double sum = 0;
  for (size_t i = 0; i < size(); ++i) sum += alpha_[i] * k[i];
  return sum;
}

// With noise s on its diagonal, K = C + S and f(row k) has mean y_k - s_k alpha_k and variance
// s_k - s_k^2 (K^-1)_kk.
Posterior Gp::at_row(size_t k) const {
  const double s = noise_of(k);
  std::vector<double> unit(size(), 0.0);
  unit[k] = 1;
  factor_.forward(unit.data());
  double inverse = 0;
  for (size_t i = k; i < size(); ++i) inverse += unit[i] * unit[i];
  return {rows_.y[k] - s * alpha_[k], std::sqrt(std::max(s - s * s * inverse, 1e-10))};
}

std::vector<double> Gp::leave_one_out() const {
  std::vector<double> out = factor_.inverse_diagonal();
  for (size_t k = 0; k < out.size(); ++k) out[k] = alpha_[k] / out[k];
  return out;
}

}  // namespace mlq::tune
