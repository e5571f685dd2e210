#include "lib/simigrad/estimate/estimator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/stats/student.h"

namespace mlq::simigrad {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Null in a record: what is not finite.
double or_null(double value) { return std::isfinite(value) ? value : kNone; }

// E[cos] of two halves of `batch` samples at a noise scale.
double rho_of(double b_simple, double batch) { return 1 / (1 + 2 * b_simple / batch); }

}  // namespace

double Signal::b_simple() const { return a > 0 ? s / a : kNone; }

double Signal::rho(double batch) const {
  const double both = a + 2 * s / batch;
  return both > 0 ? a / both : kNone;
}

double Signal::gain(double batch, double base) const {
  const double signal = std::max(a, 0.0);
  const double noise = signal + s / batch;
  return noise > 0 ? (signal + s / base) / noise : 1;
}

void Estimator::add(const Observation& observation) {
  if (observation.valid()) window_.push(observation);
}

double Estimator::quantile(double n_eff) const {
  if (n_eff != quantile_of_) {
    quantile_ = stats::student_quantile((1 + options_.confidence) / 2, n_eff - 1);
    quantile_of_ = n_eff;
  }
  return quantile_;
}

Signal Estimator::signal() const {
  const Moments m = moments(window_.points());
  Signal signal;
  signal.points = m.points;
  signal.a = m.a;
  signal.s = m.s;
  signal.n_eff = m.n_eff;
  signal.d_eff = m.d_eff;
  signal.has_interval = m.points >= 2 && m.n_eff > 1;
  if (signal.has_interval) signal.interval = fieller(m, quantile(m.n_eff));
  return signal;
}

bool Estimator::near_copies(const Observation& o, const Signal& before) const {
  return o.valid() && o.cos > 0.999 &&
         static_cast<double>(o.batch_samples) / static_cast<double>(o.groups) < 0.01 * before.b_simple();
}

records::Estimate estimate_record(const Observation& o, const Signal& signal, const EstimatorOptions& options,
                                  std::optional<uint64_t> base_batch) {
  records::Estimate r;
  r.step = o.step;
  r.batch_samples = o.batch_samples;
  r.groups = o.groups;
  if (o.incarnation > 0) r.incarnation = o.incarnation;
  r.status = !o.valid() ? "skipped" : signal.has_interval ? "ok" : "warming";
  r.cos = or_null(o.cos);
  if (!o.note.empty()) r.note = o.note;
  if (signal.points == 0) return r;
  const double batch = static_cast<double>(o.batch_samples);
  const double b_simple = signal.b_simple();
  r.grad_sq = or_null(signal.a);
  r.trace_cov = or_null(signal.s);
  r.rho = or_null(signal.rho(batch));
  r.b_simple_samples = or_null(b_simple);
  r.n_eff = signal.n_eff;
  r.d_eff = or_null(signal.d_eff);
  if (signal.has_interval) {
    const RatioInterval& i = signal.interval;
    r.confidence = options.confidence;
    r.b_simple_lo_samples = or_null(i.lo);
    r.b_simple_hi_samples = or_null(i.hi);
    r.rho_lo = or_null(rho_of(i.hi, batch));
    r.rho_hi = or_null(rho_of(i.lo, batch));
    if (!r.note && std::isnan(i.lo))
      r.note = "signal is negative beyond its noise: the groups are not independent";
    if (!r.note && std::isinf(i.hi)) r.note = "signal not distinguishable from zero";
  }
  if (signal.a > 0) {
    const double population = static_cast<double>(options.observation.population);
    r.theta = std::sqrt(b_simple / batch);
    r.diversity = (1 + b_simple) / (population > 0 ? 1 + b_simple / population : 1);
  } else if (!r.note) {
    r.note = "signal not distinguishable from zero";
  }
  if (base_batch) {
    const double base = static_cast<double>(*base_batch);
    r.gain = signal.gain(batch, base);
    if (signal.a > 0) r.efficiency = (b_simple + base) / (b_simple + batch);
  }
  return r;
}

}  // namespace mlq::simigrad
