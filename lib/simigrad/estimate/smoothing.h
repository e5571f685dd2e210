// Weighted means of the last steps' estimates, with what their scatter says of their error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/simigrad/estimate/observation.h"

namespace mlq::simigrad {

// How weights fall off with age.
struct Smoothing {
  enum class Kind {
    ema,       // by a factor a step
    halflife,  // by half for so many samples, whatever the batches were
    window,    // the last N steps count alike
  };
  Kind kind = Kind::ema;
  double ema = 0.9;     // in [0, 1)
  double halflife = 0;  // samples, above 0
  uint64_t steps = 0;   // of window, 1 to kLongestWindow
};

constexpr uint64_t kLongestWindow = 4096;
// Older steps whose weight is below this share of the newest's do not count.
constexpr double kLeastWeight = 1e-6;

// A step that counts.
struct Point {
  uint64_t step = 0;
  uint64_t batch_samples = 0;
  uint64_t groups = 0;
  double a = 0;
  double s = 0;
  double cos = 0;
  double decay = 1;  // factor on the weights of all older points
};

// The last points, newest last, in memory for 3 kLongestWindow at most. Not thread-safe; a value type.
class Window {
 public:
  explicit Window(const Smoothing& smoothing) : smoothing_(smoothing) {}
  void push(const Observation& observation);
  // Takes back what was pushed after the first `pushed`, of which the last kLongestWindow are certain to be
  // there. False, and nothing is changed, if older ones than are kept would be needed.
  bool rewind(uint64_t pushed);
  uint64_t pushed() const { return pushed_; }
  // The points that count.
  std::span<const Point> points() const;

 private:
  Smoothing smoothing_;
  std::vector<Point> points_;
  uint64_t pushed_ = 0;
};

// Normalised weights w: means, variances of the means that hold whatever the variance of each step
// (heteroscedastic, V_aa = sum w^2 u^2 / (1 - 2 S3/S2 + S2) with residuals u, S2 = sum w^2, S3 = sum w^3),
// and n_eff = 1 / S2. d_eff = (tr Sigma)^2 / tr(Sigma^2) from rel.var(s) = 2 / ((K - 1) d_eff).
struct Moments {
  uint64_t points = 0;
  double a = 0, s = 0;                  // NaN if there is no point
  double v_aa = 0, v_ss = 0, v_as = 0;  // NaN if there are fewer than 2
  double n_eff = 0;
  double d_eff = 0;  // NaN if there are fewer than 2, or s does not vary
};
Moments moments(std::span<const Point> points);

}  // namespace mlq::simigrad
