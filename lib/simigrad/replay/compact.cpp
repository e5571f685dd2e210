#include "lib/simigrad/replay/compact.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/fmath.h"

namespace mlq::simigrad {
namespace {

// Weights at ranks, with the least sum of weighted distances of values from one of them, the weighted median:
// a Fenwick tree, O(log n) an operation.
class MedianCost {
 public:
  explicit MedianCost(std::span<const double> values)
      : values_(values), weight_(values.size() + 1), product_(values.size() + 1) {
    while (top_ * 2 <= values.size()) top_ *= 2;
  }
  void clear() {
    std::fill(weight_.begin(), weight_.end(), 0.0);
    std::fill(product_.begin(), product_.end(), 0.0);
    total_ = total_product_ = 0;
  }
  void add(size_t rank, double weight) {
    total_ += weight;
    total_product_ += weight * values_[rank];
    for (size_t i = rank + 1; i < weight_.size(); i += i & (~i + 1)) {
      weight_[i] += weight;
      product_[i] += weight * values_[rank];
    }
  }
  struct Median {
    size_t rank;
    double cost;
  };
  // Of one weight or more.
  Median median() const {
    size_t at = 0;
    double below = 0, below_product = 0;
    for (size_t step = top_; step > 0; step /= 2) {
      if (at + step < weight_.size() && below + weight_[at + step] < total_ / 2) {
        at += step;
        below += weight_[at];
        below_product += product_[at];
      }
    }
    const size_t rank = std::min(at, values_.size() - 1);
    const double value = values_[rank];
    const double cost =
        value * below - below_product + (total_product_ - below_product) - value * (total_ - below);
    return {rank, std::max(cost, 0.0)};
  }

 private:
  std::span<const double> values_;
  std::vector<double> weight_, product_;
  double total_ = 0, total_product_ = 0;
  size_t top_ = 1;
};

// At most kMostStretches, neighbours of together about a 4096th of the samples joined under the batch that
// has most of them.
std::vector<Stretch> joined(std::span<const Stretch> stretches) {
  if (stretches.size() <= kMostStretches) return {stretches.begin(), stretches.end()};
  uint64_t total = 0;
  for (const Stretch& s : stretches) total += s.samples;
  std::vector<Stretch> out;
  uint64_t seen = 0, largest = 0;
  uint64_t bin = kMostStretches;
  for (const Stretch& s : stretches) {
    const auto here =
        static_cast<uint64_t>(static_cast<double>(seen) / static_cast<double>(total) * kMostStretches);
    seen += s.samples;
    if (here != bin || out.empty()) {
      out.push_back(s);
      largest = s.samples;
      bin = here;
      continue;
    }
    Stretch& last = out.back();
    last.samples += s.samples;
    if (s.samples > largest) {
      largest = s.samples;
      last.batch = s.batch;
      last.lr_scale = s.lr_scale;
    }
  }
  return out;
}

std::vector<Stretch> cut_to(std::vector<Stretch> stretches, uint64_t total) {
  if (total == 0) return stretches;
  uint64_t seen = 0;
  std::vector<Stretch> out;
  for (const Stretch& s : stretches) {
    if (seen >= total) break;
    out.push_back(s);
    out.back().samples = std::min(s.samples, total - seen);
    seen += out.back().samples;
  }
  out.back().samples += total - seen;
  return out;
}

double lr_scale_of(const ControlOptions& control, uint64_t batch, double base, double mean) {
  const double ratio = static_cast<double>(batch) / base;
  switch (control.lr_rule) {
    case LrRule::sqrt:
      return 1 + (std::sqrt(ratio) - 1) * control.lr_damp;
    case LrRule::linear:
      return 1 + (ratio - 1) * control.lr_damp;
    default:
      return mean;
  }
}

struct Piece {
  size_t begin, end;  // stretches
  uint64_t batch;
};

// The pieces of least cost, and that cost.
std::vector<Piece> cut(std::span<const Stretch> stretches, size_t most, double& cost) {
  std::vector<uint64_t> batches;
  for (const Stretch& s : stretches) batches.push_back(s.batch);
  std::sort(batches.begin(), batches.end());
  batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
  std::vector<double> logs;
  for (const uint64_t b : batches) logs.push_back(fmath::log(static_cast<double>(b)));
  std::vector<size_t> ranks;
  for (const Stretch& s : stretches)
    ranks.push_back(
        static_cast<size_t>(std::lower_bound(batches.begin(), batches.end(), s.batch) - batches.begin()));

  const size_t n = stretches.size();
  const size_t pieces = std::min(most, n);
  constexpr double kFar = std::numeric_limits<double>::infinity();
  // best[p][j]: least cost of the first j stretches in p + 1 pieces; from[p][j]: where the last of them
  // begins.
  std::vector<std::vector<double>> best(pieces, std::vector<double>(n + 1, kFar));
  std::vector<std::vector<uint32_t>> from(pieces, std::vector<uint32_t>(n + 1, 0));
  MedianCost tree(logs);
  for (size_t j = 1; j <= n; ++j) {
    tree.clear();
    for (size_t i = j; i-- > 0;) {
      tree.add(ranks[i], static_cast<double>(stretches[i].samples));
      const double last = tree.median().cost;
      if (i == 0) best[0][j] = last;
      for (size_t p = 1; p < pieces; ++p) {
        if (best[p - 1][i] + last < best[p][j]) {
          best[p][j] = best[p - 1][i] + last;
          from[p][j] = static_cast<uint32_t>(i);
        }
      }
    }
  }
  size_t p = 0;
  for (size_t more = 1; more < pieces; ++more)
    if (best[more][n] < best[p][n]) p = more;
  cost = best[p][n];
  std::vector<Piece> out;
  for (size_t end = n;; --p) {
    const size_t begin = p == 0 ? 0 : from[p][end];
    tree.clear();
    for (size_t i = begin; i < end; ++i) tree.add(ranks[i], static_cast<double>(stretches[i].samples));
    out.push_back({begin, end, batches[tree.median().rank]});
    end = begin;
    if (p == 0) break;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

Compaction compact(std::span<const Stretch> run, size_t segments, uint64_t total_samples,
                   const ControlOptions& control) {
  const std::vector<Stretch> stretches = cut_to(joined(run), total_samples);
  double cost = 0;
  const std::vector<Piece> pieces = cut(stretches, segments, cost);
  Compaction c;
  double all = 0;
  const double base = static_cast<double>(control.base_batch.value_or(run.front().batch));
  for (const Piece& piece : pieces) {
    uint64_t samples = 0;
    double lr = 0;
    for (size_t i = piece.begin; i < piece.end; ++i) {
      samples += stretches[i].samples;
      lr += stretches[i].lr_scale * static_cast<double>(stretches[i].samples);
    }
    all += static_cast<double>(samples);
    const double whole = static_cast<double>(samples) / static_cast<double>(piece.batch);
    const auto steps = std::max<uint64_t>(1, static_cast<uint64_t>(std::floor(whole + 0.5)));
    if (c.segments.empty() || c.segments.back().batch != piece.batch)
      c.segments.push_back({c.steps, c.samples, 0, piece.batch,
                            lr_scale_of(control, piece.batch, base, lr / static_cast<double>(samples))});
    c.segments.back().steps += steps;
    c.steps += steps;
    c.samples += steps * piece.batch;
  }
  c.error = cost / all;
  return c;
}

}  // namespace mlq::simigrad
