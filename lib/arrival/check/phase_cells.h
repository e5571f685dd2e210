// Arrivals by their phase in a period: what shows clocks, batches and seams. Inside lib/arrival only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "lib/stats/gof.h"

namespace mlq::arrival {

// Counts in 100 cells of a period, with what was expected of each. Whole periods only, so that each cell has
// had its chance equally often. Not thread-safe.
class PhaseCells {
 public:
  static constexpr int64_t kCells = 100;

  explicit PhaseCells(int64_t period_ns) : period_ns_(period_ns) {}

  int64_t period_ns() const { return period_ns_; }
  // The first border of a cell after t_ns.
  int64_t border_after(int64_t t_ns) const { return border(index_of(t_ns) + 1); }
  // t_ns not below that of any call before.
  void arrived(int64_t t_ns) {
    move_to(t_ns);
    ++open_.counts[cell_of(t_ns)];
  }
  // `mass` was expected between two times in the cell of t_ns.
  void expect(int64_t t_ns, double mass) {
    move_to(t_ns);
    open_.expected[cell_of(t_ns)] += mass;
  }
  // Ends the observation. Where nothing was expected, all cells are taken as alike.
  stats::TestResult test(int64_t end_ns) {
    move_to(end_ns);
    double expected = 0;
    uint64_t counted = 0;
    for (size_t k = 0; k < kCells; ++k) {
      expected += closed_.expected[k];
      counted += closed_.counts[k];
    }
    std::array<double, kCells> scaled{};
    for (size_t k = 0; k < kCells; ++k) {
      const double share = expected > 0 ? closed_.expected[k] / expected : 1.0 / kCells;
      scaled[k] = std::max(share * static_cast<double>(counted), 1e-9);
    }
    stats::TestResult result = stats::chi_square_test(closed_.counts, scaled);
    result.n = counted;
    return result;
  }

 private:
  struct Cells {
    std::array<uint64_t, kCells> counts{};
    std::array<double, kCells> expected{};
  };

  // Cells since time 0; borders are rounded up where the period is no multiple of 100 ns.
  int64_t index_of(int64_t t_ns) const {
    return static_cast<int64_t>(static_cast<__int128>(t_ns) * kCells / period_ns_);
  }
  int64_t border(int64_t index) const {
    return static_cast<int64_t>((static_cast<__int128>(index) * period_ns_ + kCells - 1) / kCells);
  }
  size_t cell_of(int64_t t_ns) const { return static_cast<size_t>(index_of(t_ns) % kCells); }
  void move_to(int64_t t_ns) {
    const int64_t period = t_ns / period_ns_;
    if (period == open_period_) return;
    for (size_t k = 0; k < kCells; ++k) {
      closed_.counts[k] += open_.counts[k];
      closed_.expected[k] += open_.expected[k];
    }
    open_ = Cells();
    open_period_ = period;
  }

  int64_t period_ns_;
  int64_t open_period_ = 0;
  Cells open_;
  Cells closed_;
};

}  // namespace mlq::arrival
