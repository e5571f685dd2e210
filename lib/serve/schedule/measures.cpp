#include "lib/serve/schedule/measures.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"

namespace mlq::serve {
namespace {

constexpr double kRatePerNs = 0.69314718055994531e-9;  // ln 2 a second
constexpr int64_t kOverheadAgeNs = 1'000'000'000, kRefreshNs = 250'000'000;
constexpr double kMostConcurrency = 64, kSmoothing = 0.2, kLeastGradient = 0.5;

double decay(int64_t by_ns) { return fmath::exp(-kRatePerNs * static_cast<double>(by_ns)); }

}  // namespace

void ArrivalRate::add(int64_t now_ns, double rows) {
  if (!any_) first_ns_ = last_ns_ = now_ns;
  any_ = true;
  if (now_ns > last_ns_) sum_ *= decay(now_ns - last_ns_);
  last_ns_ = std::max(last_ns_, now_ns);
  sum_ += rows;
}

double ArrivalRate::rows_per_ns(int64_t now_ns) const {
  if (now_ns <= first_ns_ || !any_) return 0;
  return sum_ * decay(std::max<int64_t>(0, now_ns - last_ns_)) * kRatePerNs / (1 - decay(now_ns - first_ns_));
}

void OverheadWindow::add(int64_t now_ns, int64_t overhead_ns) {
  if (window_.size() < kWindow) {
    window_.push_back({now_ns, overhead_ns});
  } else {
    window_[next_] = {now_ns, overhead_ns};
    next_ = (next_ + 1) % kWindow;
  }
  if (++since_ >= 64) refresh(now_ns);
}

void OverheadWindow::advance(int64_t now_ns) {
  if (now_ns - refreshed_ns_ >= kRefreshNs) refresh(now_ns);
}

void OverheadWindow::refresh(int64_t now_ns) {
  since_ = 0;
  refreshed_ns_ = now_ns;
  std::vector<int64_t> recent;
  for (const Sample& sample : window_)
    if (now_ns - sample.at_ns <= kOverheadAgeNs) recent.push_back(sample.overhead_ns);
  p99_ns_ = 0;
  if (recent.empty()) return;
  const auto rank = recent.begin() + static_cast<std::ptrdiff_t>((recent.size() * 99 + 99) / 100 - 1);
  std::nth_element(recent.begin(), rank, recent.end());
  p99_ns_ = *rank;
}

void ShareWindow::add(bool value) {
  if (size_ == window_.size()) {
    trues_ -= window_[next_] ? 1 : 0;
  } else {
    ++size_;
  }
  window_[next_] = value;
  trues_ += value ? 1 : 0;
  next_ = (next_ + 1) % window_.size();
}

void GradientLimit::observe(uint32_t rows, double latency_ns, size_t in_flight) {
  const size_t k = LatencyModel::nearest(rows);
  if (now_[k] == 0 || latency_ns < now_[k]) now_[k] = latency_ns;
  if (++batches_ % kSpan == 0) {
    before_ = now_;
    now_ = {};
  }
  double least = std::max(now_[k], before_[k]);
  if (now_[k] > 0 && before_[k] > 0) least = std::min(now_[k], before_[k]);
  const double gradient = least > 0 ? std::clamp(least / latency_ns, kLeastGradient, 1.0) : 1.0;
  double next = limit_ * gradient + std::sqrt(limit_);
  if (2 * static_cast<double>(in_flight) < limit_) next = std::min(next, limit_);
  limit_ = std::clamp((1 - kSmoothing) * limit_ + kSmoothing * next, 1.0, kMostConcurrency);
}

}  // namespace mlq::serve
