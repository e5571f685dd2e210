#include "lib/stats/acf.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "lib/stats/fft.h"
#include "lib/stats/sum.h"

namespace mlq::stats {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Sums of d_t d_(t+k), k = 0 .. max_lag, by the power spectrum of the zero-padded series.
std::vector<double> products_by_fft(const std::vector<double>& d, size_t max_lag) {
  const Fft fft(std::bit_ceil(d.size() + max_lag + 1));
  std::vector<double> re = d;
  re.resize(fft.size());
  std::vector<double> im(fft.size());
  fft.forward(re, im);
  for (size_t k = 0; k < re.size(); ++k) {
    re[k] = re[k] * re[k] + im[k] * im[k];
    im[k] = 0;
  }
  fft.inverse(re, im);
  re.resize(max_lag + 1);
  return re;
}

std::vector<double> products_directly(const std::vector<double>& d, size_t max_lag) {
  std::vector<double> products(max_lag + 1);
  for (size_t k = 0; k <= max_lag && k < d.size(); ++k) {
    Sum sum;
    for (size_t t = k; t < d.size(); ++t) sum += d[t] * d[t - k];
    products[k] = sum.value();
  }
  return products;
}

}  // namespace

std::vector<double> autocorrelation(std::span<const double> x, size_t max_lag) {
  Sum sum;
  for (const double v : x) sum += v;
  const double mean = sum.value() / static_cast<double>(x.size());
  std::vector<double> d(x.begin(), x.end());
  for (double& v : d) v -= mean;
  const bool long_enough =
      max_lag > 200 && x.size() > 2000 && std::bit_ceil(x.size() + max_lag + 1) <= Fft::kMaxSize;
  std::vector<double> r = long_enough ? products_by_fft(d, max_lag) : products_directly(d, max_lag);
  const double power = r[0];
  for (double& v : r) v = power > 0 ? v / power : kNaN;
  return r;
}

double autocorrelation_bound(uint64_t n) {
  return n == 0 ? kNaN : 1.959963984540054 / std::sqrt(static_cast<double>(n));
}

StreamingAutocorrelation::StreamingAutocorrelation(size_t max_lag)
    : max_lag_(max_lag), products_(max_lag + 1), recent_(max_lag) {}

void StreamingAutocorrelation::add(double x) {
  if (count_ == 0) origin_ = x;
  const double v = x - origin_;
  products_[0] += v * v;
  // recent_ holds zeros before the start, which add nothing.
  for (size_t k = max_lag_; k >= 1; --k) {
    products_[k] += v * recent_[k - 1];
    recent_[k - 1] = k >= 2 ? recent_[k - 2] : v;
  }
  if (head_.size() < max_lag_) head_.push_back(v);
  sum_ += v;
  ++count_;
}

std::vector<double> StreamingAutocorrelation::result() const {
  const double n = static_cast<double>(count_);
  const double mean = sum_ / n;
  std::vector<double> r(max_lag_ + 1, kNaN);
  const double power = products_[0] - n * mean * mean;
  if (!(power > 0)) return r;
  double first = 0;  // sums of the first and of the last k values
  double last = 0;
  for (size_t k = 0; k <= max_lag_; ++k) {
    if (k >= count_) {
      r[k] = 0;
      continue;
    }
    if (k > 0) {
      first += head_[k - 1];
      last += recent_[k - 1];
    }
    const double ends = (sum_ - first) + (sum_ - last);
    r[k] = (products_[k] - mean * ends + (n - static_cast<double>(k)) * mean * mean) / power;
  }
  return r;
}

}  // namespace mlq::stats
