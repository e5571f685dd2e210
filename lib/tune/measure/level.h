// Workload levels: the rate in half-octave bins, and whether arrivals come in bursts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lib/tune/learn/history.h"

namespace mlq::tune {

// k = floor(2 log2 rate) and c1 for a squared cv of the gaps of 1.5 and more: "r19c0". Without a cv: c0.
Level level_of(double rate_per_s, std::optional<double> cv2);

// A level with hysteresis: it changes when kWindows windows in a row lay beyond its border by a quarter
// octave, or at once where a window lies a whole level and more beyond it. Not thread-safe.
class LevelTracker {
 public:
  static constexpr uint32_t kWindows = 3;
  // A window's rate; the level that holds after it.
  const Level& add(double rate_per_s, std::optional<double> cv2);

 private:
  std::optional<Level> level_;
  uint32_t beyond_ = 0;
};

// The level nearest in rate (and, of two, that of the same burstiness); none if `levels` is empty.
std::optional<LevelId> nearest_level(std::span<const Level> levels, const Level& level);

// Page-Hinkley test (Page 1954; Hinkley 1971) for a rise or fall of the mean of ln observed - ln predicted.
// Not thread-safe.
class PageHinkley {
 public:
  explicit PageHinkley(double delta = 0.02, double lambda = 0.5) : delta_(delta), lambda_(lambda) {}
  // True if the mean has moved; starts anew then.
  bool add(double x);

 private:
  double delta_, lambda_;
  double up_ = 0, down_ = 0;  // cumulative sums less their extremes
};

}  // namespace mlq::tune
