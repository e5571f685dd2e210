#include "lib/tune/learn/acquisition.h"

#include <algorithm>

#include "lib/base/fmath.h"
#include "lib/stats/special.h"

namespace mlq::tune {
namespace {

constexpr double kInvSqrt2Pi = 0.3989422804014327;
constexpr unsigned long kRowsForTau = 10;

}  // namespace

double expected_improvement(double mean, double sd, double best) {
  if (!(sd > 0)) return std::max(0.0, best - mean);
  const double z = (best - mean) / sd;
  const double density = kInvSqrt2Pi * fmath::exp(-0.5 * z * z);
  // Far below, z Phi(z) and phi(z) cancel: Phi(z) = phi(z) / |z| (1 - 1/z^2 + 3/z^4 - ...), which leaves
  // phi(z) / z^2 (1 - 3 / z^2 + 15 / z^4 - ...).
  if (z < -20) {
    const double w = 1 / (z * z);
    return sd * density * w * (1 - 3 * w * (1 - 5 * w));
  }
  return std::max(0.0, sd * (z * stats::normal_cdf(z) + density));
}

double probability_below(double mean, double sd, double limit) {
  if (!(sd > 0)) return mean <= limit ? 1 : 0;
  return stats::normal_cdf((limit - mean) / sd);
}

double blended_value(double n, double observed, double estimate, double tau) {
  return n > 0 ? (n * observed + tau * estimate) / (n + tau) : estimate;
}

double blend_tau(double noise_var, const double* residuals, unsigned long count) {
  if (count < kRowsForTau) return 1;
  double square = 0;
  for (unsigned long k = 0; k < count; ++k) square += residuals[k] * residuals[k];
  const double error = square / static_cast<double>(count) - noise_var;
  return std::clamp(noise_var / std::max(error, 1e-12), 0.01, 100.0);
}

}  // namespace mlq::tune
