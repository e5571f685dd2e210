#include "lib/tune/learn/forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "lib/base/fmath.h"

namespace mlq::tune {
namespace {

constexpr size_t kLevelFeatures = 2;

}  // namespace

void Forest::level_features(const Level& level, double* out) const {
  out[0] = level.rate_per_s > 0 ? fmath::log(level.rate_per_s) : 0.0;
  out[1] = level.bursty ? 1.0 : 0.0;
}

void Forest::fit(const GpRows& rows, std::span<const Level> levels, uint64_t seed, uint64_t index) {
  levels_.assign(levels.begin(), levels.end());
  rows_ = rows.size();
  const size_t own = features_->columns();
  columns_.resize((own + kLevelFeatures) * rows_);
  for (size_t k = 0; k < rows_; ++k) {
    for (size_t c = 0; c < own; ++c) columns_[c * rows_ + k] = rows.x[k * own + c];
    double level[kLevelFeatures];
    level_features(levels_[rows.level[k]], level);
    for (size_t c = 0; c < kLevelFeatures; ++c) columns_[(own + c) * rows_ + k] = level[c];
  }
  varied_.clear();
  for (uint32_t f = 0; f < own + kLevelFeatures; ++f) {
    const double* x = columns_.data() + f * rows_;
    if (std::any_of(x, x + rows_, [&](double v) { return v != x[0]; })) varied_.push_back(f);
  }
  nodes_.clear();
  leaves_.clear();
  roots_.clear();
  for (uint32_t tree = 0; tree < kTrees; ++tree)
    grow(rows.y, Draws(seed, Purpose::estimator, index, 1 + tree));
}

Forest::Split Forest::best_split(std::span<const uint32_t> rows, std::span<const double> y,
                                 Draws& draws) const {
  Split best;
  double total = 0;
  for (const uint32_t k : rows) total += y[k];
  const double size = static_cast<double>(rows.size());
  for (const uint32_t f : varied_) {
    const double* x = columns_.data() + f * rows_;
    double least = x[rows[0]], most = least;
    for (const uint32_t k : rows) {
      least = std::min(least, x[k]);
      most = std::max(most, x[k]);
    }
    if (!(least < most)) continue;
    double threshold = least + (most - least) * draws.uniform();
    if (!(threshold < most)) threshold = least;  // both sides have a row
    double left = 0, count = 0;
    for (const uint32_t k : rows) {
      const double in = x[k] > threshold ? 0.0 : 1.0;
      left += in * y[k];
      count += in;
    }
    const double right = total - left;
    const double gain = left * left / count + right * right / (size - count);
    if (gain > best.gain) best = {f, threshold, gain};
  }
  return best;
}

void Forest::grow(std::span<const double> y, Draws draws) {
  order_.resize(rows_);
  std::iota(order_.begin(), order_.end(), 0u);
  struct Part {
    uint32_t node, begin, end;
  };
  const auto add_node = [&] {
    nodes_.push_back({std::numeric_limits<double>::infinity(), 0, static_cast<uint32_t>(nodes_.size())});
    leaves_.emplace_back();
    return static_cast<uint32_t>(nodes_.size() - 1);
  };
  roots_.push_back(add_node());
  std::vector<Part> parts{{roots_.back(), 0, static_cast<uint32_t>(rows_)}};
  while (!parts.empty()) {
    const Part part = parts.back();
    parts.pop_back();
    const std::span<uint32_t> rows(order_.data() + part.begin, part.end - part.begin);
    double mean = 0, square = 0;
    for (const uint32_t k : rows) mean += y[k];
    mean /= static_cast<double>(std::max<size_t>(rows.size(), 1));
    for (const uint32_t k : rows) square += (y[k] - mean) * (y[k] - mean);
    leaves_[part.node] = {mean, square / static_cast<double>(std::max<size_t>(rows.size(), 1))};
    if (rows.size() < 2 || square == 0) continue;
    const Split split = best_split(rows, y, draws);
    if (split.gain < 0) continue;
    const double* x = columns_.data() + split.feature * rows_;
    uint32_t cut = part.begin;
    for (uint32_t k = part.begin; k < part.end; ++k)
      if (!(x[order_[k]] > split.threshold)) std::swap(order_[k], order_[cut++]);
    const uint32_t left = add_node(), right = add_node();
    nodes_[part.node] = {split.threshold, split.feature, left};
    parts.push_back({left, part.begin, cut});
    parts.push_back({right, cut, part.end});
  }
}

void Forest::predict(std::span<const PointId> points, LevelId level, std::span<double> mean,
                     std::span<double> variance) const {
  constexpr size_t kTogether = 8;  // walks that wait for memory and comparisons at the same time
  const size_t own = features_->columns(), all = own + kLevelFeatures;
  std::vector<double> x(all * kTogether, 0.0);
  for (size_t k = 0; k < kTogether; ++k) level_features(levels_[level], x.data() + k * all + own);
  for (size_t begin = 0; begin < points.size(); begin += kTogether) {
    const size_t width = std::min(kTogether, points.size() - begin);
    for (size_t k = 0; k < width; ++k)
      features_->encode(points[begin + k], std::span<double>(x).subspan(k * all, own));
    double sum[kTogether] = {}, square[kTogether] = {}, inner[kTogether] = {};
    for (const uint32_t root : roots_) {
      uint32_t at[kTogether];
      std::fill(at, at + kTogether, root);
      for (bool moved = true; moved;) {
        moved = false;
        for (size_t k = 0; k < kTogether; ++k) {
          const Node& node = nodes_[at[k]];
          const uint32_t next = node.left + (x[k * all + node.feature] > node.threshold ? 1 : 0);
          moved |= next != at[k];
          at[k] = next;
        }
      }
      for (size_t k = 0; k < kTogether; ++k) {
        const Leaf& leaf = leaves_[at[k]];
        sum[k] += leaf.mean;
        square[k] += leaf.mean * leaf.mean;
        inner[k] += leaf.variance;
      }
    }
    for (size_t k = 0; k < width; ++k) {
      const double m = sum[k] / kTrees;
      mean[begin + k] = m;
      variance[begin + k] = std::max(square[k] / kTrees - m * m + inner[k] / kTrees, kLeastVariance);
    }
  }
}

Posterior Forest::predict(PointId point, LevelId level) const {
  double mean = 0, variance = 0;
  predict({&point, 1}, level, {&mean, 1}, {&variance, 1});
  return {mean, std::sqrt(variance)};
}

}  // namespace mlq::tune
