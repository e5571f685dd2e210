#include "lib/replay/totals.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/records/load_schema.h"

namespace mlq::replay {
namespace {

constexpr int64_t kLongest = int64_t{1} << 61;  // ns, 73 years: sums of two do not overflow

void write_hist(std::string_view klass, std::optional<uint32_t> window, Metric metric, bool censored,
                const stats::Histogram& values, records::Writer& writer) {
  stats::HistogramFields fields = values.fields();
  records::Hist hist;
  hist.metric = metric_name(metric);
  hist.klass = klass;
  hist.kind = censored ? "censored" : "event";
  hist.window = window;
  hist.unit = "ns";
  hist.sub_bits = stats::Histogram::kSubBits;
  hist.count = fields.count;
  hist.sum = std::move(fields.sum);
  hist.min = fields.min;
  hist.max = fields.max;
  if (fields.clamped > 0) hist.clamped = fields.clamped;
  hist.bins = std::move(fields.bins);
  writer.write(hist);
}

void write_hists(std::string_view klass, std::optional<uint32_t> window, const Account& account,
                 bool ttft_bounds, records::Writer& writer) {
  for (size_t k = 0; k < kMetrics; ++k) {
    const auto metric = static_cast<Metric>(k);
    if (account.event_count(metric) > 0)
      write_hist(klass, window, metric, false, account.events(metric), writer);
    if (account.bound_count(metric) > 0 && (metric != Metric::ttft || ttft_bounds))
      write_hist(klass, window, metric, true, account.censored(metric), writer);
  }
}

void write_outcomes(std::string_view klass, std::optional<uint32_t> window, const Account& account,
                    records::Writer& writer) {
  for (size_t k = 0; k < kOutcomes; ++k) {
    const auto outcome = static_cast<Outcome>(k);
    if (account.count(outcome) == 0) continue;
    writer.write(records::OutcomeCount{std::string(klass), window, std::string(outcome_name(outcome)),
                                       account.count(outcome)});
  }
}

}  // namespace

void write_window(const Window& window, std::span<const stats::SloTerm> slo, bool sharded,
                  records::Writer& writer) {
  for (const records::LoadWindow& record : window_records(window, slo)) writer.write(record);
  if (!sharded) return;
  window.accounts.for_each([&](std::string_view klass, const Account& account) {
    write_hists(klass, window.index, account, true, writer);
    write_outcomes(klass, window.index, account, writer);
  });
}

void write_totals(const Accounts& accounts, std::span<const records::Summary> summaries, bool sharded,
                  const records::End& end, records::Writer& writer) {
  // Where nothing streams, bounds of the time to a first token say nothing; a shard cannot know.
  const bool ttft_bounds = sharded || accounts.all().event_count(Metric::ttft) > 0;
  accounts.for_each([&](std::string_view klass, const Account& account) {
    write_hists(klass, std::nullopt, account, ttft_bounds, writer);
  });
  accounts.for_each([&](std::string_view klass, const Account& account) {
    write_outcomes(klass, std::nullopt, account, writer);
  });
  for (const records::Summary& summary : summaries) writer.write(summary);
  writer.end(end);
}

stats::Histogram histogram_of(const records::Hist& hist) {
  if (hist.unit != "ns" || hist.sub_bits != stats::Histogram::kSubBits) {
    throw input_error("hist of {}: unit \"{}\" with {} sub_bits; this program counts ns with {}", hist.metric,
                      hist.unit, hist.sub_bits, stats::Histogram::kSubBits);
  }
  try {
    return stats::Histogram::from_fields(
        {hist.count, hist.sum, hist.min, hist.max, hist.clamped.value_or(0), hist.bins});
  } catch (const Error& e) {
    throw input_error("hist of {}, class {}: {}", hist.metric, hist.klass, e.what());
  }
}

Account& AccountsReader::account(std::string_view klass) {
  Account* const found = accounts_.account(klass);
  if (found == nullptr) throw input_error("more than {} classes", Accounts::kMostClasses);
  return *found;
}

void AccountsReader::expect_new(std::string key) {
  const auto [at, is_new] = seen_.insert(std::move(key));
  if (!is_new) throw input_error("two records of {}", *at);
}

void AccountsReader::add(const records::Hist& hist) {
  const std::string kind = hist.kind.value_or("event");
  const auto metric = metric_named(hist.metric);
  if (!metric || (kind != "event" && kind != "censored"))
    throw input_error("hist of \"{}\" ({}): no such distribution of a run", hist.metric, kind);
  expect_new(fmt::format("hist {} ({}) of class {}", hist.metric, kind, hist.klass));
  account(hist.klass).add_values(*metric, kind == "censored", histogram_of(hist));
}

void AccountsReader::add(const records::OutcomeCount& record) {
  const auto outcome = outcome_named(record.outcome);
  if (!outcome) throw input_error("outcome \"{}\" is unknown", record.outcome);
  expect_new(fmt::format("outcome {} of class {}", record.outcome, record.klass));
  account(record.klass).add_outcomes(*outcome, record.count);
}

void AccountsReader::add(const records::LoadStats& stats) {
  expect_new(fmt::format("the counts of class {}", stats.klass));
  const int64_t drain_ns = stats.drain_ns.value_or(0);
  if (stats.from_ns < 0 || stats.to_ns < stats.from_ns || stats.to_ns > kLongest || drain_ns < 0 ||
      drain_ns > kLongest)
    throw input_error("class {}: from_ns, to_ns and drain_ns are no span of time", stats.klass);
  account(stats.klass).add_counts(stats);
  stats_.emplace(stats.klass, stats);
}

void AccountsReader::check(std::string_view klass, const records::LoadStats& stats) const {
  const Account& account = *accounts_.find(klass);
  uint64_t unanswered = 0;
  for (size_t k = 0; k < kOutcomes; ++k) {
    const auto outcome = static_cast<Outcome>(k);
    unanswered += is_unanswered(outcome) ? account.count(outcome) : 0;
  }
  const auto expect = [&](bool holds, std::string_view what) {
    if (!holds) throw input_error("class {}: {} do not agree; the records are damaged", klass, what);
  };
  expect(stats.unfinished.value_or(0) <= stats.planned &&
             stats.planned - stats.unfinished.value_or(0) == account.planned(),
         "planned and the outcomes");
  expect(stats.ok == account.count(Outcome::ok) && stats.good <= stats.ok, "ok, good and the outcomes");
  expect(stats.done == account.done(), "done and the outcomes");
  expect(stats.dropped == account.count(Outcome::dropped_cap), "dropped and the outcomes");
  expect(stats.censored == account.censored_count(), "censored and the outcomes");
  expect(stats.sent == account.event_count(Metric::lag), "sent and the histogram of lag");
  expect(stats.sent == account.event_count(Metric::queue), "sent and the histogram of queue");
  expect(account.event_count(Metric::latency) <= stats.ok, "ok and the histogram of latency");
  expect(account.event_count(Metric::service) <= stats.done, "done and the histogram of service");
  expect(account.bound_count(Metric::latency) <= unanswered, "the unanswered and the bounds of latency");
}

Accounts AccountsReader::finish() {
  if (!stats_.contains(kAll))
    throw input_error("there are no counts of all requests (class *); is this what mlq-replay run wrote?");
  accounts_.for_each([&](std::string_view klass, const Account&) {
    const auto stats = stats_.find(klass);
    if (stats == stats_.end())
      throw input_error("class {}: there are histograms and no counts; the records are damaged", klass);
    check(klass, stats->second);
  });
  return std::move(accounts_);
}

}  // namespace mlq::replay
