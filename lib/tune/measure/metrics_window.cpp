#include "lib/tune/measure/metrics_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/stats/batch_means.h"
#include "lib/stats/quantile.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

constexpr size_t kGroups = 10;
constexpr size_t kLeastGroups = 3;
constexpr double kMostNs = 0x1p61;  // beyond a century nothing is meant

std::optional<int64_t> rounded(std::optional<double> ns) {
  if (!ns || !std::isfinite(*ns)) return std::nullopt;
  return static_cast<int64_t>(std::min(*ns, kMostNs) + 0.5);
}

uint64_t whole_number(double count) { return static_cast<uint64_t>(std::min(count, 0x1p53) + 0.5); }

void add(MetricState& to, const MetricState& more) {
  if (to.buckets.empty()) to.buckets.resize(more.buckets.size());
  for (size_t k = 0; k < more.buckets.size(); ++k) {
    to.buckets[k].le_ns = more.buckets[k].le_ns;
    to.buckets[k].count += more.buckets[k].count;
  }
  to.latency_sum_ns += more.latency_sum_ns;
  to.count += more.count;
}

double total(const MetricState& counts) {
  return counts.is_histogram() ? counts.buckets.back().count : counts.count;
}

// The statistic that the objective names.
std::optional<double> statistic(const MetricState& counts, const Objective& objective) {
  if (total(counts) <= 0) return std::nullopt;
  if (objective.quantile()) {
    const auto q = bucket_quantile(counts, *objective.quantile());
    return q ? std::optional(q->at_ns) : std::nullopt;
  }
  return counts.latency_sum_ns / total(counts);
}

std::optional<double> variance_between(std::span<const MetricState> parts, const Objective& objective) {
  const size_t groups = std::min(kGroups, parts.size());
  if (groups < kLeastGroups) return std::nullopt;
  std::vector<double> logs;
  for (size_t g = 0; g < groups; ++g) {
    const stats::Batch batch = stats::batch_of(parts.size(), g, groups);
    MetricState group;
    for (size_t k = batch.first; k < batch.last; ++k) add(group, parts[k]);
    const auto stat = statistic(group, objective);
    if (stat && *stat > 0) logs.push_back(fmath::log(*stat));
  }
  if (logs.size() < kLeastGroups) return std::nullopt;
  const double sd = stats::mean_interval(logs).sd;
  return sd * sd / static_cast<double>(logs.size());
}

// The limit that a request's latency has, and whether requests can be judged by it at all.
std::optional<double> latency_limit(const Objective& objective) {
  std::optional<double> limit;
  for (const stats::SloTerm& term : objective.request_terms()) {
    if (term.kind != stats::SloKind::request) continue;
    if (term.metric != stats::SloMetric::latency || term.op == stats::SloOp::ge ||
        term.op == stats::SloOp::gt)
      return std::nullopt;
    const auto ns = static_cast<double>(term.limit_ns);
    limit = limit ? std::min(*limit, ns) : ns;
  }
  return limit ? limit : std::optional(std::numeric_limits<double>::infinity());
}

void describe_shares(const MetricState& whole, int64_t window_ns, const Objective& objective, Window& out) {
  const auto limit = latency_limit(objective);
  if (!limit || out.requests == 0) return;
  if (std::isfinite(*limit) && !whole.is_histogram()) return;
  const double within = std::isfinite(*limit) ? count_within(whole, *limit) : whole.count;
  const uint64_t good = std::min(whole_number(within), out.requests);
  out.judged = out.requests;
  out.over = out.requests - good;
  out.attain = static_cast<double>(good) / static_cast<double>(out.requests);
  const auto interval = stats::wilson_interval(good, out.requests);
  out.attain_lo = interval.lo;
  out.attain_hi = interval.hi;
  out.good_per_s = static_cast<double>(good) * 1e9 / static_cast<double>(window_ns);
}

void describe_statistic(const MetricState& whole, std::span<const MetricState> parts,
                        const Objective& objective, Window& out) {
  out.stat_ns = statistic(whole, objective);
  if (!out.stat_ns || !(*out.stat_ns > 0)) return;
  const std::optional<double> between = variance_between(parts, objective);
  double lo = *out.stat_ns, hi = *out.stat_ns, grid = 0;
  if (objective.quantile()) {
    const BucketQuantile q = *bucket_quantile(whole, *objective.quantile());
    lo = q.lo_ns;
    hi = q.hi_ns;
    out.stat_is_bound = std::isinf(hi);
    const double width = out.stat_is_bound ? 0 : fmath::log(hi) - fmath::log(lo);
    grid = width * width / 12;
  }
  if (!between) return;
  out.y_var = *between + grid;
  const double t = stats::student_quantile(0.975, static_cast<double>(std::min(kGroups, parts.size()) - 1));
  const double factor = fmath::exp(t * std::sqrt(*between));
  out.stat_lo_ns = rounded(lo / factor);
  out.stat_hi_ns = rounded(hi * factor);
}

}  // namespace

