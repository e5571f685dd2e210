#include "lib/tune/measure/prometheus_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/tune/measure/metrics_window.h"
#include "lib/tune/measure/tally.h"

namespace mlq::tune {
namespace {

constexpr int kMostMissed = 3;
constexpr int64_t kJump = 1'000'000'000;
constexpr int64_t kLongestWait = 50'000'000;  // a request to stop is looked at no less often
constexpr size_t kMostParts = 4096;

}  // namespace

PrometheusSource::PrometheusSource(PrometheusOptions options, Objective objective, const Clock& clock,
                                   Fetch fetch, WaitUntil wait)
    : options_(std::move(options)),
      objective_(std::move(objective)),
      clock_(clock),
      fetch_(std::move(fetch)),
      wait_(std::move(wait)) {
  const std::optional<std::string> text = fetch_();
  if (!text) {
    throw environment_error("{}: the metrics cannot be read; is the server up, and the URL right?",
                            options_.where);
  }
  const MetricState state = read_metrics(*text, options_.where, options_.query, {});
  if (objective_.quantile() && !state.is_histogram()) {
    throw input_error(
        "{}: metric {}_bucket is not there: {} is no histogram, so there is a mean and no quantile; say "
        "mean(latency) in --slo, or name a histogram as \"latency\"",
        options_.where, options_.query.latency, options_.query.latency);
  }
}

std::optional<MetricState> PrometheusSource::look(std::string_view gen) {
  const std::optional<std::string> text = fetch_();
  if (!text) {
    fault_ = "no answer";
    return std::nullopt;
  }
  try {
    return read_metrics(*text, options_.where, options_.query, gen);
  } catch (const Error& error) {
    fault_ = error.what();
    return std::nullopt;
  }
}

bool PrometheusSource::wait_until(int64_t ns, const StopFlag& stop, bool& jumped) {
  for (int64_t now = clock_.now_ns(); now < ns; now = clock_.now_ns()) {
    if (stop) return false;
    const int64_t until = std::min(ns, now + kLongestWait);
    wait_(until);
    if (clock_.now_ns() - until > kJump) jumped = true;
  }
  return !stop;
}

// One window while it runs.
struct PrometheusSource::Running {
  PrometheusSource& source;
  const WindowPlan& plan;
  std::optional<MetricState> first, last;
  std::vector<MetricState> parts;
  std::vector<double> in_flight;
  int64_t first_ns = 0, last_ns = 0;
  int missed = 0;
  std::string trouble;  // what voids the window

  // One look at the metrics; false if the window is over with it.
  bool take();
  Window describe() const;
  bool is_long_enough() const;
};

bool PrometheusSource::Running::take() {
  std::optional<MetricState> state = source.look(plan.gen);
  const int64_t now = source.clock_.now_ns();
  if (!state) {
    if (++missed < kMostMissed) return true;
    trouble = fmt::format("{} looks at the metrics failed in a row: {}", kMostMissed, source.fault_);
    return false;
  }
  missed = 0;
  if (!first) {
    first = last = std::move(state);
    first_ns = last_ns = now;
    return true;
  }
  auto part = added(*last, *state);
  if (!part) {
    trouble = "the counters began anew: the server was restarted";
    return false;
  }
  if (parts.size() < kMostParts) parts.push_back(std::move(*part));
  in_flight.push_back(state->inflight);
  last = std::move(state);
  last_ns = now;
  return true;
}

Window PrometheusSource::Running::describe() const {
  Window out;
  if (!first) return out;
  const auto whole = added(*first, *last);
  describe_metrics(*whole, parts, last_ns - first_ns, source.objective_, source.options_.query, out);
  return out;
}

bool PrometheusSource::Running::is_long_enough() const {
  const int64_t length = last_ns - first_ns;
  if (!first) return false;
  if (plan.length_ns) return length >= *plan.length_ns;
  const double done = last->count - first->count + last->errors - first->errors;
  if (plan.requests) return done >= static_cast<double>(*plan.requests) || length >= plan.most_ns;
  return (done >= static_cast<double>(plan.enough) && length >= plan.least_ns) || length >= plan.most_ns;
}

Window PrometheusSource::measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) {
  Running run{*this, plan, {}, {}, {}, {}, 0, 0, 0, {}};
  std::optional<std::string> word;
  bool jumped = false;
  int64_t next = clock_.now_ns() + plan.settle_ns;
  while (!word && run.trouble.empty() && !run.is_long_enough()) {
    if (!wait_until(next, stop, jumped)) {
      word = "signal";
    } else if (jumped) {
      run.trouble = "the machine stood still for more than a second";
    } else if (run.take() && run.parts.size() > 0 && watch.look) {
      word = watch.look(run.describe());
    }
    next += options_.scrape_ns;
    // The end of a window whose length is known is met exactly.
    if (run.first && run.missed == 0 && plan.length_ns &&
        next < run.first_ns + *plan.length_ns + options_.scrape_ns)
      next = std::min(next, std::max(clock_.now_ns(), run.first_ns + *plan.length_ns));
  }
  Window out = run.describe();
  out.inflight.reset();
  if (!options_.query.inflight.empty() && run.in_flight.size() >= 3)
    out.inflight_slope_per_s = slope_per_s(run.in_flight, options_.scrape_ns);
  if (!plan.gen.empty()) out.gen = plan.gen;
  if (options_.pressure) out.psi_cpu_share = options_.pressure();
  if (word) {
    out.outcome = "aborted";
    out.aborted = word;
  } else if (!run.trouble.empty()) {
    out.outcome = "void";
    out.valid = false;
    out.note = run.trouble;
  } else if (out.requests == 0) {
    out.outcome = "void";
    out.valid = false;
  }
  return out;
}

}  // namespace mlq::tune
