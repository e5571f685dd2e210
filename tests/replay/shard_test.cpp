// The accounts of a sending thread, exact on a virtual clock.
#include "lib/replay/shard.h"

#include <cmath>
#include <set>

#include "gtest/gtest.h"
#include "lib/base/random.h"
#include "lib/replay/null_queue.h"
#include "tests/replay/virtual_world.h"

namespace mlq::replay::test {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000 * kMs;

Planned request(uint64_t i, int64_t due_ns) {
  Planned planned;
  planned.i = i;
  planned.t_ns = planned.due_ns = due_ns;
  planned.method = "GET";
  planned.target = "/";
  return planned;
}

std::deque<Planned> constant_rate(uint64_t count, int64_t gap_ns) {
  std::deque<Planned> plan;
  for (uint64_t i = 0; i < count; ++i) plan.push_back(request(i, static_cast<int64_t>(i) * gap_ns));
  return plan;
}

class ShardOnAVirtualClock : public ::testing::Test {
 protected:
  ShardOnAVirtualClock() { rules.check = Check::status; }
  const ShardReport& run(std::deque<Planned> plan, SimulatedEngine::React react) {
    source.emplace(std::move(plan));
    shard.emplace(options, rules, clock, *source, sink, stop);
    engine.emplace(clock, std::move(react));
    engine->attach(shard->events());
    report = shard->run(*engine, 0);
    return report;
  }
  uint64_t count(Outcome outcome) const { return report.accounts.all().count(outcome); }
  records::LoadStats stats(int64_t to_ns) const {
    records::LoadStats out;
    report.accounts.all().describe({0, to_ns, {}, 0}, {}, out);
    return out;
  }

