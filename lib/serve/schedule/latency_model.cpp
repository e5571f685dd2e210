#include "lib/serve/schedule/latency_model.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace mlq::serve {
namespace {

constexpr std::array<uint32_t, LatencyModel::kSizes> kGrid{
    1,   2,   3,   4,   5,   6,   8,   10,  13,   16,   20,   25,   32,   40,   50,   64,   80,   100, 128,
    160, 200, 256, 320, 400, 512, 640, 800, 1024, 1280, 1600, 2048, 2560, 3200, 4096, 5120, 6400, 8192};

constexpr double kDecay = 0.99459942348363317565;   // 2^(-1/128)
constexpr double kRestDecay = 0.99966160627966416;  // 2^(-1/2048)
constexpr double kLineWeight = 4;                   // batches that the line is worth at a grid size
constexpr double kKnown = 4;                        // batches after which a grid size is known
constexpr double kHiccup = 4;                       // a known size learns at most this many times its mean
constexpr double kAnchor = 0.25;                    // weight of each of the two anchors of the line
constexpr double kPriorWeight = 8;
constexpr double kDriftDelta = 0.05, kDriftThreshold = 5;
constexpr size_t kKeptAfterDrift = 8;
constexpr uint64_t kRefreshEvery = 16;

struct Block {
  double mean, weight;
  size_t sizes;
};

// Pool adjacent violators: the non-decreasing sequence nearest to `values` in weighted least squares.
void make_non_decreasing(std::span<double> values, std::span<const double> weights) {
  std::array<Block, LatencyModel::kSizes> blocks;
  size_t n = 0;
  for (size_t k = 0; k < values.size(); ++k) {
    blocks[n++] = {values[k], weights[k], 1};
    while (n > 1 && blocks[n - 2].mean > blocks[n - 1].mean) {
      Block &a = blocks[n - 2], &b = blocks[n - 1];
      a = {(a.mean * a.weight + b.mean * b.weight) / (a.weight + b.weight), a.weight + b.weight,
           a.sizes + b.sizes};
      --n;
    }
  }
  size_t k = 0;
  for (size_t b = 0; b < n; ++b)
    for (size_t i = 0; i < blocks[b].sizes; ++i) values[k++] = blocks[b].mean;
}

}  // namespace

LatencyModel::LatencyModel() { window_.reserve(kWindow); }

uint32_t LatencyModel::grid_size(size_t k) { return kGrid[k]; }

size_t LatencyModel::nearest(uint32_t rows) {
  const auto above = std::lower_bound(kGrid.begin(), kGrid.end(), rows);
  if (above == kGrid.end()) return kSizes - 1;
  const auto k = static_cast<size_t>(above - kGrid.begin());
  if (k == 0 || *above == rows) return k;
  // Nearest in ratio: rows / below < above / rows.
  return uint64_t{rows} * rows < uint64_t{kGrid[k - 1]} * kGrid[k] ? k - 1 : k;
}

double LatencyModel::count(uint32_t rows) const { return count_[nearest(rows)]; }

// Least squares under alpha, beta >= 0. Two anchors on the line that was keep the fit defined when all
// batches are of one size; they weigh little beside anything measured.
void LatencyModel::fit_line() {
  double w = w_, wn = wn_, wnn = wnn_, wl = wl_, wnl = wnl_;
  if (alpha_ + beta_ > 0) {
    for (const double n : {1.0, 2 * wn_ / w_}) {
      const double l = alpha_ * n + beta_;
      w += kAnchor;
      wn += kAnchor * n;
      wnn += kAnchor * n * n;
      wl += kAnchor * l;
      wnl += kAnchor * n * l;
    }
  }
  const double determinant = w * wnn - wn * wn;
  // With one size only, nothing is put on the rows: a larger batch that is tried for it and comes late says
  // more, once, whereas one that is never tried for fear of the objective keeps the size for ever.
  alpha_ = determinant > 1e-9 * w * wnn ? (w * wnl - wn * wl) / determinant : 0;
  beta_ = (wl - alpha_ * wn) / w;
  if (alpha_ < 0) {
    alpha_ = 0;
    beta_ = wl / w;
  } else if (beta_ < 0) {
    beta_ = 0;
    alpha_ = wnl / wnn;
  }
}

