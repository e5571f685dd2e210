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
  void metric(const std::string& name, const records::MetricStats& m) {
    if (!m.p50 && !m.p99_lo) return;
    time(name + " mean", m.mean);
    time(name + " p50", m.p50);
    time(name + " p90", m.p90);
    time(name + " p95", m.p95);
    if (m.p99) {
      interval(name + " p99", *m.p99, m.p99_lo, m.p99_hi);
    } else if (m.p99_lo) {
      add(name + " p99", "unknown, above " + time_text(static_cast<double>(*m.p99_lo)));
    }
    time(name + " p99.9", m.p999);
    time(name + " max", m.max);
  }
  std::vector<std::pair<std::string, std::string>> take() { return std::move(rows_); }

 private:
  template <class T>
  void time(std::string name, const std::optional<T>& ns) {
    if (ns) add(std::move(name), time_text(static_cast<double>(*ns)));
  }
  void interval(std::string name, int64_t ns, const std::optional<int64_t>& lo,
                const std::optional<int64_t>& hi) {
    std::string text = time_text(static_cast<double>(ns));
    if (lo && hi) {
      text += fmt::format(" ({} to {})", time_text(static_cast<double>(*lo)),
                          time_text(static_cast<double>(*hi)));
    }
    add(std::move(name), std::move(text));
  }

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
  rows.metric("latency", s.latency);
  rows.metric("service", s.service);
  rows.metric("lag", s.lag);
  rows.metric("ttft", s.ttft);
  rows.metric("tpot", s.tpot);
  rows.metric("itl", s.itl);
  rows.number("latency / service", s.latency_over_service);
  rows.number("in flight, mean", s.inflight_mean);
  if (s.inflight_max) rows.count("in flight, max", *s.inflight_max);
  if (s.cpu_ns_per_request) rows.add("CPU a request", time_text(*s.cpu_ns_per_request));
  if (s.slo_pass) rows.add("SLO", *s.slo_pass ? "met" : "MISSED");
  rows.add("valid", s.valid ? "yes" : "NO: " + s.why.value_or(""));
  if (s.note) rows.add("note", *s.note);
  return rows.take();
}

}  // namespace mlq::replay
