#include "lib/arrival/law/zipf.h"

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"

namespace mlq::arrival {
namespace {

// The integral of x^-s from 1 to x; continuous in s at 1.
double power_integral(double x, double s) {
  const double log_x = fmath::log(x);
  const double t = (1 - s) * log_x;
  return std::fabs(t) < 1e-12 ? log_x * (1 + 0.5 * t) : log_x * (fmath::expm1(t) / t);
}

double inverse_power_integral(double y, double s) {
  const double t = std::max(y * (1 - s), -1.0 + 1e-16);
  return fmath::exp(std::fabs(t) < 1e-12 ? y * (1 - 0.5 * t) : y * (fmath::log1p(t) / t));
}

class Zipf final : public Law {
 public:
  Zipf(double s, uint64_t n)
      : s_(s),
        n_(static_cast<double>(n)),
        low_(power_integral(1.5, s) - 1),
        high_(power_integral(n_ + 0.5, s)),
        squeeze_(2 - inverse_power_integral(power_integral(2.5, s) - fmath::pow(2, -s), s)),
        total_(generalised_harmonic(n, s)) {}

  // Attempt j is draw j.
  double sample(const Draws& draws) const override {
    for (uint32_t j = 0;; ++j) {
      const double u = high_ + draws.at(j).a * (low_ - high_);
      const double x = inverse_power_integral(u, s_);
      const double k = std::clamp(std::floor(x + 0.5), 1.0, n_);
      if (k - x <= squeeze_ || u >= power_integral(k + 0.5, s_) - fmath::exp(-s_ * fmath::log(k))) return k;
    }
  }
  double cdf(double x) const override {
    if (x < 1) return 0;
    if (x >= n_) return 1;
    return generalised_harmonic(static_cast<uint64_t>(x), s_) / total_;
  }
  bool continuous() const override { return false; }
  double mean() const override { return generalised_harmonic(static_cast<uint64_t>(n_), s_ - 1) / total_; }
  double cv() const override {
    const double m = mean();
    return std::sqrt(generalised_harmonic(static_cast<uint64_t>(n_), s_ - 2) / total_ - m * m) / m;
  }

 private:
  double s_;
  double n_;
  double low_;
  double high_;
  double squeeze_;
  double total_;
};

}  // namespace

double generalised_harmonic(uint64_t n, double s) {
  constexpr uint64_t kDirect = 64;
  double sum = 0;
  const uint64_t direct = std::min(n, kDirect);
  for (uint64_t k = direct; k >= 1; --k) sum += fmath::pow(static_cast<double>(k), -s);
  if (n <= kDirect) return sum;
  const double a = kDirect;
  const auto b = static_cast<double>(n);
  const auto term = [s](double x) { return fmath::pow(x, -s); };
  // Sum over (a, b] = integral + (f(b) - f(a)) / 2 + (f'(b) - f'(a)) / 12 - (f'''(b) - f'''(a)) / 720 + ...
  const auto edge = [&](double x) {
    const double f = term(x);
    const double d1 = -s * f / x;
    const double d3 = d1 * (s + 1) * (s + 2) / (x * x);
    const double d5 = d3 * (s + 3) * (s + 4) / (x * x);
    return f / 2 + d1 / 12 - d3 / 720 + d5 / 30240;
  };
  return sum + (power_integral(b, s) - power_integral(a, s)) + (edge(b) - edge(a));
}

LawPtr zipf_law(double s, uint64_t n) {
  if (!(s > 0 && s <= 20))
    throw usage_error("s {} is out of range for zipf; it must be above 0 and at most 20", s);
  if (n < 1 || n > (uint64_t{1} << 53))
    throw usage_error("n {} is out of range for zipf; it must be from 1 to 2^53", n);
  return std::make_shared<Zipf>(s, n);
}

}  // namespace mlq::arrival
