#include "lib/tune/measure/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/base/fmath.h"
#include "lib/stats/batch_means.h"
#include "lib/stats/censored.h"
#include "lib/stats/quantile.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

using Kind = Sample::Kind;

constexpr size_t kBatches = 10;
constexpr size_t kLeastForBatches = 2 * kBatches;
constexpr double kLeastStat = 1;  // ns; so that there is a logarithm

bool has_bound(const Sample& s) { return s.kind == Kind::censored || s.kind == Kind::pending; }
bool has_latency(const Sample& s) { return s.kind == Kind::ok || has_bound(s); }
bool counts(const Sample& s) { return s.kind != Kind::discarded; }

// The least limit that a request's latency has: in flight for longer, it has missed the objective.
int64_t least_limit(const Objective& objective) {
  int64_t limit = INT64_MAX;
  for (const stats::SloTerm& term : objective.request_terms()) {
    const bool above = term.op == stats::SloOp::le || term.op == stats::SloOp::lt;
    if (term.kind == stats::SloKind::request && term.metric == stats::SloMetric::latency && above)
      limit = std::min(limit, term.limit_ns);
  }
  return limit;
}

void count(std::span<const Sample> samples, Window& out) {
  out.requests = out.ok = out.errors = out.censored = out.dropped = 0;
  uint64_t pending = 0, discarded = 0;
  for (const Sample& s : samples) {
    out.requests += counts(s) ? 1 : 0;
    out.ok += s.kind == Kind::ok ? 1 : 0;
    out.errors += s.kind == Kind::error ? 1 : 0;
    out.censored += s.kind == Kind::censored ? 1 : 0;
    out.dropped += s.kind == Kind::dropped ? 1 : 0;
    pending += s.kind == Kind::pending ? 1 : 0;
    discarded += s.kind == Kind::discarded ? 1 : 0;
  }
  out.inflight = pending;
  if (discarded > 0) out.discarded = discarded;
}

void describe_load(std::span<const Sample> samples, const Extent& extent, Window& out) {
  if (extent.window_ns <= 0) return;
  const double span_s = static_cast<double>(extent.window_ns) / 1e9;
  const double answer_s = static_cast<double>(extent.window_ns + extent.drain_ns) / 1e9;
  out.rate_per_s = static_cast<double>(samples.size()) / span_s;
  if (samples.size() >= 3) out.cv2 = gap_cv2([&](uint64_t k) { return samples[k].due_ns; }, samples.size());
  uint64_t good = 0;
  stats::Sum in_flight;
  for (const Sample& s : samples) {
    good += counts(s) && s.good ? 1 : 0;
    if (has_latency(s)) in_flight += static_cast<double>(s.latency_ns) / 1e9;
  }
  out.done_per_s = static_cast<double>(out.ok + out.errors) / answer_s;
  out.good_per_s = static_cast<double>(good) / answer_s;
  out.inflight_mean = in_flight.value() / answer_s;
}

// Shares of what can be judged already.
void judge(std::span<const Sample> samples, size_t step, int64_t limit_ns, Window& out) {
  std::vector<double> over;
  for (size_t k = 0; k < samples.size(); k += step) {
    const Sample& s = samples[k];
    if (!counts(s) || (s.kind == Kind::pending && s.latency_ns <= limit_ns)) continue;
    over.push_back(s.kind != Kind::pending && s.good ? 0 : 1);
  }
  out.judged = over.size();
  out.over = static_cast<uint64_t>(std::count(over.begin(), over.end(), 1.0));
  if (out.judged == 0) return;
  out.correlation = stats::autocorrelation_time(over);
  const uint64_t good = out.judged - out.over;
  const stats::Interval interval = stats::wilson_interval(good, out.judged);
  out.attain = static_cast<double>(good) / static_cast<double>(out.judged);
  out.attain_lo = interval.lo;
  out.attain_hi = interval.hi;
}

// Latencies and bounds, in order of the due times.
std::vector<const Sample*> with_latency(std::span<const Sample> samples, size_t step) {
  std::vector<const Sample*> out;
  for (size_t k = 0; k < samples.size(); k += step) {
    if (has_latency(samples[k])) out.push_back(&samples[k]);
  }
  return out;
}

