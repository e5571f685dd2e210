#include "lib/arrival/describe/bin_describer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/arrival/describe/trace_describer.h"
#include "lib/arrival/trace/count_series.h"
#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/stats/special.h"

namespace mlq::arrival {
namespace {

// Sample variance over mean, with the interval of a chi-square law.
records::Idc dispersion(const std::vector<double>& counts, int64_t window_ns) {
  const auto m = static_cast<double>(counts.size());
  double mean = 0;
  for (const double count : counts) mean += count / m;
  double squares = 0;
  for (const double count : counts) squares += (count - mean) * (count - mean);
  const double df = m - 1;
  return {window_ns, squares / df / mean, squares / mean / stats::chi_square_quantile(0.975, df),
          squares / mean / stats::chi_square_quantile(0.025, df)};
}

}  // namespace

void BinDescriber::add(const records::Bin& bin) {
  constexpr size_t most = size_t{1} << 22;
  if (bin.dt_ns <= 0 || bin.t_ns < 0 || bin.t_ns > std::numeric_limits<int64_t>::max() - bin.dt_ns) {
    throw input_error("bin at {} ns of {} ns: no interval of time", bin.t_ns, bin.dt_ns);
  }
  if (!(bin.count >= 0) || std::isinf(bin.count)) {
    throw input_error("bin at {} ns: count {} is no number of arrivals", bin.t_ns, bin.count);
  }
  if (++size_ > most) throw input_error("more than {} bins", most);
  classes_[bin.klass.value_or("")].push_back({bin.t_ns, bin.dt_ns, bin.count});
}

void BinDescriber::finish() {
  const bool summed = !classes_.contains("");
  Series all;
  for (auto& [name, series] : classes_) {
    std::stable_sort(series.begin(), series.end(),
                     [](const Count& a, const Count& b) { return a.t_ns < b.t_ns; });
    for (size_t k = 1; k < series.size(); ++k) {
      if (series[k - 1].t_ns + series[k - 1].dt_ns <= series[k].t_ns) continue;
      throw input_error("the bins at {} ns and {} ns overlap", series[k - 1].t_ns, series[k].t_ns);
    }
    if (summed) all.insert(all.end(), series.begin(), series.end());
  }
  if (!summed) return;
  std::stable_sort(all.begin(), all.end(), [](const Count& a, const Count& b) { return a.t_ns < b.t_ns; });
  Series& total = classes_[""];
  for (const Count& bin : all) {
    if (total.empty() || total.back().t_ns != bin.t_ns) {
      total.push_back(bin);
    } else if (total.back().dt_ns == bin.dt_ns) {
      total.back().count += bin.count;
    } else {
      throw input_error("the bins at {} ns have different lengths in different classes", bin.t_ns);
    }
  }
}

int64_t BinDescriber::duration_ns() const {
  int64_t last = 0;
  for (const auto& [name, series] : classes_) last = std::max(last, series.back().t_ns + series.back().dt_ns);
  return last;
}

int64_t BinDescriber::regular_width(const Series& series) {
  const int64_t width = series.front().dt_ns;
  for (size_t k = 1; k < series.size(); ++k) {
    const bool last = k + 1 == series.size();
    if (series[k].t_ns != series[k - 1].t_ns + width) return 0;
    if (series[k].dt_ns != width && !(last && series[k].dt_ns < width)) return 0;
  }
  return width;
}

records::TraceStat BinDescriber::stat(const std::string& klass, const Series& series) {
  records::TraceStat stat;
  stat.klass = klass.empty() ? "*" : klass;
  double sum = 0;
  double busiest = 0;
  int64_t covered_ns = 0;
  std::vector<double> counts;
  for (const Count& bin : series) {
    sum += bin.count;
    busiest = std::max(busiest, bin.count);
    covered_ns += bin.dt_ns;
    counts.push_back(bin.count);
  }
  stat.count = sum < 0x1p63 ? static_cast<uint64_t>(std::floor(sum + 0.5)) : uint64_t{1} << 63;
  stat.duration_ns = series.back().t_ns + series.back().dt_ns;
  stat.rate_per_s = sum / (static_cast<double>(covered_ns) * 1e-9);
  add_note(stat.note, "from bins, so nothing is known of gaps");
  const int64_t width = regular_width(series);
  if (width == 1'000'000'000 && sum > 0) stat.peak_ratio_1s = busiest / stat.rate_per_s;
  if (!klass.empty()) return stat;
  if (width == 0) {
    add_note(stat.note, "bins of different widths or with holes, so no hurst and no period");
  } else {
    stat.resolution_ns = width;
    describe_series(counts, width, stat);
  }
  return stat;
}

std::vector<records::TraceStat> BinDescriber::stats() const {
  std::vector<records::TraceStat> out{stat("", total())};
  if (classes_.size() <= 2) return out;
  for (const auto& [name, series] : classes_) {
    if (!name.empty()) out.push_back(stat(name, series));
  }
  return out;
}

std::vector<records::Idc> BinDescriber::idc() const {
  std::vector<records::Idc> out;
  const int64_t width = regular_width(total());
  if (width == 0) return out;
  std::vector<double> counts;
  for (const Count& bin : total()) counts.push_back(bin.count);
  if (total().back().dt_ns != width) counts.pop_back();
  if (std::all_of(counts.begin(), counts.end(), [](double c) { return c == 0; })) return out;
  for (int64_t window = width; counts.size() >= 30; window *= 10) {
    out.push_back(dispersion(counts, window));
    counts.resize(counts.size() / 10 * 10);
    counts = joined(counts, 10);
  }
  return out;
}

std::vector<records::Bin> BinDescriber::bins(std::optional<int64_t> width_ns) const {
  const int64_t width = regular_width(total());
  size_t factor = 1;
  if (width_ns) {
    if (width == 0 || *width_ns % width != 0) {
      throw input_error("the input's bins cannot be joined to bins of {}", format_duration(*width_ns));
    }
    factor = static_cast<size_t>(*width_ns / width);
  } else if (width > 0) {
    factor = (total().size() + 199) / 200;
  }
  std::vector<records::Bin> out;
  for (size_t k = 0; k < total().size(); ++k) {
    const Count& bin = total()[k];
    if (k % factor == 0) out.push_back({bin.t_ns, 0, 0, std::nullopt});
    out.back().dt_ns += bin.dt_ns;
    out.back().count += bin.count;
  }
  return out;
}

}  // namespace mlq::arrival
