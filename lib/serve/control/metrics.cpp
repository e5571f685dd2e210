#include "lib/serve/control/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

namespace mlq::serve {
namespace {

// 1e-4 s times sqrt(2)^k; the last is a little over 10 s.
const std::array<double, DurationBuckets::kBounds>& bounds() {
  static const auto table = [] {
    std::array<double, DurationBuckets::kBounds> out{};
    for (size_t k = 0; k < out.size(); ++k)
      out[k] = std::ldexp(1e-4, static_cast<int>(k / 2)) * (k % 2 == 1 ? std::sqrt(2.0) : 1.0);
    return out;
  }();
  return table;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

double DurationBuckets::bound_s(size_t k) { return bounds()[k]; }

void DurationBuckets::add(int64_t ns) {
  const double s = static_cast<double>(ns) * 1e-9;
  const auto& table = bounds();
  ++counts_[static_cast<size_t>(std::lower_bound(table.begin(), table.end(), s) - table.begin())];
  ++total_;
  sum_s_ += s;
}

void RowBuckets::add(uint64_t rows) {
  const size_t k = rows <= 1 ? 0 : static_cast<size_t>(std::bit_width(rows - 1));
  ++counts_[std::min(k, kBounds)];
  ++total_;
  sum_ += rows;
}

void MetricsText::family(std::string_view name, std::string_view kind, std::string_view help) {
  name_ = prefix_ + std::string(name);
  out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, kind);
}

void MetricsText::line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value) {
  out_ += name_;
  out_ += suffix;
  char before = '{';
  for (const auto& [name, text] : labels) {
    out_ += fmt::format("{}{}=\"{}\"", before, name, escaped(text));
    before = ',';
  }
  if (!le.empty()) {
    out_ += fmt::format("{}le=\"{}\"", before, le);
    before = ',';
  }
  if (before == ',') out_ += '}';
  out_ += fmt::format(" {}\n", value);
}

void MetricsText::sample(Labels labels, double value) {
  // The format's words for what JSON does not have.
  const std::string text = std::isnan(value)   ? "NaN"
                           : std::isinf(value) ? (value > 0 ? "+Inf" : "-Inf")
                                               : fmt::format("{}", value);
  line("", labels, "", text);
}

void MetricsText::sample(Labels labels, uint64_t value) { line("", labels, "", fmt::format("{}", value)); }

template <class Bound>
void MetricsText::buckets(Labels labels, const uint64_t* counts, size_t bounds, Bound bound, uint64_t total,
                          double sum) {
  uint64_t below = 0;
  for (size_t k = 0; k < bounds; ++k) {
    below += counts[k];
    line("_bucket", labels, fmt::format("{:.6g}", bound(k)), fmt::format("{}", below));
  }
  line("_bucket", labels, "+Inf", fmt::format("{}", total));
  line("_sum", labels, "", fmt::format("{}", sum));
  line("_count", labels, "", fmt::format("{}", total));
}

void MetricsText::sample(Labels labels, const DurationBuckets& b) {
  buckets(labels, b.counts_.data(), DurationBuckets::kBounds, &DurationBuckets::bound_s, b.total_, b.sum_s_);
}

void MetricsText::sample(Labels labels, const RowBuckets& b) {
  buckets(
      labels, b.counts_.data(), RowBuckets::kBounds,
      [](size_t k) { return static_cast<double>(uint64_t{1} << k); }, b.total_, static_cast<double>(b.sum_));
}

}  // namespace mlq::serve