void LatencyModel::learn(uint32_t rows, double latency_ns) {
  const size_t k = nearest(rows);
  for (size_t i = 0; i < kSizes; ++i) {
    const double decay = i == k ? kDecay : kRestDecay;
    sum_[i] *= decay;
    count_[i] *= decay;
  }
  for (double* sum : {&w_, &wn_, &wnn_, &wl_, &wnl_}) *sum *= kDecay;
  const double n = rows;
  w_ += 1;
  wn_ += n;
  wnn_ += n * n;
  wl_ += latency_ns;
  wnl_ += n * latency_ns;
  fit_line();
  // Brought to the grid size along the line, so that sizes between grid sizes do not bias the mean.
  sum_[k] += latency_ns * (alpha_ * kGrid[k] + beta_) / (alpha_ * n + beta_);
  count_[k] += 1;
  largest_ = std::max(largest_, rows);
}

void LatencyModel::rebuild() {
  std::array<double, kSizes> weight;
  for (size_t k = 0; k < kSizes; ++k) {
    const double line = alpha_ * kGrid[k] + beta_;
    mean_[k] = (sum_[k] + kLineWeight * line) / (count_[k] + kLineWeight);
    weight[k] = count_[k] + 0.01;  // sizes never measured give way to those that were
  }
  make_non_decreasing(mean_, weight);
}

// The mean of what was measured at the grid size, brought to `rows` along the line. Not m(n), which leans to
// the line: on a curve that is none it would be off for ever, and call that a drift.
double LatencyModel::measured_ns(uint32_t rows) const {
  const size_t k = nearest(rows);
  if (count_[k] <= 0) return 0;
  return sum_[k] / count_[k] * (alpha_ * rows + beta_) / (alpha_ * kGrid[k] + beta_);
}

bool LatencyModel::observe(uint32_t rows, double latency_ns) {
  rows = std::min(rows, kGrid.back());
  const bool known = count(rows) >= kKnown;
  const double expected = measured_ns(rows);
  const Sample sample{static_cast<float>(rows), static_cast<float>(latency_ns)};
  if (window_.size() < kWindow) {
    window_.push_back(sample);
  } else {
    window_[next_] = sample;
    next_ = (next_ + 1) % kWindow;
  }
  ++batches_;
  if (known) {
    const double r = std::clamp((latency_ns - expected) / expected, -1.0, 1.0);
    up_ = std::max(0.0, up_ + r - kDriftDelta);
    down_ = std::max(0.0, down_ - r - kDriftDelta);
  }
  // No batch is so fast by accident: what little was seen of this size before was a hiccup, or a cold start.
  const bool was_hiccup = !known && expected > kHiccup * latency_ns;
  if (was_hiccup || up_ > kDriftThreshold || down_ > kDriftThreshold) {
    forget_all_but_last(was_hiccup ? 1 : kKeptAfterDrift);
    return true;
  }
  const double most = known ? expected : mean_ns(rows);
  learn(rows, most > 0 ? std::min(latency_ns, kHiccup * most) : latency_ns);
  rebuild();
  return false;
}

// The line keeps its shape, scaled to what was seen last: without it nothing would be known about other
// sizes.
void LatencyModel::forget_all_but_last(size_t keep) {
  std::rotate(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(next_), window_.end());
  next_ = 0;
  window_.erase(window_.begin(), window_.end() - static_cast<std::ptrdiff_t>(std::min(keep, window_.size())));
  double seen = 0, expected = 0;
  for (const Sample& sample : window_) {
    seen += sample.latency_ns;
    expected += mean_ns(sample.rows);
  }
  alpha_ *= seen / expected;
  beta_ *= seen / expected;
  sum_ = count_ = {};
  w_ = wn_ = wnn_ = wl_ = wnl_ = 0;
  up_ = down_ = 0;
  largest_ = 0;
  for (const Sample& sample : window_) learn(static_cast<uint32_t>(sample.rows), sample.latency_ns);
  rebuild();
  drift_batch_ = batches_;
  ++drifts_;
  ratio_q_ = -1;
}

