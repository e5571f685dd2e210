// A time that every request has one of, such as its latency: as a distribution, and in windows of time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/units.h"
#include "lib/plot/picture.h"
#include "lib/plot/thinned.h"
#include "lib/plot/windows.h"
#include "lib/records/load.h"
#include "lib/stats/histogram.h"

namespace mlq::plot {

// Quantiles in windows and over all are exact in their ranks and to 0.4 % in their values
// (lib/stats/histogram.h). What others have measured stands in where no request was added. Not thread-safe.
class Metric {
 public:
  // value_ns >= 0.
  void add(int64_t t_ns, int64_t value_ns) {
    all_.record(value_ns);
    windows_.at(t_ns).record(value_ns);
  }
  void add(const stats::Histogram& measured) { measured_.merge(measured); }
  // A window of which only quantiles are known.
  void add(double t_s, const records::MetricStats& stats);
  // The quantiles of the whole.
  void add(const records::MetricStats& stats);

  // Widens the windows of a stream that has ended to what its requests allow.
  void settle() { windows_.limit(windows_for(all_.count())); }

  // Adds a curve of the shares that are at least so long, if anything is known; axes as ccdf_axes() has them.
  void draw_distribution(const std::string& label, Picture& into) const;
  // Adds p50 and p99 over time; p99 alone where there is a prefix, as more lines would hide one another.
  void draw_quantiles(const std::string& prefix, Picture& into) const;

 private:
  struct Cell {
    std::optional<stats::Histogram> values;
    void record(int64_t value_ns);
    void merge(const Cell& other);
  };
  std::vector<Point> quantile(const Ratio& q) const;

  stats::Histogram all_, measured_;
  Windows<Cell> windows_{120};
  Thinned p50_, p99_;
  std::vector<Point> known_;  // quantiles of the whole
};

}  // namespace mlq::plot
