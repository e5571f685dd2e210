// What `stat` gathers from arrivals in order of time, in constant memory. Inside lib/arrival only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "lib/arrival/trace/count_series.h"
#include "lib/records/arrival.h"
#include "lib/records/trace.h"
#include "lib/stats/acf.h"
#include "lib/stats/histogram.h"
#include "lib/stats/idc.h"
#include "lib/stats/resolution.h"

namespace mlq::arrival {

// Gaps, lengths and the busiest second of one class, or of all.
class ClassDescriber {
 public:
  void add(const records::Arrival& arrival);
  records::TraceStat stat(std::string klass, int64_t duration_ns) const;

  uint64_t count() const { return count_; }
  const stats::Histogram& gaps() const { return gaps_; }
  // Null where no arrival says.
  const stats::Histogram* input_tokens() const { return input_.get(); }
  const stats::Histogram* output_tokens() const { return output_.get(); }
  // Exact mean, and coefficient of variation, of the gaps; NaN without any, or with a mean of 0.
  double gap_mean_ns() const;
  double gap_cv() const;

 private:
  void add_gap(int64_t gap_ns);

  uint64_t count_ = 0;
  int64_t last_ns_ = 0;
  stats::Histogram gaps_;
  double mean_ = 0;     // running, for the spread (Welford 1962)
  double squares_ = 0;  // sum of squares about it
  int64_t second_ = 0;  // the current one, and its arrivals
  uint64_t in_second_ = 0;
  uint64_t busiest_ = 0;
  std::unique_ptr<stats::Histogram> input_;
  std::unique_ptr<stats::Histogram> output_;
};

// Long-range dependence and period, where the series is long enough; what is missing has its reason appended
// to `note`.
void describe_series(std::span<const double> counts, int64_t window_ns, records::TraceStat& stat);

// Appends to a note.
void add_note(std::optional<std::string>& note, std::string_view text);

class TraceDescriber {
 public:
  // `memory_bytes` bounds the set of prefix blocks.
  explicit TraceDescriber(uint64_t memory_bytes) : most_blocks_(memory_bytes / 64) {}

  void add(const records::Arrival& arrival);

  // "*" first, then the classes by name if there is more than one.
  std::vector<records::TraceStat> stats(int64_t duration_ns, uint64_t inversions) const;
  // Widths from 1 ms to 1 h that have 30 windows.
  std::vector<records::Idc> idc(int64_t duration_ns) const;
  std::vector<records::Acf> acf() const;
  std::vector<records::Qq> qq() const;
  std::vector<records::Hist> hist() const;
  const CountSeries& series() const { return series_; }

 private:
  void add_blocks(const std::vector<uint64_t>& ids);

  ClassDescriber all_;
  std::map<std::string, ClassDescriber, std::less<>> classes_;
  bool too_many_classes_ = false;
  stats::ResolutionDetector resolution_;
  stats::IdcCounter idc_;
  stats::StreamingAutocorrelation acf_;
  CountSeries series_;
  std::optional<int64_t> last_ns_;

  uint64_t most_blocks_;
  bool too_many_blocks_ = false;
  uint64_t blocks_ = 0;
  uint64_t reused_blocks_ = 0;
  std::unordered_set<uint64_t> seen_blocks_;
};

}  // namespace mlq::arrival