double LatencyModel::mean_ns(double rows) const {
  if (empty()) return 0;
  if (rows <= kGrid.front()) return mean_.front();
  if (rows >= kGrid.back()) return std::max(mean_.back(), alpha_ * rows + beta_);
  const auto above = std::upper_bound(kGrid.begin(), kGrid.end(), rows);
  const auto k = static_cast<size_t>(above - kGrid.begin());
  const double share = (rows - kGrid[k - 1]) / (kGrid[k] - kGrid[k - 1]);
  return mean_[k - 1] + share * (mean_[k] - mean_[k - 1]);
}

void LatencyModel::refresh_ratio(double q) const {
  static thread_local std::vector<double> ratios;
  ratios.clear();
  for (const Sample& sample : window_) ratios.push_back(sample.latency_ns / mean_ns(sample.rows));
  // A hiccup comes whatever the size. Rare ones do not move the quantile; with many of them the objective is
  // out of reach, and smaller batches and refusals would only lose what can be had.
  const auto hiccups =
      std::partition(ratios.begin(), ratios.end(), [](double ratio) { return ratio <= kHiccup; });
  if (2 * (hiccups - ratios.begin()) > ratios.end() - ratios.begin()) ratios.erase(hiccups, ratios.end());
  const size_t n = ratios.size();
  auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(n) - 1e-9));
  // One batch out of few is no quantile: a single hiccup must not rule for the next hundred batches.
  if (n >= kKeptAfterDrift) rank = std::min(rank, n - 1);
  rank = std::clamp<size_t>(rank, 1, n);
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<std::ptrdiff_t>(rank - 1), ratios.end());
  ratio_ = ratios[rank - 1];
  ratio_q_ = q;
  ratio_batch_ = batches_;
}

double LatencyModel::ratio(double q) const {
  if (window_.empty()) return 1;
  const uint64_t age = batches_ - ratio_batch_;
  if (q != ratio_q_ || age >= kRefreshEvery || (age > 0 && window_.size() < 64)) refresh_ratio(q);
  return ratio_;
}

double LatencyModel::quantile_ns(double rows, double q) const { return ratio(q) * mean_ns(rows); }

double LatencyModel::rows_per_ns(double rows) const { return empty() ? 0 : rows / mean_ns(rows); }

LatencyState LatencyModel::save() const {
  LatencyState state{.alpha_ns_per_row = alpha_, .beta_ns = beta_, .largest_rows = largest_, .means = {}};
  for (size_t k = 0; k < kSizes; ++k)
    if (count_[k] >= 1) state.means.emplace_back(kGrid[k], sum_[k] / count_[k]);
  return state;
}

void LatencyModel::restore(const LatencyState& state) {
  *this = LatencyModel();
  if (state.largest_rows == 0 || !(state.alpha_ns_per_row + state.beta_ns > 0)) return;
  alpha_ = state.alpha_ns_per_row;
  beta_ = state.beta_ns;
  const double weight = kPriorWeight / static_cast<double>(std::max<size_t>(1, state.means.size()));
  for (const auto& [rows, mean_ns] : state.means) {
    const size_t k = nearest(rows);
    count_[k] += weight;
    sum_[k] += weight * mean_ns;
    w_ += weight;
    wn_ += weight * rows;
    wnn_ += weight * rows * rows;
    wl_ += weight * mean_ns;
    wnl_ += weight * rows * mean_ns;
  }
  largest_ = state.largest_rows;
  rebuild();
}

}  // namespace mlq::serve
