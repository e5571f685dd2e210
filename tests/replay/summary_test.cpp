#include "lib/replay/summary.h"

#include <gtest/gtest.h>

#include "tests/replay/synthetic.h"

namespace mlq::replay {
namespace {

constexpr int64_t kS = 1'000'000'000;

Accounts accounts_of(const std::vector<records::Result>& results) {
  Accounts accounts;
  for (const auto& r : results) accounts.add(r, synthetic_gaps(r));
  return accounts;
}

records::Summary summary_of(const std::vector<records::Result>& results, const RunFacts& facts) {
  return summarise(accounts_of(results), facts, {}).front();
}

std::vector<records::Result> plain(size_t n, int64_t lag_ns = 10) {
  std::vector<records::Result> out;
  for (uint64_t i = 0; i < n; ++i) out.push_back(ok_result(i, static_cast<int64_t>(i), lag_ns, 100));
  return out;
}

TEST(Summary, OfACleanRunIsValid) {
  const records::Summary s = summary_of(plain(100), {.to_ns = kS, .max_lag_ns = 10});
  EXPECT_TRUE(s.valid);
  EXPECT_FALSE(s.why);
  EXPECT_DOUBLE_EQ(*s.latency_over_service, 1.1);
}

TEST(Summary, SaysEveryReasonInTheDocumentedOrder) {
  RunFacts facts;
  facts.to_ns = kS;
  facts.max_lag_ns = 9;
  facts.shard_cpu = facts.cap_hit = facts.fd_limit = facts.ports = facts.starved = facts.records_dropped =
      true;
  facts.rt_throttled = facts.truncated = facts.clock_error = facts.missing_shards = true;
  auto results = plain(100);
  results.push_back(failed_result(100, 0, Outcome::dropped_cap));
  for (uint64_t i = 101; i < 104; ++i) results.push_back(failed_result(i, 0, Outcome::censored, 5));
  const records::Summary s = summary_of(results, facts);
  EXPECT_FALSE(s.valid);
  EXPECT_EQ(s.why,
            "lag_p99,shard_cpu,cap_hit,dropped,fd_limit,ports,trace_starved,records_dropped,rt_throttled,"
            "censored,truncated,clock_error,missing_shards");
}

TEST(Summary, CountsOnePercentGivenUpAsStillValid) {
  auto results = plain(99);
  results.push_back(failed_result(99, 0, Outcome::censored, 5));
  EXPECT_TRUE(summary_of(results, {.to_ns = kS}).valid);
  results.push_back(failed_result(100, 0, Outcome::cancelled, 5));
  EXPECT_EQ(summary_of(results, {.to_ns = kS}).why, "censored");
}

TEST(Summary, OfTheWholeRunHasLittlesLaw) {
  // 100 requests of 100 ns in 10,000 ns: one in flight.
  const records::Summary s =
      summary_of(plain(100), {.to_ns = 9'000, .drain_ns = 1'000, .inflight_ns = 10'000, .cpu_ns = 700});
  EXPECT_EQ(s.inflight_mean, 1.0);
  EXPECT_EQ(s.little_ratio, 1.0);
  EXPECT_EQ(s.cpu_ns_per_request, 7.0);
}

TEST(Summary, OfAClassHasNothingOfTheRunAsAWhole) {
  auto results = plain(10);
  for (auto& r : results) r.klass = "a";
  const auto all = summarise(accounts_of(results), {.to_ns = kS, .inflight_ns = 5, .cpu_ns = 5}, {});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].inflight_ns);
  EXPECT_EQ(all[1].klass, "a");
  EXPECT_FALSE(all[1].inflight_ns);
  EXPECT_FALSE(all[1].cpu_ns_per_request);
}

TEST(Summary, NotesClassesThatAreNotKeptApart) {
  std::vector<records::Result> results = plain(1100);
  for (auto& r : results) r.klass = std::to_string(r.i);
  EXPECT_EQ(summary_of(results, {.to_ns = kS}).note, "more than 1024 classes: the others are in * only");
}

TEST(Facts, ComeBackFromTheRecord) {
  RunFacts facts;
  facts.from_ns = 5;
  facts.to_ns = kS;
  facts.drain_ns = 17;
  facts.inflight_ns = 12345;
  facts.cpu_ns = 987'654'321'987'653;
  facts.max_lag_ns = 3;
  facts.ports = facts.clock_error = true;
  const RunFacts back = facts_of(summary_of(plain(37), facts));
  EXPECT_EQ(back.from_ns, facts.from_ns);
  EXPECT_EQ(back.to_ns, facts.to_ns);
  EXPECT_EQ(back.drain_ns, facts.drain_ns);
  EXPECT_EQ(back.inflight_ns, facts.inflight_ns);
  EXPECT_EQ(back.cpu_ns, facts.cpu_ns);
  EXPECT_TRUE(back.ports);
  EXPECT_TRUE(back.clock_error);
  EXPECT_FALSE(back.lag) << "it is found again from the lags";
  EXPECT_FALSE(back.starved);
}

TEST(SummaryRows, SayWhatIsNotKnown) {
  auto results = plain(50);
  for (uint64_t i = 50; i < 60; ++i)
    results.push_back(failed_result(i, 0, Outcome::total_timeout, 2'000'000));
  bool found = false;
  for (const auto& row : metric_rows(summary_of(results, {.to_ns = kS}), "-")) {
    if (row[0] == "latency") found = row[5] == "> 2 ms" && row[7] == "-";
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace mlq::replay