// The statistic, with bounds in place of values that are not known.
double plain_statistic(std::span<const Sample* const> samples, const std::optional<Ratio>& q,
                       std::vector<int64_t>& scratch) {
  if (!q) {
    stats::Sum sum;
    for (const Sample* s : samples) sum += static_cast<double>(s->latency_ns);
    return std::max(sum.value() / static_cast<double>(samples.size()), kLeastStat);
  }
  scratch.clear();
  for (const Sample* s : samples) scratch.push_back(s->latency_ns);
  const auto at = scratch.begin() + static_cast<ptrdiff_t>(stats::nearest_rank(*q, scratch.size()) - 1);
  std::nth_element(scratch.begin(), at, scratch.end());
  return std::max(static_cast<double>(*at), kLeastStat);
}

void batch(std::span<const Sample* const> samples, const std::optional<Ratio>& q, Window& out) {
  if (samples.size() < kLeastForBatches || !out.stat_ns) return;
  std::array<double, kBatches> logs{};
  std::vector<int64_t> scratch;
  for (size_t b = 0; b < kBatches; ++b) {
    const stats::Batch part = stats::batch_of(samples.size(), b, kBatches);
    logs[b] = fmath::log(plain_statistic(samples.subspan(part.first, part.last - part.first), q, scratch));
  }
  const double sd = stats::mean_interval(logs).sd;
  out.y_var = sd * sd / kBatches;
  static const double t = stats::student_quantile(0.975, kBatches - 1);
  const double half = t * std::sqrt(*out.y_var);
  // Beyond a century nothing is meant.
  const auto bounded = [](double ns) { return static_cast<int64_t>(std::min(ns, 0x1p61)); };
  out.stat_lo_ns = bounded(*out.stat_ns * fmath::exp(-half));
  if (!out.stat_is_bound) out.stat_hi_ns = bounded(*out.stat_ns * fmath::exp(half));
}

void describe_latency(std::span<const Sample> samples, size_t step, const Objective& objective, Window& out) {
  stats::Histogram values, bounds;
  uint64_t beyond = 0;
  const std::vector<const Sample*> known = with_latency(samples, step);
  for (const Sample* s : known) (has_bound(*s) ? bounds : values).record(std::max<int64_t>(s->latency_ns, 0));
  for (size_t k = 0; k < samples.size(); k += step) beyond += samples[k].kind == Kind::dropped ? 1 : 0;
  if (known.empty()) {
    out.note = "no request was answered without an error";
    return;
  }
  const stats::CensoredSample sample(values, bounds, beyond);
  out.latency_p50_ns = sample.quantile({1, 2});
  out.latency_p95_ns = sample.quantile({19, 20});
  out.latency_p99_ns = sample.quantile({99, 100});
  if (sample.unknown() == 0) {
    out.latency_mean_ns = static_cast<int64_t>(*values.mean() + 0.5);
  } else {
    out.note =
        fmt::format("{} of {} requests went unanswered, so {} unknown", sample.unknown(), sample.count(),
                    out.latency_p99_ns ? "the mean is" : "the mean and the highest quantiles are");
  }
  std::vector<int64_t> scratch;
  const std::optional<Ratio> q = objective.quantile_ratio();
  const auto exact = q ? sample.quantile(*q) : out.latency_mean_ns;
  out.stat_is_bound = !exact;
  out.stat_ns =
      exact ? std::max(static_cast<double>(*exact), kLeastStat) : plain_statistic(known, q, scratch);
  batch(known, q, out);
}

}  // namespace

void tally(std::span<const Sample> samples, const Extent& extent, const Objective& objective, Window& out,
           size_t most) {
  const size_t step = most == SIZE_MAX ? 1 : (samples.size() + most - 1) / std::max<size_t>(most, 1);
  out.window_ns = extent.window_ns;
  count(samples, out);
  describe_load(samples, extent, out);
  judge(samples, std::max<size_t>(step, 1), least_limit(objective), out);
  describe_latency(samples, std::max<size_t>(step, 1), objective, out);
}

double slope_per_s(std::span<const double> values, int64_t step_ns) {
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2 || step_ns <= 0) return 0;
  stats::Sum products;
  for (size_t k = 0; k < values.size(); ++k) products += (static_cast<double>(k) - (n - 1) / 2) * values[k];
  const double per_step = products.value() * 12 / (n * (n * n - 1));
  return per_step * 1e9 / static_cast<double>(step_ns);
}

}  // namespace mlq::tune
