#include "lib/replay/account.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/load_schema.h"
#include "lib/replay/accounts.h"
#include "lib/stats/quantile.h"
#include "tests/replay/synthetic.h"

namespace mlq::replay {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000'000'000;

records::LoadStats described(const Account& account, const Span& span, std::string_view slo = "") {
  records::LoadStats out;
  account.describe(span, slo.empty() ? std::vector<stats::SloTerm>{} : stats::parse_slo(slo), out);
  return out;
}

Account account_of(const std::vector<records::Result>& results) {
  Account account;
  for (const auto& r : results) account.add(r, synthetic_gaps(r));
  return account;
}

std::string line(const records::LoadStats& stats) {
  records::LoadWindow window;
  static_cast<records::LoadStats&>(window) = stats;
  jsonl::Buffer out;
  records::write_record(out, window);
  return std::string(out.view());
}

TEST(Account, OfNothingHasNoRatesBesideZeroAndNoQuantiles) {
  const records::LoadStats s = described({}, {0, kS, 0, 0}, "p99<=1ms");
  EXPECT_EQ(s.planned, 0u);
  EXPECT_EQ(s.offered_per_s, 0.0);
  EXPECT_FALSE(s.attain);
  EXPECT_FALSE(s.latency.p50);
  EXPECT_FALSE(s.slo_pass);
  EXPECT_FALSE(described({}, {5, 5, 0, 0}).offered_per_s);
}

TEST(Account, CountsAndRates) {
  Account account;
  account.add(ok_result(0, 0, 0, 5 * kMs), {});
  account.add(failed_result(1, 10, Outcome::http_5xx, 7), {});
  account.add(failed_result(2, 20, Outcome::dropped_cap), {});
  account.add(failed_result(3, 30, Outcome::censored, 9), {});
  account.add(failed_result(4, 40, Outcome::cancelled), {});
  const records::LoadStats s = described(account, {0, 2 * kS, 3 * kS, 0});
  EXPECT_EQ(s.planned, 5u);
  EXPECT_EQ(s.sent, 3u);
  EXPECT_EQ(s.done, 2u);
  EXPECT_EQ(s.ok, 1u);
  EXPECT_EQ(s.good, 1u);
  EXPECT_EQ(s.dropped, 1u);
  EXPECT_EQ(s.censored, 2u);
  EXPECT_EQ(s.offered_per_s, 2.5);
  EXPECT_EQ(s.sent_per_s, 1.5);
  EXPECT_EQ(s.done_per_s, 2 / 5.0);
  EXPECT_EQ(s.good_per_s, 1 / 5.0);
  EXPECT_EQ(s.attain, 0.2);
  const stats::Interval wilson = stats::wilson_interval(1, 5);
  EXPECT_EQ(s.attain_lo, wilson.lo);
  EXPECT_EQ(s.attain_hi, wilson.hi);
}

TEST(Account, LagIsOfEveryRequestSentAndServiceOfEveryAnswer) {
  Account account;
  account.add(ok_result(0, 0, 3, 5), {});
  records::Result error = ok_result(1, 0, 4, 6);
  error.outcome = "http_5xx";
  account.add(error, {});
  account.add(failed_result(2, 0, Outcome::total_timeout, 100), {});
  account.add(failed_result(3, 0, Outcome::dropped_cap), {});
  EXPECT_EQ(account.event_count(Metric::lag), 3u);
  EXPECT_EQ(account.event_count(Metric::queue), 3u);
  EXPECT_EQ(account.event_count(Metric::service), 2u);
  EXPECT_EQ(account.event_count(Metric::latency), 1u);
  EXPECT_EQ(account.bound_count(Metric::latency), 1u);
  EXPECT_EQ(account.beyond(), 1u);
}

TEST(Account, TimesOfPlainRecordsComeFromTheirStamps) {
  records::Result r;
  r.outcome = "ok";
  r.due_ns = 100;
  r.send_ns = 110;
  r.tok1_ns = 130;
  r.last_ns = 200;
  Account account;
  account.add(r, {});
  EXPECT_EQ(account.events(Metric::latency).max(), 100);
  EXPECT_EQ(account.events(Metric::service).max(), 90);
  EXPECT_EQ(account.events(Metric::lag).max(), 10);
  EXPECT_EQ(account.events(Metric::ttft).max(), 30);
}

TEST(Account, UnansweredRequestsStayInTheTail) {
  Account account;
  for (uint64_t i = 0; i < 90; ++i) account.add(ok_result(i, 0, 0, static_cast<int64_t>(i) + 1), {});
  for (uint64_t i = 90; i < 100; ++i) account.add(failed_result(i, 0, Outcome::total_timeout, 1000), {});
  const records::LoadStats s = described(account, {0, kS, 0, 0});
  EXPECT_EQ(s.latency.p50, 50);
  EXPECT_EQ(s.latency.p90, 90);
  EXPECT_FALSE(s.latency.p95);
  EXPECT_FALSE(s.latency.p99);
  EXPECT_EQ(s.latency.p99_lo, 1000);
  EXPECT_FALSE(s.latency.mean);
  EXPECT_FALSE(s.latency.max);
  EXPECT_EQ(
      s.note,
      "latency: 10 of 100 requests went unanswered, so mean, max and the quantiles from p95 on are unknown");
}

TEST(Account, OtherErrorsLeaveTheLatencyAndMissTheObjective) {
  Account account;
  account.add(ok_result(0, 0, 0, 10), {});
  account.add(failed_result(1, 0, Outcome::reset, 100000), {});
  const records::LoadStats s = described(account, {0, kS, 0, 0});
  EXPECT_EQ(s.latency.max, 10);
  EXPECT_EQ(s.attain, 0.5);
  EXPECT_FALSE(s.note);
}

TEST(Account, FirstTokenBeforeATimeoutIsAValue) {
  Account account;
  records::Result r = failed_result(0, 0, Outcome::idle_timeout, 1000);
  r.tok1_ns = 40;
  r.ttft_ns = 40;
  account.add(r, {});
  account.add(failed_result(1, 0, Outcome::idle_timeout, 1000), {});
  EXPECT_EQ(account.events(Metric::ttft).max(), 40);
  EXPECT_EQ(account.bound_count(Metric::ttft), 1u);
  EXPECT_EQ(account.bound_count(Metric::latency), 2u);
}

TEST(Account, WithoutTokensThereIsNoTimeToTheFirst) {
  Account account;
  account.add(ok_result(0, 0, 0, 10), {});
  account.add(failed_result(1, 0, Outcome::total_timeout, 1000), {});
  const records::LoadStats s = described(account, {0, kS, 0, 0});
  EXPECT_FALSE(s.ttft.p50);
  EXPECT_FALSE(s.ttft.p99_lo);
}

TEST(Account, RefusesUnknownOutcomesAndNegativeTimesWhole) {
  Account account;
  records::Result r = ok_result(7, 0, 0, 10);
  r.outcome = "fine";
  EXPECT_THROW(account.add(r, {}), Error);
  r = ok_result(7, 0, 0, 10);
  r.service_ns = -1;
  EXPECT_THROW(account.add(r, {}), Error);
  EXPECT_EQ(account.planned(), 0u);
  EXPECT_EQ(account.event_count(Metric::latency), 0u);
}

TEST(Account, ShardsMergeToTheAccountOfOneProcess) {
  for (const unsigned bad : {0u, 60u}) {
    const auto results = synthetic_results({.n = 3000, .bad_of_1024 = bad});
    const std::string one = line(described(account_of(results), {0, 30 * kS, kS, 0}, "p99<=1s"));
    for (const size_t shards : {2u, 4u, 16u}) {
      std::vector<Account> parts(shards);
      for (const auto& r : results) parts[r.i % shards].add(r, synthetic_gaps(r));
      Account merged;
      for (size_t k = shards; k-- > 0;) merged.merge(parts[k]);
      EXPECT_EQ(line(described(merged, {0, 30 * kS, kS, 0}, "p99<=1s")), one);
    }
  }
}

// M/M/1 with rho = 1/2: the response is exponential with mean 1 / (mu - lambda) = 10 ms.
TEST(Account, OfASingleQueueHasTheTextbooksQuantiles) {
  const Account account = account_of(synthetic_results({.n = 200000, .tokens = false, .seed = 3}));
  const records::LoadStats s = described(account, {0, kS, 0, 0});
  EXPECT_NEAR(*s.latency.mean, 10e6, 0.3e6);
  EXPECT_NEAR(static_cast<double>(*s.latency.p50), 10e6 * std::log(2.0), 0.3e6);
  EXPECT_NEAR(static_cast<double>(*s.latency.p99), 10e6 * std::log(100.0), 3e6);
  EXPECT_LT(*s.latency.p50_lo, *s.latency.p50);
  EXPECT_GT(*s.latency.p99_hi, *s.latency.p99);
}

TEST(Account, NotesUnfinishedRequestsAsPlannedAndUnknown) {
  Account account;
  account.add(ok_result(0, 0, 0, 10), {});
  const records::LoadStats s = described(account, {0, kS, std::nullopt, 3});
  EXPECT_EQ(s.planned, 4u);
  EXPECT_EQ(s.unfinished, 3u);
  EXPECT_EQ(s.attain, 0.25);
  EXPECT_FALSE(s.latency.p50);
  EXPECT_EQ(s.latency.p99_lo, 10);
}

TEST(Good, NeedsTheOutcomeTheDeadlineAndEveryTermOfEachRequest) {
  const auto slo = stats::parse_slo("latency<=10ms && ttft<5ms && p99<=1ns");
  records::Result r = ok_result(0, 0, 0, 10 * kMs);
  r.ttft_ns = 4 * kMs;
  EXPECT_TRUE(is_good(r, slo));
  r.ttft_ns = 5 * kMs;
  EXPECT_FALSE(is_good(r, slo));
  r.ttft_ns.reset();
  EXPECT_FALSE(is_good(r, slo)) << "an answer without tokens has no ttft";
  r.ttft_ns = 1;
  r.deadline_ns = 9 * kMs;
  EXPECT_FALSE(is_good(r, slo));
  r.deadline_ns = 10 * kMs;
  EXPECT_TRUE(is_good(r, slo));
  r.outcome = "json";
  EXPECT_FALSE(is_good(r, slo));
  EXPECT_TRUE(is_good(ok_result(0, 0, 0, 1), {}));
}

bool holds_for(const Account& account, std::string_view term, const Span& span = {0, kS, 0, 0}) {
  return holds(stats::parse_slo(term).front(), account, span);
}

TEST(Slo, AggregateTermsAreOfTheDistributions) {
  Account account;
  for (uint64_t i = 0; i < 100; ++i) account.add(ok_result(i, 0, 0, static_cast<int64_t>(i + 1)), {});
  EXPECT_TRUE(holds_for(account, "p99<=99ns"));
  EXPECT_FALSE(holds_for(account, "p99<99ns"));
  EXPECT_TRUE(holds_for(account, "mean(latency)<=51ns"));
  EXPECT_FALSE(holds_for(account, "mean(service)<=50ns"));
  EXPECT_TRUE(holds_for(account, "max(latency)<=100ns"));
  EXPECT_FALSE(holds_for(account, "p50(ttft)<=1h")) << "nothing had a first token";
}

TEST(Slo, WhatLiesAmongTheUnansweredFailsAnUpperLimit) {
  Account account;
  for (uint64_t i = 0; i < 90; ++i) account.add(ok_result(i, 0, 0, 10), {});
  for (uint64_t i = 90; i < 100; ++i) account.add(failed_result(i, 0, Outcome::total_timeout, 1000), {});
  EXPECT_TRUE(holds_for(account, "p90<=10ns"));
  EXPECT_FALSE(holds_for(account, "p99<=1h"));
  EXPECT_TRUE(holds_for(account, "p99>=1us"));
  EXPECT_FALSE(holds_for(account, "p99>=1ms")) << "it may lie above, but that is not known";
  EXPECT_FALSE(holds_for(account, "max(latency)<=1h"));
  EXPECT_FALSE(holds_for(account, "mean(latency)<=1h"));
}

TEST(Slo, SharesAreExactFractions) {
  Account account;
  for (uint64_t i = 0; i < 99; ++i) account.add(ok_result(i, 0, 0, 10), {});
  account.add(failed_result(99, 0, Outcome::reset, 1), {});
  EXPECT_TRUE(holds_for(account, "error_rate<=1%"));
  EXPECT_FALSE(holds_for(account, "error_rate<1%"));
  EXPECT_TRUE(holds_for(account, "attain>=0.99"));
  EXPECT_FALSE(holds_for(account, "attain>0.99"));
  EXPECT_TRUE(holds_for(account, "goodput>=99/s"));
  EXPECT_FALSE(holds_for(account, "goodput>=99/s", {0, kS, 1, 0}));
  EXPECT_FALSE(holds_for(account, "goodput>=1/h", {0, 0, 0, 0}));
  EXPECT_FALSE(holds_for(account, "error_rate<=1%", {0, kS, 0, 1})) << "unfinished requests are not ok";
}

TEST(Accounts, CountEveryRequestUnderAllAndUnderItsClass) {
  Accounts accounts;
  records::Result r = ok_result(0, 0, 0, 10);
  accounts.add(r, {});
  r.klass = "chat";
  accounts.add(r, {});
  EXPECT_EQ(accounts.all().planned(), 2u);
  ASSERT_EQ(accounts.classes().size(), 1u);
  EXPECT_EQ(accounts.find("chat")->planned(), 1u);
  EXPECT_EQ(accounts.find("other"), nullptr);
}

TEST(Accounts, KeepAThousandClassesApart) {
  Accounts accounts;
  for (uint64_t i = 0; i < 1500; ++i) {
    records::Result r = ok_result(i, 0, 0, 10);
    r.klass = std::to_string(i);
    accounts.add(r, {});
  }
  EXPECT_EQ(accounts.classes().size(), Accounts::kMostClasses);
  EXPECT_TRUE(accounts.dropped());
  EXPECT_EQ(accounts.all().planned(), 1500u);
}

}  // namespace
}  // namespace mlq::replay
