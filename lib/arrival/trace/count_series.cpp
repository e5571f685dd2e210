#include "lib/arrival/trace/count_series.h"

#include <algorithm>
#include <limits>

namespace mlq::arrival {
namespace {

constexpr size_t kCapacity = size_t{1} << 17;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

int64_t next_wider(int64_t window_ns) {
  if (window_ns < 10 * kSecond) return window_ns * 10;
  for (const int64_t wider : {kMinute, 10 * kMinute, kHour, kDay}) {
    if (window_ns < wider) return wider;
  }
  return window_ns * 10;
}

// Round widths, ascending.
std::vector<int64_t> round_widths() {
  std::vector<int64_t> widths;
  for (int64_t ten = 1000; ten <= kSecond; ten *= 10) {
    for (const int64_t digit : {1, 2, 5}) widths.push_back(digit * ten);
  }
  for (const int64_t seconds : {10, 30}) widths.push_back(seconds * kSecond);
  for (const int64_t minutes : {1, 2, 5, 10, 30}) widths.push_back(minutes * kMinute);
  for (const int64_t hours : {1, 2, 6, 12}) widths.push_back(hours * kHour);
  for (int64_t ten = kDay; ten <= 1000 * kDay; ten *= 10) {
    for (const int64_t digit : {1, 2, 5}) widths.push_back(digit * ten);
  }
  return widths;
}

}  // namespace

void CountSeries::add(int64_t t_ns, uint64_t count) {
  while (t_ns / window_ns_ >= static_cast<int64_t>(kCapacity)) widen();
  const auto index = static_cast<size_t>(t_ns / window_ns_);
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] += count;
}

void CountSeries::widen() {
  const int64_t wider = next_wider(window_ns_);
  const auto factor = static_cast<size_t>(wider / window_ns_);
  for (size_t k = 0; k < counts_.size(); ++k) {
    const uint64_t count = counts_[k];
    counts_[k] = 0;
    counts_[k / factor] += count;
  }
  counts_.resize((counts_.size() + factor - 1) / factor);
  window_ns_ = wider;
}

std::vector<double> CountSeries::counts(int64_t duration_ns) const {
  CountSeries fitted = *this;
  if (duration_ns > 0) fitted.add(duration_ns - 1, 0);
  return {fitted.counts_.begin(), fitted.counts_.end()};
}

int64_t round_bin_width(int64_t duration_ns) {
  static const std::vector<int64_t> widths = round_widths();
  const int64_t wanted = duration_ns / 100;
  // The first that gives at most about 140 bins.
  const auto width =
      std::find_if(widths.begin(), widths.end(), [&](int64_t w) { return w >= wanted - wanted / 4; });
  return width == widths.end() ? widths.back() : *width;
}

std::vector<double> joined(std::span<const double> values, size_t factor) {
  std::vector<double> sums((values.size() + factor - 1) / factor);
  for (size_t k = 0; k < values.size(); ++k) sums[k / factor] += values[k];
  return sums;
}

}  // namespace mlq::arrival
