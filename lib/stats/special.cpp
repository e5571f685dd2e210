#include "lib/stats/special.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/fmath.h"

namespace mlq::stats {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = 3.14159265358979323846;
constexpr double kTwoPi = 6.28318530717958647693;
constexpr double kHalfLogTwoPi = 0.918938533204672741780;
constexpr double kSqrtHalf = 0.707106781186547524401;
constexpr double kEpsilon = 0x1p-54;

// ln Gamma(a + 1) - [(a + 1/2) ln a - a + ln(2 pi) / 2]: the error of Stirling's formula, a > 0.
double stirling_error(double a) {
  if (a < 16) return fmath::lgamma(a + 1) - (a + 0.5) * fmath::log(a) + a - kHalfLogTwoPi;
  const double r = 1 / (a * a);
  return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - r / 1188) * r) * r) * r) / a;
}

// x ln(x / m) + m - x >= 0, without the cancellation near x = m.
double deviance(double x, double m) {
  const double difference = x - m;
  if (std::fabs(difference) > 0.3 * (x + m)) return x * fmath::log(x / m) + m - x;
  const double v = difference / (x + m);
  double sum = difference * v;
  double term = 2 * x * v;
  for (int j = 3;; j += 2) {
    term *= v * v;
    const double next = sum + term / j;
    if (next == sum) return sum;
    sum = next;
  }
}

// x^a e^-x / Gamma(a + 1), a > 0, x > 0.
double gamma_power(double a, double x) {
  if (a < 1) return fmath::exp(a * fmath::log(x) - x - fmath::lgamma(a + 1));
  return fmath::exp(-stirling_error(a) - deviance(a, x)) / std::sqrt(kTwoPi * a);
}

// x^a y^b / (a B(a, b)), y = 1 - x.
double beta_power(double a, double b, double x, double y) {
  const double n = a + b;
  if (a < 1 || b < 1) {
    const double log_beta = fmath::lgamma(a) + fmath::lgamma(b) - fmath::lgamma(n);
    return fmath::exp(a * fmath::log(x) + b * fmath::log(y) - log_beta) / a;
  }
  const double exponent =
      stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
  return fmath::exp(exponent) * std::sqrt(b / (kTwoPi * a * n));
}

// P(a, x) for x < a + 1.
double gamma_p_series(double a, double x) {
  double term = 1;
  double sum = 1;
  for (double k = a + 1; term > sum * kEpsilon; k += 1) {
    term *= x / k;
    sum += term;
  }
  return gamma_power(a, x) * sum;
}

// Evaluates b0 + a1/(b1 + a2/(b2 + ...)) by the modified method of Lentz (Thompson and Barnett 1986).
class ContinuedFraction {
 public:
  explicit ContinuedFraction(double b0) : value_(b0 == 0 ? kTiny : b0), c_(value_) {}
  // Takes the next pair (a, b); returns false when the value has settled.
  bool step(double a, double b) {
    d_ = b + a * d_;
    c_ = b + a / c_;
    d_ = 1 / (d_ == 0 ? kTiny : d_);
    if (c_ == 0) c_ = kTiny;
    const double ratio = c_ * d_;
    value_ *= ratio;
    return std::fabs(ratio - 1) > 0x1p-52;
  }
  double value() const { return value_; }

 private:
  static constexpr double kTiny = 1e-300;
  double value_;
  double c_;
  double d_ = 0;
};

// Q(a, x) for x >= a + 1.
double gamma_q_fraction(double a, double x) {
  ContinuedFraction fraction(x + 1 - a);
  for (double k = 1; fraction.step(k * (a - k), x + 1 - a + 2 * k);) k += 1;
  return gamma_power(a, x) * a / fraction.value();
}

// I_x(a, b) for x <= (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x, double y) {
  ContinuedFraction fraction(1);
  for (double m = 0;; m += 1) {
    if (!fraction.step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1)) break;
    const double k = m + 1;
    if (!fraction.step(k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)), 1)) break;
  }
  return beta_power(a, b, x, y) / fraction.value();
}

// y = 1 - x is given by the caller, who may know it better than the subtraction does.
double beta_inc(double a, double b, double x, double y) {
  if (x == 0) return 0;
  if (y == 0) return 1;
  if (x <= (a + 1) / (a + b + 2)) return beta_fraction(a, b, x, y);
  return 1 - beta_fraction(b, a, y, x);
}

}  // namespace

double gamma_p(double a, double x) {
  if (!(a > 0) || !(x >= 0)) return kNaN;
  if (x == 0) return 0;
  if (std::isinf(x)) return 1;
  return x < a + 1 ? gamma_p_series(a, x) : 1 - gamma_q_fraction(a, x);
}

double gamma_q(double a, double x) {
  if (!(a > 0) || !(x >= 0)) return kNaN;
  if (x == 0) return 1;
  if (std::isinf(x)) return 0;
  return x < a + 1 ? 1 - gamma_p_series(a, x) : gamma_q_fraction(a, x);
}

double chi_square_cdf(double x, double df) { return gamma_p(df / 2, x / 2); }

double chi_square_sf(double x, double df) { return gamma_q(df / 2, x / 2); }

