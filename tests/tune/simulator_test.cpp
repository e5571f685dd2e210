// The simulator against queueing theory, and its two forms against each other.
#include "lib/tune/surface/simulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/tune/draws.h"
#include "lib/tune/surface/preset.h"
#include "lib/tune/surface/station.h"

namespace mlq::tune {
namespace {

constexpr size_t kRequests = 400'000;
constexpr double kMs = 1e6;

const std::vector<int64_t>& poisson() {  // 1000 a second
  static const std::vector<int64_t> arrivals = make_arrivals("poisson --rate 1000/s", kRequests, 1);
  return arrivals;
}

std::vector<double> exponentials(size_t count) {
  std::vector<double> factors;
  for (size_t k = 0; k < count; ++k) factors.push_back(-fmath::log(Draws(2, Purpose::service, k).uniform()));
  return factors;
}

ServerModel plain(double service_ms, uint32_t instances = 1) {
  ServerModel model;
  model.instances = instances;
  model.cores = 1e9;
  model.request_ns = service_ms * kMs;
  return model;
}

double mean_ms(const SimulatedRun& run) {
  double sum = 0;
  for (const int64_t latency : run.latencies) sum += static_cast<double>(latency);
  return sum / static_cast<double>(run.latencies.size()) / kMs;
}

double simulated_mean_ms(const ServerModel& model, const std::vector<double>& noise) {
  SimulatedRun run;
  simulate(model, poisson(), noise, run);
  return mean_ms(run);
}

TEST(Simulator, ExponentialServiceTakesTheTimeOfMm1) {
  const double rho = 0.6;  // mean = S / (1 - rho); 2% is 5 standard errors of a run as long
  EXPECT_NEAR(simulated_mean_ms(plain(rho), exponentials(kRequests)), rho / (1 - rho),
              0.02 * rho / (1 - rho));
}

TEST(Simulator, FixedServiceTakesTheTimeOfMd1) {
  const double rho = 0.7;
  const double mean = rho + rho * rho / (2 * (1 - rho));
  EXPECT_NEAR(simulated_mean_ms(plain(rho), std::vector<double>(kRequests, 1.0)), mean, 0.02 * mean);
}

TEST(Simulator, ManyInstancesTakeTheTimeOfErlangC) {
  for (const uint32_t c : {2u, 5u}) {
    const double a = 0.7 * c;  // offered load
    double term = 1, sum = 0;
    for (uint32_t k = 0; k < c; ++k, term *= a / k) sum += term;
    const double tail = term / (1 - a / c);
    const double waits = tail / (sum + tail);
    const double mean = a + waits * a / (c - a);
    EXPECT_NEAR(simulated_mean_ms(plain(a, c), exponentials(kRequests)), mean, 0.02 * mean) << c;
  }
}

TEST(Simulator, WithoutALimitOfInstancesNobodyWaits) {
  SimulatedRun run;
  simulate(plain(30, 0), poisson(), std::vector<double>(kRequests, 1.0), run);
  EXPECT_EQ(*std::min_element(run.latencies.begin(), run.latencies.end()), 30'000'000);
  EXPECT_EQ(*std::max_element(run.latencies.begin(), run.latencies.end()), 30'000'000);
}

// All that waits is taken at once, so batches are independent: N Poisson(rho) requests arrived during the
// last service, and if none did the next one starts alone.
TEST(Simulator, BatchesWithoutALimitFollowTheEmbeddedChain) {
  for (const double rho : {0.4, 1.5, 6.0}) {
    ServerModel model = plain(rho);
    model.batch = 1000;
    model.base_ns = model.request_ns;
    model.request_ns = 0;
    const double idle = fmath::exp(-rho);
    const double mean = (rho * 1.5 * rho + idle * rho) / (rho + idle);
    EXPECT_NEAR(simulated_mean_ms(model, std::vector<double>(kRequests, 1.0)), mean, 0.01 * mean) << rho;
  }
}

TEST(Simulator, AHeadThatWaitsCollectsItsBatch) {
  ServerModel model = plain(1e-6, 0);
  model.batch = 1000;
  model.delay_ns = 5'000'000;
  // Head waits 5 ms; the Poisson(5) that join it wait half of that.
  EXPECT_NEAR(simulated_mean_ms(model, std::vector<double>(kRequests, 1.0)), (5 + 5 * 2.5) / 6, 0.03);
}

TEST(Simulator, AFullBatchDoesNotWait) {
  ServerModel model = plain(1, 0);
  model.request_ns = 1;
  model.batch = 4;
  model.delay_ns = 1'000'000'000'000;
  const std::vector<int64_t> arrivals = {10, 20, 30, 45, 1000};
  SimulatedRun run;
  model.base_ns = 6;
  simulate(model, arrivals, std::vector<double>(5, 1.0), run);
  EXPECT_EQ(run.latencies, (std::vector<int64_t>{45, 35, 25, 10, 1'000'000'000'010 - 3}));
}

TEST(Simulator, CpuTimeIsTheWorkHoweverCrowdedTheCores) {
  ServerModel model = plain(0.5, 0);
  model.threads = 4;
  model.cores = 2;
  model.oversubscribe = 0.4;
  SimulatedRun run;
  simulate(model, poisson(), std::vector<double>(kRequests, 1.0), run);
  EXPECT_NEAR(run.cpu_ns / kRequests / kMs, 0.5 * 4, 1e-3);
  EXPECT_GT(mean_ms(run), 0.5 * 2 * 1.4);  // 4 threads on 2 cores
}

// P(turned away) of M/M/1/K = (1-rho) rho^K / (1 - rho^(K+1)), K = waiting and one in service.
TEST(Simulator, AFullQueueTurnsAwayTheShareOfMm1k) {
  ServerModel model = plain(1.25);
  model.queue_limit = 4;
  SimulatedRun run;
  simulate(model, poisson(), exponentials(kRequests), run);
  const double rho = 1.25, k = 5;
  const double share = (1 - rho) * fmath::pow(rho, k) / (1 - fmath::pow(rho, k + 1));
  EXPECT_NEAR(static_cast<double>(run.dropped) / kRequests, share, 0.01);
  EXPECT_EQ(run.dropped + run.latencies.size(), kRequests);
}

TEST(Simulator, ServiceFollowsItsFormula) {
  ServerModel model;
  model.threads = 3;
  model.batch = 8;
  model.cores = 6;
  model.base_ns = 4e6;
  model.request_ns = 10e6;
  model.batch_power = 0.75;
  model.parallel = 0.85;
  model.sync = 0.015;
  model.oversubscribe = 0.4;
  const ServiceTimes times(model);
  const double alone = (4e6 + 10e6 * std::pow(5, 0.75)) * (0.15 + 0.85 / 3 + 0.015 * 2);
  EXPECT_NEAR(static_cast<double>(times.service_ns(5, 2, 1)), alone, 1);
  EXPECT_NEAR(static_cast<double>(times.service_ns(5, 4, 1)), alone * 2 * 1.4, 1);
  EXPECT_NEAR(static_cast<double>(times.service_ns(5, 2, 1.25)), alone * 1.25, 1);
}

TEST(Simulator, LuckHasMeanOneAndBelongsToTheBatch) {
  const ServiceNoise noise(7, 0.3, 100'000);
  double sum = 0;
  for (const double f : noise.factors()) sum += f;
  EXPECT_NEAR(sum / 100'000, 1, 0.005);
  EXPECT_EQ(noise.factors()[123], service_noise(7, 123, 0.3));
}

// Random servers, among them arrivals at one instant.
TEST(Simulator, TheStateMachineGivesTheSameNanoseconds) {
  for (uint64_t k = 0; k < 60; ++k) {
    Draws draws(5, Purpose::design, k);
    ServerModel model = plain(0.2 + 6 * draws.uniform(), static_cast<uint32_t>(draws.below(6)));
    model.threads = 1 + static_cast<uint32_t>(draws.below(4));
    model.batch = 1 + static_cast<uint32_t>(draws.below(10));
    model.delay_ns = static_cast<int64_t>(draws.below(3)) * 1'500'000;
    model.cores = 4;
    model.oversubscribe = 0.3;
    model.batch_power = 0.5;
    std::vector<int64_t> arrivals(poisson().begin(), poisson().begin() + 2000);
    if (k % 2 == 0)
      for (int64_t& t : arrivals) t -= t % 1'000'000;
    const ServiceNoise noise(k, 0.2, arrivals.size());
    SimulatedRun run;
    simulate(model, arrivals, noise.factors(), run);

    SimulatedRun told;
    ServerModel bounded = model;
    bounded.queue_limit = 1'000'000;
    simulate(bounded, arrivals, noise.factors(), told);
    ASSERT_EQ(run.latencies, told.latencies) << k;
    EXPECT_EQ(run.batches, told.batches);
    EXPECT_EQ(run.last_end_ns, told.last_end_ns);
    EXPECT_NEAR(run.cpu_ns, told.cpu_ns, 1e-9 * run.cpu_ns);
  }
}

TEST(Station, NewRulesHoldForWhatWaits) {
  ServerModel slow = plain(10);
  std::vector<int64_t> ends;
  Station::Hooks hooks;
  hooks.noise = [](uint64_t) { return 1.0; };
  hooks.served = [&](const Station::Served& served) { ends.push_back(served.ended_ns); };
  Station station(slow, hooks);
  for (uint64_t id = 0; id < 3; ++id) EXPECT_TRUE(station.arrive(0, id));
  station.advance(0);
  EXPECT_EQ(station.busy(), 1u);
  EXPECT_EQ(station.next_ns(), 10'000'000);
  station.set_model(plain(1));
  station.advance(INT64_MAX);
  EXPECT_EQ(ends, (std::vector<int64_t>{10'000'000, 11'000'000, 12'000'000}));
}

TEST(Window, FiguresAreThoseOfItsRequests) {
  SimulatedRun run;
  for (int64_t k = 100; k >= 1; --k) run.latencies.push_back(k * 10);
  run.cpu_ns = 5000;
  run.dropped = 25;
  const records::WindowStats window = window_of(run, 2'000'000'000);
  EXPECT_EQ(window.requests, 125u);
  EXPECT_EQ(window.errors, 25u);
  EXPECT_EQ(window.latency_mean_ns, 505);
  EXPECT_EQ(window.latency_p50_ns, 500);
  EXPECT_EQ(window.latency_p95_ns, 950);
  EXPECT_EQ(window.latency_p99_ns, 990);
  EXPECT_EQ(window.cpu_ns_per_request, 50);
  EXPECT_EQ(window.done_per_s, 50);
}

// Best mean, share of the points within 5 % of it, and worst over best, as an earlier program of ours that
// shares no code found them with other random numbers and 4,000 to 6,000 requests.
struct Known {
  std::string name;
  double best_ms, share, worst_over_best;
};
class PresetTable : public testing::TestWithParam<Known> {};

TEST_P(PresetTable, IsWhatWasFoundBefore) {
  constexpr uint64_t kCount = 4000;
  const PresetChoice choice = find_preset(GetParam().name);
  ASSERT_NE(choice.preset, nullptr);
  const size_t level = choice.levels.front();
  const auto arrivals = make_arrivals(choice.preset->levels[level].load, kCount, 1);
  const ServiceNoise noise(1, choice.preset->at(level, 0).sigma, kCount);
  std::vector<double> means;
  SimulatedRun run;
  for (const PointId point : choice.preset->space->points()) {
    simulate(choice.preset->at(level, point), arrivals, noise.factors(), run);
    means.push_back(mean_ms(run));
  }
  ASSERT_EQ(means.size(), 1331u);
  const double best = *std::min_element(means.begin(), means.end());
  const double worst = *std::max_element(means.begin(), means.end());
  const auto good = std::count_if(means.begin(), means.end(), [&](double m) { return m <= 1.05 * best; });
  EXPECT_NEAR(best, GetParam().best_ms, 0.05 * GetParam().best_ms);
  EXPECT_NEAR(static_cast<double>(good) / 13.31, GetParam().share, 0.5 + 0.1 * GetParam().share);
  EXPECT_GT(worst / best, GetParam().worst_over_best / 2.5);
  EXPECT_LT(worst / best, GetParam().worst_over_best * 2.5);
}

INSTANTIATE_TEST_SUITE_P(
    All, PresetTable,
    testing::Values(Known{"pool-batch@150", 5.4, 17, 4e3}, Known{"pool-batch@400", 6.2, 0.8, 6e3},
                    Known{"pool-batch@700", 8.8, 0.7, 4e3}, Known{"pool-delay@150", 6.7, 14, 50},
                    Known{"pool-delay@400", 7.4, 1.6, 2e3}, Known{"pool-delay@700", 9.8, 1.0, 2e3},
                    Known{"rrl-cpu@70ms", 39, 1.2, 2e6}, Known{"rrl-cpu@12ms", 8.0, 0.5, 2e6}),
    [](const auto& given) {
      std::string name = given.param.name;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !isalnum(c); }, '_');
      return name;
    });

}  // namespace
}  // namespace mlq::tune
