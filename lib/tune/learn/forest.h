// Extremely randomised trees (Geurts, Ernst, Wehenkel, Machine Learning 63, 2006) over points and workload
// levels: no bootstrap, at each node one uniform threshold a feature, the split that reduces the variance
// most, leaves of one row or more. Features: a point's columns, ln rate, class of the cv of the gaps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/tune/learn/features.h"
#include "lib/tune/learn/gp.h"

namespace mlq::tune {

// Not thread-safe. `features` must outlive it.
class Forest {
 public:
  static constexpr uint32_t kTrees = 16;
  static constexpr double kLeastVariance = 1e-6;

  explicit Forest(const Features& features) : features_(&features) {}

  // Grows all trees anew; GpRows::own_var is not looked at. The thresholds are drawn for (seed, index).
  void fit(const GpRows& rows, std::span<const Level> levels, uint64_t seed, uint64_t index);
  // Mean over trees; variance of their leaves' means plus mean of their leaves' variances, at least
  // kLeastVariance.
  void predict(std::span<const PointId> points, LevelId level, std::span<double> mean,
               std::span<double> variance) const;
  Posterior predict(PointId point, LevelId level) const;

 private:
  struct Node {
    double threshold;  // of a leaf infinite
    uint32_t feature;
    uint32_t left;  // where the feature is greater, left + 1; a leaf points to itself
  };
  struct Leaf {
    double mean = 0, variance = 0;
  };
  struct Split {
    uint32_t feature = 0;
    double threshold = 0;
    double gain = -1;  // none
  };
  void grow(std::span<const double> y, Draws draws);
  Split best_split(std::span<const uint32_t> rows, std::span<const double> y, Draws& draws) const;
  void level_features(const Level& level, double* out) const;

  const Features* features_;
  std::vector<Level> levels_;
  size_t rows_ = 0;
  std::vector<double> columns_;   // of the rows, feature after feature; only while fitting
  std::vector<uint32_t> varied_;  // features that are not the same in all rows
  std::vector<uint32_t> order_;   // only while fitting
  std::vector<Node> nodes_;       // of all trees
  std::vector<Leaf> leaves_;      // beside nodes_
  std::vector<uint32_t> roots_;
};

}  // namespace mlq::tune
