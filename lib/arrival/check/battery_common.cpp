#include "lib/arrival/check/battery_common.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/stats/hurst.h"
#include "lib/stats/special.h"

namespace mlq::arrival {

std::string Times::obstacle() const {
  if (count_ < kFewestArrivals) return fmt::format("fewer than {} arrivals", kFewestArrivals);
  const double share = static_cast<double>(ties_) / static_cast<double>(count_);
  if (share > 0.01)
    return fmt::format("{:.1f} % of the arrivals share their time with another; dequantise first",
                       share * 100);
  return "";
}

std::string sample_note(const stats::Reservoir<double>& values) {
  if (values.complete()) return "";
  return fmt::format("a sample of {} of {} values, as the memory holds no more", values.values().size(),
                     values.seen());
}

void test_independence(const stats::Reservoir<double>& values, Findings& findings) {
  if (!values.complete()) {
    findings.skip("ljung_box", "a sample has no order; raise --memory", values.seen());
    findings.skip("runs", "a sample has no order; raise --memory", values.seen());
    return;
  }
  findings.add("ljung_box", stats::ljung_box(values.values()));
  findings.add("runs", stats::runs_test(values.values()));
}

void test_dispersion(const std::vector<stats::IdcPoint>& points, std::string (*name)(int64_t),
                     Findings& findings) {
  constexpr uint64_t fewest_windows = 30;
  // Arrivals that meet in a window are so many pairs, a Poisson number; below this the chi-square law of the
  // statistic is too coarse for small p-values.
  constexpr double fewest_pairs = 100;
  for (const stats::IdcPoint& point : points) {
    if (point.windows < fewest_windows || std::isnan(point.idc)) continue;
    const double pairs = static_cast<double>(point.windows) * point.mean * point.mean / 2;
    const std::string test = "dispersion_" + name(point.window_ns);
    if (pairs < fewest_pairs) {
      findings.skip(test, "too few arrivals in a window", point.windows);
    } else {
      stats::TestResult result = stats::dispersion_test(point.idc, point.windows);
      result.n = point.windows;
      findings.add(test, result, fmt::format("index of dispersion {:.6g}", point.idc));
    }
  }
}

void test_memory(const CountSeries& series, int64_t duration_ns, Findings& findings) {
  const std::vector<double> fine = series.counts(duration_ns);
  double sum = 0;
  for (const double count : fine) sum += count;
  // Ten arrivals a window or more: finer windows hold the grain of single arrivals.
  const auto factor = static_cast<size_t>(
      std::clamp(std::ceil(10 * static_cast<double>(fine.size()) / std::max(sum, 1.0)), 1.0, 1e9));
  std::vector<double> counts = joined(fine, factor);
  if (!counts.empty()) counts.pop_back();  // may be cut short
  constexpr size_t fewest_windows = 512;
  if (counts.size() < fewest_windows) {
    findings.skip("memory_local_whittle", "fewer than 512 windows of ten arrivals", counts.size());
    return;
  }
  const auto interval = [](const stats::HurstEstimate& h) {
    return fmt::format("Hurst exponent, 95 % interval {:.3f} to {:.3f}", h.lo, h.hi);
  };
  const stats::HurstEstimate whittle = stats::hurst_local_whittle(counts);
  stats::TestResult result;
  result.statistic = whittle.h;
  result.n = counts.size();
  const double error = (whittle.hi - whittle.lo) / (2 * 1.959963984540054);
  result.p_value = 2 * stats::normal_sf(std::fabs(whittle.h - 0.5) / error);
  findings.add("memory_local_whittle", result, interval(whittle));
  const std::string beside = "; for comparison, no verdict rests on it";
  const stats::HurstEstimate wavelet = stats::hurst_wavelet(counts);
  findings.show("memory_wavelet", wavelet.h, counts.size(), interval(wavelet) + beside);
  const stats::HurstEstimate variance = stats::hurst_variance_time(counts);
  findings.show("memory_variance_time", variance.h, counts.size(), interval(variance) + beside);
  const stats::HurstEstimate range = stats::hurst_rescaled_range(counts);
  findings.show("memory_rescaled_range", range.h, counts.size(), interval(range) + beside);
}

}  // namespace mlq::arrival
