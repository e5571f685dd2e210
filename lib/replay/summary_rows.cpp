// A summary for people.
#include <fmt/format.h>

#include "lib/replay/summary.h"

namespace mlq::replay {
namespace {

class Rows {
 public:
  void add(std::string name, std::string value) { rows_.emplace_back(std::move(name), std::move(value)); }
  void count(std::string name, uint64_t count) { add(std::move(name), fmt::format("{}", count)); }
  void rate(std::string name, const std::optional<double>& rate) {
    if (rate) add(std::move(name), fmt::format("{:.5g}/s", *rate));
  }
  void number(std::string name, const std::optional<double>& number) {
    if (number) add(std::move(name), fmt::format("{:.4g}", *number));
  }
  void interval(std::string name, const std::optional<int64_t>& lo, const std::optional<int64_t>& hi) {
    if (!lo || !hi) return;
    add(std::move(name),
        fmt::format("{} to {}", time_text(static_cast<double>(*lo)), time_text(static_cast<double>(*hi))));
  }
  std::vector<std::pair<std::string, std::string>> take() { return std::move(rows_); }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

}  // namespace

std::string time_text(double ns) {
  constexpr std::pair<double, const char*> units[] = {{3600e9, "h"}, {60e9, "min"}, {1e9, "s"},
                                                      {1e6, "ms"},   {1e3, "us"},   {1, "ns"}};
  for (const auto& [size, name] : units) {
    if (ns >= size) return fmt::format("{:.3g} {}", ns / size, name);
  }
  return fmt::format("{:.3g} ns", ns);
}

std::vector<std::pair<std::string, std::string>> summary_rows(const records::Summary& s) {
  Rows rows;
  rows.add("length", time_text(static_cast<double>(s.to_ns - s.from_ns)));
  rows.count("planned", s.planned);
  rows.count("sent", s.sent);
  rows.count("answered", s.done);
  rows.count("ok", s.ok);
  if (s.good != s.ok) rows.count("good", s.good);
  if (s.dropped > 0) rows.count("dropped at the cap", s.dropped);
  if (s.censored > 0) rows.count("given up at the end", s.censored);
  rows.rate("offered", s.offered_per_s);
  rows.rate("throughput", s.done_per_s);
  rows.rate("goodput", s.good_per_s);
  rows.rate("input tokens", s.input_tokens_per_s);
  rows.rate("output tokens", s.output_tokens_per_s);
  if (s.attain && s.attain_lo && s.attain_hi) {
    rows.add("attainment", fmt::format("{:.2f} % ({:.2f} to {:.2f})", *s.attain * 100, *s.attain_lo * 100,
                                       *s.attain_hi * 100));
  }
  rows.interval("latency p99, 95 % interval", s.latency.p99_lo, s.latency.p99_hi);
  rows.number("latency / service", s.latency_over_service);
  rows.number("in flight, mean", s.inflight_mean);
  if (s.inflight_max) rows.count("in flight, max", *s.inflight_max);
  if (s.cpu_ns_per_request) rows.add("CPU a request", time_text(*s.cpu_ns_per_request));
  if (s.slo_pass) rows.add("SLO", *s.slo_pass ? "met" : "MISSED");
  rows.add("valid", s.valid ? "yes" : "NO: " + s.why.value_or(""));
  return rows.take();
}

std::vector<std::vector<std::string>> metric_rows(const records::Summary& s, std::string_view missing) {
  const auto time = [missing](const auto& ns) {
    return ns ? time_text(static_cast<double>(*ns)) : std::string(missing);
  };
  const std::pair<const char*, const records::MetricStats*> metrics[] = {
      {"latency", &s.latency}, {"service", &s.service}, {"lag", &s.lag}, {"queue", &s.queue},
      {"ttft", &s.ttft},       {"tpot", &s.tpot},       {"itl", &s.itl}};
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, m] : metrics) {
    if (!m->p50 && !m->p99_lo) continue;
    const std::string p99 =
        !m->p99 && m->p99_lo ? "> " + time_text(static_cast<double>(*m->p99_lo)) : time(m->p99);
    rows.push_back(
        {name, time(m->mean), time(m->p50), time(m->p90), time(m->p95), p99, time(m->p999), time(m->max)});
  }
  return rows;
}

}  // namespace mlq::replay
