#include "lib/replay/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace mlq::replay {
namespace {

// The doubts that are facts of the run, by their words.
struct Fact {
  std::string_view word;
  bool RunFacts::*member;
};
constexpr Fact kFacts[] = {
    {"lag_p99", &RunFacts::lag},
    {"shard_cpu", &RunFacts::shard_cpu},
    {"cap_hit", &RunFacts::cap_hit},
    {"fd_limit", &RunFacts::fd_limit},
    {"ports", &RunFacts::ports},
    {"trace_starved", &RunFacts::starved},
    {"records_dropped", &RunFacts::records_dropped},
    {"rt_throttled", &RunFacts::rt_throttled},
    {"truncated", &RunFacts::truncated},
    {"clock_error", &RunFacts::clock_error},
    {"missing_shards", &RunFacts::missing_shards},
};
constexpr std::string_view kOrder[] = {"lag_p99",       "shard_cpu", "cap_hit",       "dropped",
                                       "fd_limit",      "ports",     "trace_starved", "records_dropped",
                                       "rt_throttled",  "censored",  "truncated",     "clock_error",
                                       "missing_shards"};

bool lags(const Account& account, const RunFacts& facts) {
  const auto p99 = account.events(Metric::lag).quantile({99, 100});
  return p99 && facts.max_lag_ns && *p99 > *facts.max_lag_ns;
}

double sum_of(const stats::Histogram& values) {
  return values.mean().value_or(0) * static_cast<double>(values.count());
}

void describe_run(const Account& account, const RunFacts& facts, records::Summary& out) {
  if (facts.inflight_ns) {
    const auto flight = static_cast<double>(*facts.inflight_ns);
    const int64_t length = facts.to_ns - facts.from_ns + facts.drain_ns;
    const double service = sum_of(account.events(Metric::service));
    out.inflight_ns = facts.inflight_ns;
    if (length > 0) out.inflight_mean = flight / static_cast<double>(length);
    if (service > 0) out.little_ratio = flight / service;
  }
  out.inflight_max = facts.inflight_max;
  if (facts.cpu_ns && account.sent() > 0)
    out.cpu_ns_per_request = static_cast<double>(*facts.cpu_ns) / static_cast<double>(account.sent());
  out.lag_drift_ns_per_min = facts.lag_drift_ns_per_min;
}

}  // namespace

std::vector<std::string_view> doubts(const Account& account, const RunFacts& facts) {
  std::vector<std::string_view> words;
  for (const Fact& fact : kFacts) {
    if (facts.*fact.member) words.push_back(fact.word);
  }
  if (!facts.lag && lags(account, facts)) words.push_back("lag_p99");
  if (account.count(Outcome::dropped_cap) > 0) words.push_back("dropped");
  if (account.censored_count() * 100 > account.planned()) words.push_back("censored");
  const auto place = [](std::string_view word) {
    return std::find(std::begin(kOrder), std::end(kOrder), word) - std::begin(kOrder);
  };
  std::sort(words.begin(), words.end(),
            [&](std::string_view a, std::string_view b) { return place(a) < place(b); });
  return words;
}

records::Summary summarise(std::string_view klass, const Account& account, const RunFacts& facts,
                           std::span<const stats::SloTerm> slo) {
  records::Summary out;
  out.klass = klass;
  account.describe({facts.from_ns, facts.to_ns, facts.drain_ns, 0}, slo, out);
  if (klass == kAll) describe_run(account, facts, out);
  // Of the answers, whatever happened to the others.
  const auto latency = account.events(Metric::latency).mean();
  const auto service = account.events(Metric::service).mean();
  if (latency && service.value_or(0) > 0) out.latency_over_service = *latency / *service;
  out.warmup_ns = facts.warmup_ns;
  out.max_lag_ns = facts.max_lag_ns;
  std::string why;
  for (const std::string_view word : doubts(account, facts)) {
    if (!why.empty()) why += ',';
    why += word;
  }
  out.valid = why.empty();
  if (!why.empty()) out.why = why;
  return out;
}

std::vector<records::Summary> summarise(const Accounts& accounts, const RunFacts& facts,
                                        std::span<const stats::SloTerm> slo) {
  std::vector<records::Summary> out;
  accounts.for_each([&](std::string_view klass, const Account& account) {
    out.push_back(summarise(klass, account, facts, slo));
  });
  if (accounts.dropped()) {
    const std::string note =
        fmt::format("more than {} classes: the others are in * only", Accounts::kMostClasses);
    std::optional<std::string>& notes = out.front().note;
    notes = notes ? *notes + "; " + note : note;
  }
  return out;
}

RunFacts facts_of(const records::Summary& summary) {
  RunFacts facts;
  facts.from_ns = summary.from_ns;
  facts.to_ns = summary.to_ns;
  facts.drain_ns = summary.drain_ns.value_or(0);
  facts.inflight_ns = summary.inflight_ns;
  facts.inflight_max = summary.inflight_max;
  // Not below 0 and below 2^62; NaN is neither.
  const double cpu_ns = summary.cpu_ns_per_request.value_or(-1) * static_cast<double>(summary.sent);
  if (summary.cpu_ns_per_request && cpu_ns >= 0 && cpu_ns < 0x1p62) facts.cpu_ns = std::llround(cpu_ns);
  facts.lag_drift_ns_per_min = summary.lag_drift_ns_per_min;
  facts.warmup_ns = summary.warmup_ns;
  facts.max_lag_ns = summary.max_lag_ns;
  std::string_view why = summary.why ? std::string_view(*summary.why) : std::string_view();
  while (!why.empty()) {
    const std::string_view word = why.substr(0, why.find(','));
    for (const Fact& fact : kFacts) {
      if (word == fact.word) facts.*fact.member = true;
    }
    why.remove_prefix(std::min(word.size() + 1, why.size()));
  }
  if (facts.max_lag_ns) facts.lag = false;  // found again from the lags
  return facts;
}

}  // namespace mlq::replay
