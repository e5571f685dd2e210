// A trace_stat for people.
#include <cmath>

#include "lib/arrival/describe/describe.h"

namespace mlq::arrival {
namespace {

// `1.23 ms`: three digits are enough to look at.
std::string time_text(double ns) {
  constexpr std::pair<double, const char*> units[] = {
      {86400e9, "d"}, {3600e9, "h"}, {60e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
  for (const auto& [size, name] : units) {
    if (ns >= size) return fmt::format("{:.3g} {}", ns / size, name);
  }
  return fmt::format("{:.3g} ns", ns);
}

class Rows {
 public:
  template <class T, class Format>
  void add(std::string name, const std::optional<T>& value, Format format) {
    if (value) rows_.emplace_back(std::move(name), format(*value));
  }
  void add_time(std::string name, const std::optional<double>& ns) { add(std::move(name), ns, time_text); }
  void add_time(std::string name, const std::optional<int64_t>& ns) {
    add(std::move(name), ns, [](int64_t value) { return time_text(static_cast<double>(value)); });
  }
  template <class T>
  void add_number(std::string name, const std::optional<T>& value) {
    add(std::move(name), value, [](T v) {
      if constexpr (std::is_floating_point_v<T>) return fmt::format("{:.4g}", v);
      return fmt::format("{}", v);
    });
  }
  std::vector<std::pair<std::string, std::string>> take() { return std::move(rows_); }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> summary_rows(const records::TraceStat& stat) {
  Rows rows;
  rows.add_number("arrivals", std::optional(stat.count));
  rows.add_time("duration", std::optional(stat.duration_ns));
  if (!std::isnan(stat.rate_per_s)) rows.add_number("rate (1/s)", std::optional(stat.rate_per_s));
  rows.add_time("gap mean", stat.gap_mean_ns);
  rows.add_number("gap CV", stat.gap_cv);
  rows.add_time("gap p50", stat.gap_p50_ns);
  rows.add_time("gap p99", stat.gap_p99_ns);
  rows.add_time("gap max", stat.gap_max_ns);
  rows.add_number("busiest second / mean", stat.peak_ratio_1s);
  rows.add_time("tick", stat.tick_ns);
  rows.add_time("resolution", stat.resolution_ns);
  rows.add_number("distinct times", stat.distinct_times);
  if (stat.inversions.value_or(0) > 0) rows.add_number("out of order", stat.inversions);
  rows.add("Hurst exponent", stat.hurst, [&](double h) {
    return fmt::format("{:.2f} ({:.2f} to {:.2f})", h, stat.hurst_lo.value_or(h), stat.hurst_hi.value_or(h));
  });
  rows.add_time("period", stat.period_ns);
  rows.add_number("input tokens mean", stat.input_tokens_mean);
  rows.add_number("input tokens p50", stat.input_tokens_p50);
  rows.add_number("input tokens p99", stat.input_tokens_p99);
  rows.add_number("output tokens mean", stat.output_tokens_mean);
  rows.add_number("output tokens p50", stat.output_tokens_p50);
  rows.add_number("output tokens p99", stat.output_tokens_p99);
  rows.add("prefix reuse", stat.prefix_reuse,
           [](double share) { return fmt::format("{:.1f} %", share * 100); });
  return rows.take();
}

}  // namespace mlq::arrival
