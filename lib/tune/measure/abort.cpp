#include "lib/tune/measure/abort.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/anytime.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

constexpr double kUnstableError = 0.01;
constexpr size_t kLeastIncrements = 6;
constexpr double kKeepsUp = 0.97;
constexpr double kHopelessError = 0.02 * 6 / 9.869604401089358;  // 6 / pi^2
constexpr double kBatches = 10;
constexpr double kGuardError = 0.01;
constexpr double kTooMany = 2;  // times what is allowed
constexpr int64_t kRises = 3'000'000'000;
constexpr double kDoubled = 2;
constexpr double kLeftOver = 0.1;

bool falls_behind(const Window& w) {
  const auto due = static_cast<double>(w.requests);
  return due - static_cast<double>(*w.inflight) < kKeepsUp * due;
}

}  // namespace

AbortWatch::AbortWatch(const AbortRules& rules, const Objective& objective)
    : rules_(rules), is_latency_(objective.is_latency()), allowed_(objective.allowed()) {}

bool AbortWatch::unstable(const Window& so_far) {
  if (!so_far.inflight) return false;
  const auto now = static_cast<double>(*so_far.inflight);
  if (last_) increments_.push_back(now - *last_);
  last_ = now;
  if (increments_.size() < kLeastIncrements || !falls_behind(so_far)) return false;
  const stats::MeanInterval rise = stats::mean_interval(increments_, 1 - 2 * kUnstableError);
  return rise.lo > 0;
}

bool AbortWatch::hopeless(const Window& so_far) {
  if (!rules_.hopeless_above || !is_latency_ || !so_far.stat_ns || !so_far.y_var) return false;
  ++tests_;
  const auto k = static_cast<double>(tests_);
  const double y = fmath::log(*so_far.stat_ns);
  if (y <= *rules_.hopeless_above) return false;
  const double t = stats::student_quantile(1 - kHopelessError / (k * k), kBatches - 1);
  return y - t * std::sqrt(*so_far.y_var) > *rules_.hopeless_above;
}

bool AbortWatch::grows(const Window& so_far) {
  if (!so_far.inflight) return false;
  const auto now = static_cast<double>(*so_far.inflight);
  if (!last_ || now <= *last_) {
    rising_from_ = now;
    rising_due_ = so_far.requests;
    rising_since_ns_ = so_far.window_ns;
    return false;
  }
  const double came = static_cast<double>(so_far.requests) - static_cast<double>(rising_due_);
  return so_far.window_ns - rising_since_ns_ >= kRises && now > kDoubled * std::max(rising_from_, 1.0) &&
         now - rising_from_ > kLeftOver * came;
}

bool AbortWatch::guard(const Window& so_far) {
  const double tau = std::max(so_far.correlation, 1.0);
  const auto judged = static_cast<double>(so_far.judged);
  if (allowed_) {
    const double most = std::min(kTooMany * *allowed_, 1.0);
    if (stats::surely_above(static_cast<double>(so_far.over) / tau, judged / tau, most, kGuardError))
      return true;
  }
  const double done = static_cast<double>(so_far.ok + so_far.errors + so_far.censored);
  const auto errors = static_cast<double>(so_far.errors);
  return stats::surely_above(errors / tau, done / tau, *rules_.most_error_rate, kGuardError);
}

std::optional<std::string> AbortWatch::look(const Window& so_far) {
  const bool guarded = rules_.most_error_rate.has_value();
  const bool grown = grows(so_far);
  const bool not_stable = unstable(so_far);  // also notes what is in flight
  if (guarded && (grown || guard(so_far))) return "guard";
  if (rules_.unstable && not_stable) return "unstable";
  if (hopeless(so_far)) return "hopeless";
  if (rules_.deadline_ns && so_far.window_ns >= *rules_.deadline_ns) return "deadline";
  return std::nullopt;
}

}  // namespace mlq::tune
