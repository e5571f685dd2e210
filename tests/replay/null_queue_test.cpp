// Queues against theory, on a clock that nobody waits for.
#include "lib/replay/null_queue.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/random.h"
#include "lib/replay/null_options.h"

namespace mlq::replay {
namespace {

constexpr uint64_t kRequests = 400'000;
constexpr double kMeanService = 5e6;  // ns

// Response times of Poisson arrivals at load `rho` of `servers` servers, with that law of service.
std::vector<double> responses(const char* service, double rho, uint32_t servers) {
  NullServerOptions options;
  options.service = parse_service(service);
  const arrival::LawPtr gap = arrival::exponential_law();
  const RandomStream random(1, Purpose::gaps);
  FcfsQueue queue(servers);
  std::vector<double> out;
  double at = 0;
  for (uint64_t i = 0; i < kRequests; ++i) {
    at += gap->sample({&random, i}) * kMeanService / (rho * servers);
    const auto arrival = static_cast<int64_t>(at);
    const double ns = options.service->sample({&random, i, 1}) * 1e9;
    out.push_back(static_cast<double>(queue.finish(arrival, static_cast<int64_t>(ns)) - arrival));
  }
  return out;
}

struct Estimate {
  double mean;
  double error;  // standard error, by 40 batch means: the queue remembers far less than a batch
};

Estimate mean_of(const std::vector<double>& values) {
  constexpr size_t kBatches = 40;
  const size_t each = values.size() / kBatches;
  double sum = 0, squares = 0;
  for (size_t b = 0; b < kBatches; ++b) {
    double batch = 0;
    for (size_t k = b * each; k < (b + 1) * each; ++k) batch += values[k];
    batch /= static_cast<double>(each);
    sum += batch;
    squares += batch * batch;
  }
  const double mean = sum / kBatches;
  return {mean, std::sqrt((squares / kBatches - mean * mean) / (kBatches - 1))};
}

// Within four standard errors, and these below 3 %: once in some ten thousand seeds it would fail.
void expect_mean(const std::vector<double>& values, double expected) {
  const Estimate got = mean_of(values);
  EXPECT_LT(got.error, 0.03 * expected);
  EXPECT_NEAR(got.mean, expected, 4 * got.error);
}

TEST(FcfsQueue, OfOneExponentialServerHasTheResponseOfMM1) {
  for (const double rho : {0.5, 0.8}) {
    const std::vector<double> all = responses("exp,mean=5ms", rho, 1);
    const double mean = kMeanService / (1 - rho);  // 1 / (mu - lambda)
    expect_mean(all, mean);
    // The response is exponential: of each quantile, the share of responses below it.
    for (const double q : {0.5, 0.9, 0.99}) {
      const double quantile = -std::log(1 - q) * mean;
      std::vector<double> below;
      for (const double x : all) below.push_back(x <= quantile ? 1 : 0);
      const Estimate share = mean_of(below);
      EXPECT_NEAR(share.mean, q, 4 * share.error);
    }
  }
}

TEST(FcfsQueue, OfOneFixedServerHasTheWaitOfMD1) {
  for (const double rho : {0.5, 0.8}) {
    const double wait = rho * kMeanService / (2 * (1 - rho));
    expect_mean(responses("fixed,mean=5ms", rho, 1), kMeanService + wait);
  }
}

TEST(FcfsQueue, OfFourExponentialServersHasTheWaitOfErlangC) {
  constexpr uint32_t c = 4;
  constexpr double rho = 0.8, offered = c * rho;
  double terms = 0, term = 1;  // offered^k / k!
  for (uint32_t k = 0; k < c; term *= offered / ++k) terms += term;
  const double waits = term / (1 - rho) / (terms + term / (1 - rho));
  expect_mean(responses("exp,mean=5ms", rho, c), kMeanService + waits * kMeanService / (c * (1 - rho)));
}

TEST(FcfsQueue, ServesInOrderOfArrival) {
  FcfsQueue queue(2);
  EXPECT_EQ(queue.finish(0, 100), 100);
  EXPECT_EQ(queue.finish(10, 20), 30);
  EXPECT_EQ(queue.finish(11, 5), 35);  // waits for the second server
  EXPECT_EQ(queue.finish(12, 5), 40);  // and behind the third
  EXPECT_EQ(queue.finish(50, 5), 55);  // which is free by now
  EXPECT_EQ(queue.finish(60, 80), 140);
  EXPECT_EQ(queue.finish(60, 1), 101);  // the first server
}

TEST(FcfsQueue, WithoutABoundNobodyWaits) {
  FcfsQueue queue(0);
  EXPECT_EQ(queue.finish(5, 100), 105);
  EXPECT_EQ(queue.finish(6, 100), 106);
}

TEST(FcfsQueue, DoesNotOverflow) {
  FcfsQueue queue(1);
  int64_t last = 0;
  for (int k = 0; k < 100; ++k) {
    const int64_t finish = queue.finish(k, int64_t{1} << 60);
    EXPECT_GE(finish, last);
    last = finish;
  }
  EXPECT_EQ(last, kForeverNs);
}

// Takes the batches that start up to then.
std::vector<BatchQueue::Batch> take(BatchQueue& queue, int64_t until_ns) {
  std::vector<BatchQueue::Batch> out;
  while (queue.next_start() && *queue.next_start() <= until_ns) out.push_back(queue.start());
  return out;
}

TEST(BatchQueue, StartsWhenTheOldestHasWaitedOrTheBatchIsFull) {
  BatchQueue queue({.max = 3, .delay_ns = 10, .base_ns = 100, .per_ns = 1}, 2);
  EXPECT_FALSE(queue.next_start());
  queue.arrive(0);
  queue.arrive(5);
  EXPECT_EQ(queue.next_start(), 10);
  const auto first = take(queue, 10);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].size, 2u);
  EXPECT_EQ(first[0].finish_ns, 112);
  for (const int64_t t : {20, 21, 22, 23}) queue.arrive(t);
  const auto second = take(queue, 25);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].start_ns, 22);
  EXPECT_EQ(second[0].size, 3u);
  EXPECT_EQ(second[0].finish_ns, 125);
  // Both servers are busy: what waited too long starts when the first of them is free.
  EXPECT_EQ(queue.next_start(), 112);
  queue.arrive(110);
  EXPECT_EQ(queue.start().size, 2u);
}

