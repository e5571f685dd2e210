// Metrics as text: Prometheus' exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace mlq::serve {

// Counts of durations in buckets from 100 us to 10 s by factors of sqrt 2, and one above. Not thread-safe.
class DurationBuckets {
 public:
  static constexpr size_t kBounds = 35;
  void add(int64_t ns);
  uint64_t count() const { return total_; }
  static double bound_s(size_t k);  // upper, inclusive

 private:
  friend class MetricsText;
  std::array<uint64_t, kBounds + 1> counts_{};
  uint64_t total_ = 0;
  double sum_s_ = 0;
};

// Powers of two up to 4096, and above: for rows of batches.
class RowBuckets {
 public:
  static constexpr size_t kBounds = 13;
  void add(uint64_t rows);

 private:
  friend class MetricsText;
  std::array<uint64_t, kBounds + 1> counts_{};
  uint64_t total_ = 0;
  uint64_t sum_ = 0;
};

// Text under construction: a family, then its samples.
class MetricsText {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  explicit MetricsText(std::string_view prefix) : prefix_(prefix) {}
  // `kind` is counter, gauge or histogram. Samples that follow belong to it.
  void family(std::string_view name, std::string_view kind, std::string_view help);
  void sample(Labels labels, double value);
  void sample(Labels labels, uint64_t value);
  void sample(Labels labels, const DurationBuckets& buckets);
  void sample(Labels labels, const RowBuckets& buckets);
  const std::string& text() const { return out_; }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);
  template <class Bound>
  void buckets(Labels labels, const uint64_t* counts, size_t bounds, Bound bound, uint64_t total, double sum);

  std::string prefix_;
  std::string name_;
  std::string out_;
};

constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace mlq::serve
