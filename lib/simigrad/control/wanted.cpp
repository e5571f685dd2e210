#include "lib/simigrad/control/wanted.h"

#include <algorithm>
#include <cmath>

#include "lib/simigrad/control/published.h"

namespace mlq::simigrad {
namespace {

// The batch that belongs to a noise scale.
double batch_at(const ControlOptions& o, double b_simple) {
  if (o.controller == Controller::sqrt_noise) return std::sqrt(o.step_cost * b_simple);
  return o.target->kappa() * b_simple;
}

std::optional<double> by_noise_scale(const ControlOptions& o, const Evidence& e) {
  if (e.signal.a > 0) return batch_at(o, e.signal.b_simple());
  if (!e.signal.has_interval || std::isnan(e.signal.interval.lo)) return std::nullopt;
  const double least = batch_at(o, e.signal.interval.lo);
  return least > static_cast<double>(e.batch) ? std::optional(least) : std::nullopt;
}

std::optional<double> by_norm_test(const ControlOptions& o, const Evidence& e) {
  const double present = static_cast<double>(e.batch);
  if (o.unbiased) {
    const auto wanted = by_noise_scale(o, e);
    return wanted ? std::optional(std::max(present, std::ceil(*wanted))) : std::nullopt;
  }
  const double theta = o.target->theta();
  if (!(e.observation.mean_norm_sq > 0)) return std::nullopt;
  return std::max(present, std::ceil(e.observation.s / (theta * theta * e.observation.mean_norm_sq)));
}

}  // namespace

std::optional<double> wanted_batch(const ControlOptions& o, const Evidence& e) {
  switch (o.controller) {
    case Controller::simigrad:
      if (!std::isfinite(e.cos)) return std::nullopt;
      return static_cast<double>(published_step(e.batch, e.cos, o.target->gamma(), o.gain));
    case Controller::ratio:
    case Controller::sqrt_noise:
      return by_noise_scale(o, e);
    case Controller::normtest:
      return by_norm_test(o, e);
    default:
      return static_cast<double>(o.batch);
  }
}

std::optional<RatioInterval> wanted_interval(const ControlOptions& o, const Signal& signal) {
  const bool by_noise = o.controller == Controller::ratio || o.controller == Controller::sqrt_noise ||
                        (o.controller == Controller::normtest && o.unbiased);
  if (!by_noise || !signal.has_interval || std::isnan(signal.interval.lo)) return std::nullopt;
  return RatioInterval{batch_at(o, signal.interval.lo), batch_at(o, signal.interval.hi)};
}

}  // namespace mlq::simigrad