double chi_square_quantile(double p, double df) {
  if (!(p > 0 && p < 1) || !(df > 0)) return kNaN;
  const double a = df / 2;
  const double spread = 2 / (9 * df);  // Wilson and Hilferty (1931) give the first guess
  const double root = 1 - spread + fmath::normal_quantile(p) * std::sqrt(spread);
  double x = root > 0.1 ? a * root * root * root : fmath::exp((fmath::log(p) + fmath::lgamma(a + 1)) / a);
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  for (int step = 0; step < 200; ++step) {
    const double miss = p < 0.5 ? gamma_p(a, x) - p : (1 - p) - gamma_q(a, x);
    (miss < 0 ? low : high) = x;
    double next = x - miss * x / (a * gamma_power(a, x));  // Newton
    if (!(next > low && next < high)) next = std::isinf(high) ? 2 * x : low + (high - low) / 2;
    const bool settled = std::fabs(next - x) <= 0x1p-50 * x;
    x = next;
    if (settled) break;
  }
  return 2 * x;
}

double poisson_cdf(uint64_t k, double mean) { return gamma_q(static_cast<double>(k) + 1, mean); }

double beta_inc(double a, double b, double x) {
  if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) return kNaN;
  return beta_inc(a, b, x, 1 - x);
}

double binomial_cdf(uint64_t k, uint64_t n, double p) {
  if (!(p >= 0 && p <= 1)) return kNaN;
  if (k >= n) return 1;
  return beta_inc(static_cast<double>(n - k), static_cast<double>(k) + 1, 1 - p, p);
}

double normal_cdf(double x) { return 0.5 * fmath::erfc(-x * kSqrtHalf); }

double normal_sf(double x) { return 0.5 * fmath::erfc(x * kSqrtHalf); }

double kolmogorov_q(double lambda) {
  if (std::isnan(lambda)) return kNaN;
  if (lambda < 0.04) return 1;  // 1 - Q is below 1e-300
  if (lambda < 1) {             // the same sum after Poisson's formula: converges where the other does not
    const double x = kPi * kPi / (8 * lambda * lambda);
    double sum = 0;
    for (int j = 1; j <= 9; j += 2) sum += fmath::exp(-x * j * j);
    return 1 - std::sqrt(kTwoPi) / lambda * sum;
  }
  double sum = 0;
  for (int j = 6; j >= 1; --j) sum = fmath::exp(-2.0 * j * j * lambda * lambda) - sum;
  return 2 * sum;
}

namespace {

// Integral over w >= 0 of exp(z / (8 (w^2 + 1)) - c w^2). The integrand is even and analytic for |Im w| < 1,
// so the trapezoidal rule converges like exp(-2 pi / step).
double anderson_darling_integral(double z, double c) {
  const double step = 0.0625;
  double sum = 0.5 * fmath::exp(z / 8);
  for (double w = step;; w += step) {
    const double term = fmath::exp(z / (8 * (w * w + 1)) - c * w * w);
    sum += term;
    if (term < 1e-18 * sum) return sum * step;
  }
}

double anderson_darling_limit_cdf(double z) {
  double weight = 1;  // binomial(-1/2, j)
  double sum = 0;
  for (int j = 0; j < 200; ++j) {
    const double odd = 4 * j + 1;
    const double c = odd * odd * kPi * kPi / (8 * z);
    if (c > 60) break;
    sum += weight * odd * fmath::exp(-c) * anderson_darling_integral(z, c);
    weight *= -(j + 0.5) / (j + 1);
  }
  return std::sqrt(kTwoPi) / z * sum;
}

double upper_fix(double x) {
  return -130.2137 + (745.2337 - (1705.091 - (1950.646 - (1116.360 - 255.7844 * x) * x) * x) * x) * x;
}

// What to add to the limit's x = P(A^2 <= z) for n observations (Marsaglia and Marsaglia 2004, section 3).
double anderson_darling_fix(double n, double x) {
  // Their fit is -0.0006 / n at x = 1 where the truth is 0; the slope below takes that away, so that far
  // tails stay small.
  if (x > 0.8) return (upper_fix(x) - upper_fix(1) * (x - 0.8) / 0.2) / n;
  const double c = 0.01265 + 0.1757 / n;
  if (x < c) {
    const double v = x / c;
    return std::sqrt(v) * (1 - v) * (49 * v - 102) * (0.0037 / (n * n) + 0.00078 / n + 0.00006) / n;
  }
  const double v = (x - c) / (0.8 - c);
  const double fit = -0.00022633 + (6.54034 - (14.6538 - (14.458 - (8.259 - 1.91864 * v) * v) * v) * v) * v;
  return fit * (0.04213 + 0.01365 / n) / n;
}

}  // namespace

double anderson_darling_sf(double a2, uint64_t n) {
  if (std::isnan(a2)) return kNaN;
  if (a2 < 0.02) return 1;
  if (a2 > 40) return 0;
  const double x = std::clamp(anderson_darling_limit_cdf(a2), 0.0, 1.0);
  const double fix = n == 0 ? 0 : anderson_darling_fix(static_cast<double>(n), x);
  return std::clamp(1 - x - fix, 0.0, 1.0);
}

}  // namespace mlq::stats
