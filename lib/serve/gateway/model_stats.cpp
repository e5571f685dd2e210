#include "lib/serve/gateway/model_stats.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace mlq::serve {
namespace {

bool is_shed(int status) { return status == 429 || status == 503; }

}  // namespace

ModelStats::Series& ModelStats::series(const Ending& ending) {
  const std::string name = ending.gen == ending.gen_admitted ? fmt::format("{}", ending.gen) : "mixed";
  for (auto at = series_.rbegin(); at != series_.rend(); ++at)
    if (at->first == name) return at->second;
  series_.emplace_back(name, Series{});
  if (series_.size() > kMostGenerations + 1) {
    auto oldest = series_.begin();
    if (oldest->first == "mixed") ++oldest;
    series_.erase(oldest);
  }
  return series_.back().second;
}

void ModelStats::ended(const Ending& e) {
  Series& s = series(e);
  ++s.requests[{e.status, std::string(e.reason)}];
  ++window_.requests;
  const bool ok = e.status >= 200 && e.status < 300 && !e.defaulted;
  if (ok) {
    s.latency.add(e.latency_ns);
    window_latency_.record(e.latency_ns);
    ++window_.ok;
  }
  if (e.queue_ns >= 0) {
    s.queue.add(e.queue_ns);
    window_queue_.record(e.queue_ns);
  }
  if (e.good) {
    ++s.good;
    ++good_;
    ++window_.good;
  } else if (e.has_deadline) {
    ++s.missed;
  }
  if (e.defaulted) {
    ++window_.defaulted;
    ++defaulted_[std::string(e.reason)];
  } else if (is_shed(e.status)) {
    ++window_.shed;
    ++shed_[std::string(e.reason)];
  } else if (!ok) {
    ++window_.failed;
  }
  if (e.hit) {
    ++cache_hits_;
    window_.cache_hits = window_.cache_hits.value_or(0) + 1;
  }
  if (e.coalesced) {
    ++coalesced_;
    window_.coalesced = window_.coalesced.value_or(0) + 1;
  }
}

void ModelStats::batch(uint32_t replica, uint32_t rows, int64_t latency_ns, BatchOutcome outcome) {
  ++window_.batches;
  window_rows_ += rows;
  batch_rows_.add(rows);
  if (outcome == BatchOutcome::clean) batch_seconds_[replica].add(latency_ns);
}

records::ServeWindow ModelStats::take_window(int64_t t_ns, int64_t window_ns) {
  records::ServeWindow out = std::exchange(window_, {});
  out.t_ns = t_ns;
  out.window_ns = window_ns;
  const double seconds = static_cast<double>(window_ns) * 1e-9;
  out.rate_per_s = static_cast<double>(std::exchange(window_arrivals_, 0)) / seconds;
  out.good_per_s = static_cast<double>(out.good) / seconds;
  out.latency_p50_ns = window_latency_.quantile({1, 2});
  out.latency_p99_ns = window_latency_.quantile({99, 100});
  out.queue_p99_ns = window_queue_.quantile({99, 100});
  if (out.batches > 0)
    out.batch_rows_mean = static_cast<double>(window_rows_) / static_cast<double>(out.batches);
  window_rows_ = 0;
  if (window_latency_.count() > 0) window_latency_ = {};
  if (window_queue_.count() > 0) window_queue_ = {};
  return out;
}

void ModelStats::write(std::span<const Named> models, MetricsText& out) {
  const auto each_series = [&](auto&& visit) {
    for (const auto& [model, stats] : models)
      for (const auto& [gen, series] : stats->series_) visit(model, gen, series);
  };
  out.family("requests_total", "counter", "Requests that ended; 499 is a client that went.");
  each_series([&](std::string_view model, const std::string& gen, const Series& s) {
    for (const auto& [key, count] : s.requests)
      out.sample(
          {{"model", model}, {"code", fmt::format("{}", key.first)}, {"reason", key.second}, {"gen", gen}},
          count);
  });
  out.family("good_total", "counter", "Answered with 2xx, no default, within the deadline.");
  each_series([&](std::string_view model, const std::string& gen, const Series& s) {
    out.sample({{"model", model}, {"gen", gen}}, s.good);
  });
  out.family("slo_miss_total", "counter", "Requests with a deadline that were not good.");
  each_series([&](std::string_view model, const std::string& gen, const Series& s) {
    out.sample({{"model", model}, {"gen", gen}}, s.missed);
  });
  out.family("request_seconds", "histogram", "First byte read to last byte written, of answers with 2xx.");
  each_series([&](std::string_view model, const std::string& gen, const Series& s) {
    out.sample({{"model", model}, {"gen", gen}}, s.latency);
  });
  out.family("queue_seconds", "histogram", "Time in the queue.");
  each_series([&](std::string_view model, const std::string& gen, const Series& s) {
    out.sample({{"model", model}, {"gen", gen}}, s.queue);
  });
  out.family("batch_rows", "histogram", "Rows of batches.");
  for (const auto& [model, stats] : models) out.sample({{"model", model}}, stats->batch_rows_);
  out.family("batch_seconds", "histogram", "First byte up to last byte down, of batches that were answered.");
  for (const auto& [model, stats] : models)
    for (const auto& [replica, seconds] : stats->batch_seconds_)
      out.sample({{"model", model}, {"replica", fmt::format("{}", replica)}}, seconds);
  const auto by_reason = [&](std::string_view name, std::string_view help, auto member) {
    out.family(name, "counter", help);
    for (const auto& [model, stats] : models)
      for (const auto& [reason, count] : stats->*member)
        out.sample({{"model", model}, {"reason", reason}}, count);
  };
  by_reason("shed_total", "Refused or dropped because of load.", &ModelStats::shed_);
  by_reason("default_total", "Answered with the default output.", &ModelStats::defaulted_);
  const auto plain = [&](std::string_view name, std::string_view help, auto member) {
    out.family(name, "counter", help);
    for (const auto& [model, stats] : models) out.sample({{"model", model}}, stats->*member);
  };
  plain("cache_hits_total", "Answers from the cache.", &ModelStats::cache_hits_);
  plain("cache_misses_total", "Requests that the cache could have answered and did not.",
        &ModelStats::cache_misses_);
  plain("cache_coalesced_total", "Answers that shared another request's upstream call.",
        &ModelStats::coalesced_);
  plain("split_fail_total", "Replies to batches that could not be cut by rows.",
        &ModelStats::split_failures_);
}

}  // namespace mlq::serve