TEST(BatchQueue, OfBatchesOfOneIsAnFcfsQueue) {
  BatchQueue batches({.max = 1, .delay_ns = 50, .base_ns = 30, .per_ns = 7}, 1);
  FcfsQueue queue(1);
  const RandomStream random(2, Purpose::gaps);
  int64_t at = 0;
  std::vector<int64_t> expected, got;
  for (uint64_t i = 0; i < 1000; ++i) {
    at += static_cast<int64_t>(random.uniform(i) * 70);
    expected.push_back(queue.finish(at, 37));
    batches.arrive(at);
  }
  for (const auto& batch : take(batches, kForeverNs)) got.push_back(batch.finish_ns);
  EXPECT_EQ(got, expected);
}

TEST(StallClock, StandsStillOnce) {
  const StallClock clock(100, 50);
  EXPECT_EQ(clock.served(99), 99);
  EXPECT_EQ(clock.served(100), 100);
  EXPECT_EQ(clock.served(149), 100);
  EXPECT_EQ(clock.served(150), 100);
  EXPECT_EQ(clock.served(151), 101);
  EXPECT_EQ(clock.world(99), 99);
  EXPECT_EQ(clock.world(100), 150);
  EXPECT_EQ(clock.world(101), 151);
  EXPECT_EQ(StallClock().served(123), 123);
  EXPECT_EQ(StallClock().world(123), 123);
}

// A stall of S in a constant run of T that is served at once: P(latency > y) = (S - y) / T.
TEST(StallClock, OfAConstantRunHasLatenciesAsKnown) {
  constexpr int64_t kMs = 1'000'000, kStall = 1000 * kMs, kRun = 20'000 * kMs;
  const StallClock clock(5'000 * kMs, kStall);
  FcfsQueue queue(1);
  std::vector<int64_t> latencies;
  for (int64_t at = 0; at < kRun; at += kMs)
    latencies.push_back(clock.world(queue.finish(clock.served(at), 0)) - at);
  std::sort(latencies.begin(), latencies.end());
  const size_t p99 = latencies.size() * 99 / 100 - 1;  // nearest rank
  EXPECT_NEAR(static_cast<double>(latencies[p99]), 0.8e9, 1e6);
  EXPECT_EQ(latencies.back(), kStall);
}

}  // namespace
}  // namespace mlq::replay
