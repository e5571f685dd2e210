#include "lib/tune/measure/abort.h"

#include <cmath>
#include <functional>

#include "gtest/gtest.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/tune/measure/tally.h"

namespace mlq::tune {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kLook = 500 * kMs;

// A queue with one server, Poisson arrivals and exponential service, looked at every half second.
struct Queue {
  double rate_per_s = 100;
  double load = 0.8;
  uint64_t seed = 1;
  int64_t window_ns = 20'000 * kMs;
  int64_t before_ns = 10'000 * kMs;  // it has run for so long when the window begins
};

// The mean time in an M/M/1 queue.
double mean_ns(const Queue& q) { return 1e9 * q.load / q.rate_per_s / (1 - q.load); }

struct Ended {
  std::string word;  // empty: it ran to its end
  int64_t at_ns = 0;
};

Ended run(const Queue& q, const AbortRules& rules, const Objective& objective, double errors = 0) {
  const RandomStream gaps(q.seed, Purpose::gaps), services(q.seed, Purpose::service);
  std::vector<Sample> all;
  double due = 0, free = 0;
  const auto end = static_cast<double>(q.window_ns + q.before_ns);
  for (uint64_t k = 0; due < end; ++k) {
    due += -fmath::log(gaps.uniform(k)) * 1e9 / q.rate_per_s;
    free = std::max(free, due) - fmath::log(services.uniform(k)) * 1e9 * q.load / q.rate_per_s;
    if (due < static_cast<double>(q.before_ns)) continue;
    const int64_t latency = static_cast<int64_t>(free - due);
    const bool failed = services.uniform(k, 1) < errors;
    bool good = !failed;
    for (const auto& term : objective.request_terms()) good = good && latency <= term.limit_ns;
    all.push_back({static_cast<int64_t>(due) - q.before_ns, latency,
                   failed ? Sample::Kind::error : Sample::Kind::ok, good});
  }
  AbortWatch watch(rules, objective);
  for (int64_t at = kLook; at <= q.window_ns; at += kLook) {
    std::vector<Sample> known;
    for (Sample s : all) {
      if (s.due_ns >= at) break;
      if (s.due_ns + s.latency_ns > at) s = {s.due_ns, at - s.due_ns, Sample::Kind::pending, false};
      known.push_back(s);
    }
    Window w;
    tally(known, {at, 0}, objective, w);
    if (auto word = watch.look(w)) return {*word, at};
  }
  return {};
}

struct Outcomes {
  int aborted = 0;
  double mean_s = 0;  // of those that were
};
Outcomes runs(int n, Queue q, const AbortRules& rules, const char* slo = "", double errors = 0) {
  const Objective objective = Objective::parse("latency", slo);
  Outcomes out;
  for (int k = 0; k < n; ++k) {
    q.seed = static_cast<uint64_t>(k) + 100;
    const Ended ended = run(q, rules, objective, errors);
    if (ended.word.empty()) continue;
    ++out.aborted;
    out.mean_s += static_cast<double>(ended.at_ns) / 1e9;
  }
  if (out.aborted > 0) out.mean_s /= out.aborted;
  return out;
}

AbortRules hopeless_rule(double incumbent_ns) {
  return {.unstable = false, .hopeless_above = std::log(incumbent_ns) + 0.3};
}

// At a binomial share of 2 % of 40 runs, more than 3 are seen with probability below 1 %.
TEST(Abort, AServerThatIsNoWorseIsSeldomGivenUp) {
  for (const double load : {0.5, 0.8}) {
    const Queue q{.load = load};
    EXPECT_LE(runs(40, q, hopeless_rule(mean_ns(q))).aborted, 3) << load;
    EXPECT_LE(runs(40, q, {}).aborted, 3) << load;
    EXPECT_LE(runs(40, q, {.unstable = false, .most_error_rate = 0.01}).aborted, 3) << load;
  }
}

TEST(Abort, AServerThatFallsBehindIsUnstableWithinSeconds) {
  const auto seen = runs(20, {.load = 1.5, .before_ns = 0}, {});
  EXPECT_EQ(seen.aborted, 20);
  EXPECT_LT(seen.mean_s, 5);
}

TEST(Abort, AServerFarOverTheIncumbentIsHopelessWithinSeconds) {
  const Queue q{.load = 0.5};
  const auto seen = runs(20, q, hopeless_rule(mean_ns(q) / 4));
  EXPECT_GE(seen.aborted, 19);
  EXPECT_LT(seen.mean_s, 3);
}

TEST(Abort, TheGuardEndsAWindowOfErrors) {
  const AbortRules guard{.unstable = false, .most_error_rate = 0.01};
  const auto seen = runs(20, {.load = 0.5}, guard, "", 0.2);
  EXPECT_EQ(seen.aborted, 20);
  EXPECT_LT(seen.mean_s, 4);
  EXPECT_LE(runs(20, {.load = 0.5}, guard, "", 0.005).aborted, 1);
}

// Of an M/M/1 queue the time has the exponential law: P(T > x) = exp(-x / mean).
TEST(Abort, TheGuardEndsAWindowInWhichTooManyAreLate) {
  const AbortRules guard{.unstable = false, .most_error_rate = 0.01};
  const Queue q{.load = 0.5};  // mean 10 ms: 37 % take longer than that, and 5 % may
  EXPECT_GE(runs(20, q, guard, "p95<=10ms").aborted, 19);
  EXPECT_LE(runs(20, q, guard, "p95<=30ms").aborted, 1);  // 5 % do: within twice what is allowed
}

TEST(Abort, InFlightThatGrowsForThreeSecondsIsAGuardsMatter) {
  AbortWatch watch({.unstable = false, .most_error_rate = 0.01}, Objective::parse("latency", ""));
  std::optional<int64_t> at;
  for (int64_t k = 1; k <= 20 && !at; ++k) {
    Window w;
    w.window_ns = k * kLook;
    w.requests = static_cast<uint64_t>(50 * k);
    w.inflight = static_cast<uint64_t>(k <= 4 ? 5 : 5 + 10 * (k - 4));
    if (watch.look(w) == "guard") at = w.window_ns;
  }
  EXPECT_EQ(at, 5'000 * kMs);  // it rises from 2 s on
}

TEST(Abort, ADeadlineEndsAWindow) {
  AbortWatch watch({.deadline_ns = 2 * kLook}, Objective::parse("latency", ""));
  Window w;
  w.window_ns = kLook;
  EXPECT_FALSE(watch.look(w));
  w.window_ns = 2 * kLook;
  EXPECT_EQ(watch.look(w), "deadline");
}

// A limit that lies below what is seen by less than the interval: the levels of all looks add up to 2 %.
TEST(Abort, LaterLooksWantMoreCertainty) {
  AbortWatch watch({.unstable = false, .hopeless_above = 0.0}, Objective::parse("latency", ""));
  Window w;
  w.stat_ns = std::exp(3.0);
  w.y_var = 1;  // 3 standard errors above: enough at the first look (t of 1.2 % with 9 df is 2.7)
  EXPECT_EQ(watch.look(w), "hopeless");
  EXPECT_FALSE(watch.look(w));  // 0.3 %: 3.5
}

}  // namespace
}  // namespace mlq::tune