std::optional<MetricState> added(const MetricState& before, const MetricState& after) {
  // A histogram that nothing was counted in yet has no buckets.
  const bool first = before.buckets.empty() && before.count == 0;
  if (!first && before.buckets.size() != after.buckets.size()) return std::nullopt;
  MetricState out = after;
  const auto fell = [](double a, double b) { return b < a; };
  for (size_t k = 0; !first && k < after.buckets.size(); ++k) {
    if (before.buckets[k].le_ns != after.buckets[k].le_ns ||
        fell(before.buckets[k].count, after.buckets[k].count))
      return std::nullopt;
    out.buckets[k].count -= before.buckets[k].count;
  }
  // Sums of floats may lose a last digit on their way.
  const double sum_slack = 1e-9 * before.latency_sum_ns;
  if (fell(before.latency_sum_ns, after.latency_sum_ns + sum_slack) || fell(before.count, after.count) ||
      fell(before.errors, after.errors) || fell(before.other_count, after.other_count) ||
      fell(before.cpu_s, after.cpu_s + 1e-9 * before.cpu_s))
    return std::nullopt;
  out.latency_sum_ns = std::max(0.0, after.latency_sum_ns - before.latency_sum_ns);
  out.count -= before.count;
  out.errors -= before.errors;
  out.other_count -= before.other_count;
  out.cpu_s = std::max(0.0, after.cpu_s - before.cpu_s);
  return out;
}

std::optional<BucketQuantile> bucket_quantile(const MetricState& counts, double q) {
  const auto& buckets = counts.buckets;
  if (buckets.empty() || buckets.back().count <= 0) return std::nullopt;
  const double rank = q * buckets.back().count;
  size_t k = 0;
  while (k + 1 < buckets.size() && buckets[k].count < rank) ++k;
  const double below = k > 0 ? buckets[k - 1].count : 0;
  const double hi = buckets[k].le_ns;
  double lo = k > 0 ? buckets[k - 1].le_ns : 0;
  if (std::isinf(hi)) return BucketQuantile{lo, lo, hi};
  if (!(hi > 0)) return BucketQuantile{0, 0, 0};
  if (!(lo > 0)) {
    const double next = k + 1 < buckets.size() ? buckets[k + 1].le_ns : hi;
    lo = std::isfinite(next) && next > hi ? hi * hi / next : hi / 2;
  }
  const double inside = buckets[k].count - below;
  const double share = inside > 0 ? (rank - below) / inside : 1;
  return BucketQuantile{fmath::exp(fmath::log(lo) + share * (fmath::log(hi) - fmath::log(lo))), lo, hi};
}

double count_within(const MetricState& counts, double limit_ns) {
  const auto& buckets = counts.buckets;
  double below = 0, lo = 0;
  for (size_t k = 0; k < buckets.size(); ++k) {
    const auto& bucket = buckets[k];
    if (bucket.le_ns <= limit_ns) {
      below = bucket.count;
      lo = bucket.le_ns;
      continue;
    }
    // Of the last bucket, and of what has no logarithm, nothing more is known to be within.
    if (std::isinf(bucket.le_ns) || !(lo > 0) || !(limit_ns > lo)) return below;
    const double share = fmath::log(limit_ns / lo) / fmath::log(bucket.le_ns / lo);
    return below + share * (bucket.count - below);
  }
  return below;
}

void describe_metrics(const MetricState& whole, std::span<const MetricState> parts, int64_t window_ns,
                      const Objective& objective, const MetricQuery& query, Window& out) {
  out.window_ns = window_ns;
  out.ok = whole_number(whole.count);
  out.errors = whole_number(whole.errors);
  out.requests = out.ok + out.errors;
  if (whole.other_count > 0) out.discarded = whole_number(whole.other_count);
  if (!query.inflight.empty()) {
    out.inflight = whole_number(std::max(whole.inflight, 0.0));
    out.inflight_mean = whole.inflight;
  }
  if (out.requests == 0 || window_ns <= 0) {
    out.note = "the metrics saw no request";
    return;
  }
  const double per_s = 1e9 / static_cast<double>(window_ns);
  out.rate_per_s = (whole.count + whole.errors + whole.other_count) * per_s;
  out.done_per_s = (whole.count + whole.errors) * per_s;
  if (total(whole) > 0) out.latency_mean_ns = rounded(whole.latency_sum_ns / total(whole));
  const auto quantile = [&](double q) -> std::optional<int64_t> {
    const auto found = bucket_quantile(whole, q);
    return found && std::isfinite(found->hi_ns) ? rounded(found->at_ns) : std::nullopt;
  };
  out.latency_p50_ns = quantile(0.5);
  out.latency_p95_ns = quantile(0.95);
  out.latency_p99_ns = quantile(0.99);
  if (whole.is_histogram() && !out.latency_p99_ns)
    out.note = "quantiles lie above the last bucket's bound, so they are unknown";
  if (!query.cpu.empty())
    out.cpu_ns_per_request = rounded(whole.cpu_s * 1e9 / static_cast<double>(out.requests));
  describe_shares(whole, window_ns, objective, out);
  describe_statistic(whole, parts, objective, out);
}

}  // namespace mlq::tune
