#include "lib/simigrad/estimate/target.h"

#include <cmath>

#include "lib/base/error.h"

namespace mlq::simigrad {
namespace {

double above_zero(double value) {
  if (!(value > 0 && std::isfinite(value))) throw usage_error("{} must be above 0", value);
  return value;
}

}  // namespace

Target Target::of_gamma(double gamma) {
  if (!(gamma > 0 && gamma < 1)) throw usage_error("{} must be above 0 and below 1", gamma);
  const double kappa = 2 * gamma / (1 - gamma);
  return {gamma, 1 / std::sqrt(kappa), kappa};
}

Target Target::of_theta(double theta) {
  const double square = above_zero(theta) * theta;
  return {1 / (1 + 2 * square), theta, 1 / square};
}

Target Target::of_kappa(double kappa) {
  return {above_zero(kappa) / (2 + kappa), 1 / std::sqrt(kappa), kappa};
}

}  // namespace mlq::simigrad