  VirtualClock clock;
  StopFlag stop;
  ShardOptions options;
  AnswerRules rules;
  KeptResults sink;
  std::optional<ListPlan> source;
  std::optional<Shard> shard;
  std::optional<SimulatedEngine> engine;
  ShardReport report;
};

TEST_F(ShardOnAVirtualClock, SendsEveryRequestAtItsDueTime) {
  run(constant_rate(1000, kMs), [](auto, int64_t) { return Reaction{.after_ns = 300'000}; });
  ASSERT_EQ(sink.results.size(), 1000u);
  for (const records::Result& r : sink.results) {
    EXPECT_EQ(r.send_ns, r.due_ns);
    EXPECT_EQ(r.lag_ns, 0);
    EXPECT_EQ(r.latency_ns, 300'000);
    EXPECT_EQ(r.service_ns, 300'000);
    EXPECT_EQ(r.outcome, "ok");
  }
  EXPECT_EQ(report.inflight_max, 1u);
  EXPECT_EQ(report.inflight_ns, 1000 * 300'000);
}

// Pairs of requests whose second falls due sooner and sooner after the first, among the looks between the
// send and the sleep. The next answer would wake the sender, 30 ms later.
TEST_F(ShardOnAVirtualClock, WhatFallsDueBetweenTwoLooksAtTheClockIsNotSleptOver) {
  clock.let_looks_take(100);
  std::deque<Planned> plan;
  for (int64_t pair = 0; pair < 60; ++pair) {
    for (const int64_t after : {int64_t{0}, pair * 50})
      plan.push_back(request(plan.size(), pair * 100 * kMs + after));
  }
  run(std::move(plan), [](auto, int64_t) { return Reaction{.after_ns = 30 * kMs}; });
  ASSERT_EQ(sink.results.size(), 120u);
  for (const records::Result& r : sink.results) EXPECT_LT(*r.lag_ns, 10'000) << r.i;
}

TEST_F(ShardOnAVirtualClock, AStallIsInTheLatencyOfAllThatWereDueInIt) {
  // One second of stall in 20 s: P(latency > y) = (S - y) / T, so p99 = S - 0.01 T = 0.8 s.
  run(constant_rate(20'000, kMs), [](auto, int64_t send) {
    return Reaction{.after_ns = send >= 5 * kS && send < 6 * kS ? 6 * kS - send : 0};
  });
  EXPECT_NEAR(static_cast<double>(*stats(20 * kS).latency.p99), 0.8e9, 0.01 * 0.8e9);
}

TEST_F(ShardOnAVirtualClock, AnAnswerThatWaitsForTheCapCountsFromItsDueTime) {
  options.max_inflight = 1;
  run(constant_rate(10, 10 * kMs), [](auto, int64_t) { return Reaction{.after_ns = 15 * kMs}; });
  ASSERT_EQ(sink.results.size(), 10u);
  for (const records::Result& r : sink.results) {
    const auto i = static_cast<int64_t>(r.i);
    EXPECT_EQ(*r.send_ns, i * 15 * kMs);
    EXPECT_EQ(*r.latency_ns, (i + 1) * 15 * kMs - i * 10 * kMs);
    EXPECT_EQ(*r.service_ns, 15 * kMs);
    EXPECT_EQ(r.queue_ns.value_or(0), i * 5 * kMs);
  }
  EXPECT_TRUE(report.cap_hit);
}

TEST_F(ShardOnAVirtualClock, WhatWaitsBehindARequestThatWaitsForTheCapWaitsForItToo) {
  options.max_inflight = 2;
  options.timeout_ns = kS;
  run(constant_rate(4, 0), [](auto, int64_t) { return Reaction{.after_ns = -1}; });
  ASSERT_EQ(sink.results.size(), 4u);
  for (const records::Result& r : sink.results) {
    EXPECT_EQ(*r.send_ns, r.i < 2 ? 0 : kS);
    EXPECT_EQ(r.queue_ns.value_or(0), r.lag_ns.value_or(-1));
  }
}

TEST_F(ShardOnAVirtualClock, WhatIsDroppedAtTheCapIsInTheAccounts) {
  options.max_inflight = 1;
  options.on_cap = OnCap::drop;
  run(constant_rate(10, 10 * kMs), [](auto, int64_t) { return Reaction{.after_ns = 15 * kMs}; });
  EXPECT_EQ(count(Outcome::ok), 5u);
  EXPECT_EQ(count(Outcome::dropped_cap), 5u);
  EXPECT_EQ(report.planned, 10u);
}

TEST_F(ShardOnAVirtualClock, AbortStopsAtTheCap) {
  options.max_inflight = 1;
  options.on_cap = OnCap::abort;
  run(constant_rate(10, 10 * kMs), [](auto, int64_t) { return Reaction{.after_ns = 15 * kMs}; });
  EXPECT_TRUE(report.aborted);
  EXPECT_EQ(count(Outcome::ok), 1u);
  EXPECT_EQ(count(Outcome::cancelled), 1u);
  EXPECT_EQ(report.unsent, 8u);
}

TEST_F(ShardOnAVirtualClock, TimeLimitsHaveOutcomesAndBoundsOfTheirOwn) {
  options.timeout_ns = 5 * kS;
  run(constant_rate(3, kMs), [](auto, int64_t) { return Reaction{.after_ns = -1}; });
  EXPECT_EQ(count(Outcome::total_timeout), 3u);
  for (const records::Result& r : sink.results) EXPECT_EQ(*r.latency_ns, 5 * kS);
  EXPECT_EQ(engine->cancelled.size(), 3u);
}

TEST_F(ShardOnAVirtualClock, FirstByteTimeoutComesBeforeTheTotalOne) {
  options.first_byte_timeout_ns = 2 * kS;
  run(constant_rate(3, kMs), [](auto, int64_t) { return Reaction{.after_ns = -1}; });
  EXPECT_EQ(count(Outcome::first_byte_timeout), 3u);
}

TEST_F(ShardOnAVirtualClock, WhatIsUnfinishedAfterTheGraceIsCensored) {
  options.grace_ns = 3 * kS;
  run(constant_rate(4, kS), [](auto target, int64_t send) {
    return Reaction{.after_ns = target == "/" && send == 3 * kS ? -1 : kMs};
  });
  EXPECT_EQ(count(Outcome::ok), 3u);
  EXPECT_EQ(count(Outcome::censored), 1u);
  EXPECT_EQ(*sink.results.back().latency_ns, 3 * kS);
}

TEST_F(ShardOnAVirtualClock, WhatTheCapHeldBackBeyondTheGraceIsCensoredUnsent) {
  options.max_inflight = 1;
  options.grace_ns = kS;
  run(constant_rate(100, kMs), [](auto, int64_t) { return Reaction{.after_ns = 100 * kMs}; });
  EXPECT_EQ(report.planned, 100u);
  EXPECT_EQ(count(Outcome::ok) + count(Outcome::censored), 100u);
  EXPECT_GT(report.accounts.all().beyond(), 80u);
  EXPECT_FALSE(stats(100 * kMs).latency.p99.has_value());  // it lies among those that nobody saw answered
}

TEST_F(ShardOnAVirtualClock, EveryRequestIsAccountedForOnceWhateverHappens) {
  options.max_inflight = 7;
  options.timeout_ns = 50 * kMs;
  options.grace_ns = 100 * kMs;
  const RandomStream random(3, Purpose::service);
  uint64_t n = 0;
  run(constant_rate(5000, kMs), [&](auto, int64_t) {
    const double u = random.uniform(n++);
    Reaction reaction{.after_ns = static_cast<int64_t>(u * 20e6)};
    if (u < 0.02) reaction.after_ns = -1;
    if (u > 0.9) reaction.fault = http::Fault::reset;
    if (u > 0.95) reaction.fault = http::Fault::truncated;
    if (u > 0.97) reaction = {.after_ns = kMs, .head = "HTTP/1.1 503 no\r\n\r\n"};
    return reaction;
  });
  std::set<uint64_t> seen;
  uint64_t digest = 0;
  for (const records::Result& r : sink.results) {
    EXPECT_TRUE(seen.insert(r.i).second) << r.i;
    digest += mix64(r.i);
  }
  EXPECT_EQ(seen.size(), 5000u);
  EXPECT_EQ(report.accounts.all().planned(), 5000u);
  EXPECT_EQ(report.i_digest, digest);
  EXPECT_GT(count(Outcome::reset), 0u);
  EXPECT_GT(count(Outcome::truncated), 0u);
  EXPECT_GT(count(Outcome::http_5xx), 0u);
  EXPECT_GT(count(Outcome::total_timeout), 0u);
}

TEST_F(ShardOnAVirtualClock, AfterASignalWhatIsNotYetDueIsUnsent) {
  int sends = 0;
  run(constant_rate(100, 10 * kMs), [&](auto, int64_t) {
    if (++sends == 20) stop.request(2);
    return Reaction{.after_ns = 25 * kMs};
  });
  EXPECT_TRUE(report.interrupted);
  EXPECT_EQ(count(Outcome::ok), 20u);
  EXPECT_EQ(report.unsent, 80u);
}

TEST_F(ShardOnAVirtualClock, WarmUpIsLeftOutOfTheTotals) {
  options.warmup_ns = 100 * kMs;
  run(constant_rate(200, kMs), [](auto, int64_t) { return Reaction{.after_ns = kMs}; });
  EXPECT_EQ(report.accounts.all().planned(), 100u);
  EXPECT_EQ(sink.results.size(), 200u);
  EXPECT_EQ(report.planned, 200u);
}

TEST_F(ShardOnAVirtualClock, WindowsAddUpToTheWhole) {
  options.windows = WindowOptions{.window_ns = 100 * kMs};
  run(constant_rate(1000, kMs), [](auto, int64_t send) { return Reaction{.after_ns = send % (7 * kMs)}; });
  uint64_t planned = 0;
  uint32_t next = 0;
  for (const ClosedWindows& closed : sink.closed) {
    for (const Window& window : closed.windows) {
      EXPECT_EQ(window.index, next++);
      EXPECT_EQ(window.accounts.all().planned(), 100u);
      planned += window.accounts.all().planned();
    }
  }
  EXPECT_EQ(planned, 1000u);
  EXPECT_EQ(sink.closed.back().closed_below, kNoMore);
}

// Poisson arrivals at rho = 0.7 to one server: the response time has mean 1 / (mu - lambda) and quantiles
// -ln(1 - q) / (mu - lambda). 200,000 requests are about 200,000 (1 - rho)^2 / 2 independent ones; bounds are
// four standard errors of the mean of so many.
TEST_F(ShardOnAVirtualClock, MeasuresWhatTheoryOfMM1Says) {
  constexpr uint64_t n = 200'000;
  constexpr double mean_service = 1e6;
  constexpr double rho = 0.7;
  const RandomStream gaps(5, Purpose::gaps);
  const RandomStream service(5, Purpose::service);
  std::deque<Planned> plan;
  double t = 0;
  for (uint64_t i = 0; i < n; ++i) {
    t += -std::log(gaps.uniform(i)) * mean_service / rho;
    plan.push_back(request(i, static_cast<int64_t>(t)));
  }
  FcfsQueue queue(1);
  uint64_t next = 0;
  options.max_inflight = 100'000;
  run(std::move(plan), [&](auto, int64_t send) {
    const auto takes = static_cast<int64_t>(-std::log(service.uniform(next++)) * mean_service);
    return Reaction{.after_ns = queue.finish(send, takes) - send};
  });
  const double mean = mean_service / (1 - rho);
  const double error = 4 * mean / std::sqrt(n * (1 - rho) * (1 - rho) / 2);
  const records::LoadStats s = stats(static_cast<int64_t>(t));
  EXPECT_NEAR(*s.latency.mean, mean, error);
  EXPECT_NEAR(static_cast<double>(*s.latency.p99), -std::log(0.01) * mean, 3 * std::log(100) * error);
  EXPECT_EQ(*s.lag.max, 0);
}

}  // namespace
}  // namespace mlq::replay::test
