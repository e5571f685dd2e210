// All estimates from the steps so far.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/records/simigrad.h"
#include "lib/simigrad/estimate/interval.h"
#include "lib/simigrad/estimate/observation.h"
#include "lib/simigrad/estimate/smoothing.h"

namespace mlq::simigrad {

struct EstimatorOptions {
  ObservationOptions observation;
  Smoothing smoothing;
  double confidence = 0.95;  // of the intervals, in (0, 1)
};

// What a window says. Ratio last, clamp last: means of a and s first, whatever the sign of a.
struct Signal {
  uint64_t points = 0;
  double a = 0;  // mean of the estimates of |G|^2; NaN without a point
  double s = 0;  // mean of the estimates of tr Sigma
  double n_eff = 0;
  double d_eff = 0;           // NaN where it is not known
  bool has_interval = false;  // two points or more
  RatioInterval interval;     // of B_simple, samples

  double b_simple() const;         // s / a; NaN unless a > 0
  double rho(double batch) const;  // a / (a + 2 s / batch): E[cos] of two halves of such a batch
  // AdaScale's gain of batch against base, (a + s/base) / (a + s/batch), with a clamped at 0 (Johnson,
  // Agrawal, Gu, Guestrin, AdaScale SGD, ICML 2020, section 3).
  double gain(double batch, double base) const;
};

// Not thread-safe; a value type: a copy goes on as the original would.
class Estimator {
 public:
  explicit Estimator(const EstimatorOptions& options) : options_(options), window_(options.smoothing) {}
  // Takes a step in, if it is valid.
  void add(const Observation& observation);
  // As Window::rewind.
  bool rewind(uint64_t pushed) { return window_.rewind(pushed); }
  uint64_t pushed() const { return window_.pushed(); }
  std::span<const Point> points() const { return window_.points(); }
  Signal signal() const;
  const EstimatorOptions& options() const { return options_; }
  // The groups agree so closely, for so few samples, that they cannot be independent draws. To be asked
  // before add().
  bool near_copies(const Observation& observation, const Signal& before) const;

 private:
  double quantile(double n_eff) const;

  EstimatorOptions options_;
  Window window_;
  mutable double quantile_of_ = 0;  // the last n_eff and its quantile: both settle when the window is full
  mutable double quantile_ = 0;
};

// The estimate record of a step, after its add().
records::Estimate estimate_record(const Observation& observation, const Signal& signal,
                                  const EstimatorOptions& options, std::optional<uint64_t> base_batch);

}  // namespace mlq::simigrad
