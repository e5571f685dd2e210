#include <algorithm>
#include <limits>

#include "lib/base/fmath.h"
#include "lib/stats/quantile.h"
#include "lib/tune/compare/score.h"
#include "lib/tune/draws.h"

namespace mlq::tune {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// All runs are censored at the same trial, so that the estimate of Kaplan and Meier is the nearest rank.
double median(std::vector<double>& values) {
  const auto place = values.begin() + static_cast<ptrdiff_t>(stats::nearest_rank({1, 2}, values.size()) - 1);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

std::pair<double, double> interval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[stats::nearest_rank({25, 1000}, values.size()) - 1],
          values[stats::nearest_rank({975, 1000}, values.size()) - 1]};
}

std::optional<double> finite(double value) {
  if (value == kInfinite) return std::nullopt;
  return value;
}

}  // namespace

Bootstrap::Bootstrap(const Comparison& comparison, uint64_t seed) : comparison_(comparison) {
  for (size_t r = 0; r < kResamples; ++r) {
    std::vector<uint32_t>& picks = picks_.emplace_back();
    for (size_t surface = 0; surface < comparison.surfaces.size(); ++surface) {
      Draws draws(seed, Purpose::bootstrap, r, static_cast<uint32_t>(surface));
      for (uint64_t k = 0; k < comparison.seeds; ++k)
        picks.push_back(static_cast<uint32_t>(draws.below(comparison.seeds)));
    }
  }
}

// Resample 0 is what was seen.
Figures Bootstrap::of(size_t tuner, size_t surface, size_t resample) const {
  std::vector<double> trials;
  double unreached = 0, rec = 0, online = 0;
  for (size_t s = 0; s < comparison_.surfaces.size(); ++s) {
    if (surface != kAll && surface != s) continue;
    for (uint64_t k = 0; k < comparison_.seeds; ++k) {
      const uint64_t seed = resample == 0 ? k : picks_[resample - 1][s * comparison_.seeds + k];
      const Cell& cell = comparison_.at(tuner, s, seed);
      if (!cell.failure.empty()) continue;
      trials.push_back(cell.reached ? static_cast<double>(*cell.reached) : kInfinite);
      unreached += cell.reached ? 0 : 1;
      rec += cell.ln_rec;
      online += cell.ln_online;
    }
  }
  Figures figures;
  if (trials.empty()) return {kInfinite, 1, kInfinite, kInfinite};
  const double count = static_cast<double>(trials.size());
  figures.trials = median(trials);
  figures.unreached = unreached / count;
  figures.rec = fmath::exp(rec / count);
  figures.online = fmath::exp(online / count);
  return figures;
}

const std::vector<Figures>& Bootstrap::figures(size_t tuner, size_t surface) const {
  std::vector<Figures>& all = known_[{tuner, surface}];
  if (all.empty())
    for (size_t r = 0; r <= kResamples; ++r) all.push_back(of(tuner, surface, r));
  return all;
}

size_t Bootstrap::cells(size_t tuner, size_t surface) const {
  size_t count = 0;
  for (size_t s = 0; s < comparison_.surfaces.size(); ++s)
    for (uint64_t k = 0; k < comparison_.seeds; ++k)
      if ((surface == kAll || surface == s) && comparison_.at(tuner, s, k).failure.empty()) ++count;
  return count;
}

records::Score Bootstrap::summary(size_t tuner, size_t surface) const {
  records::Score score;
  score.tuner = comparison_.tuners[tuner];
  score.surface = surface == kAll ? "*" : comparison_.surfaces[surface];
  score.seeds = comparison_.seeds;
  if (cells(tuner, surface) == 0) {
    score.note = "no run has a score";
    score.rec_ratio = score.online_ratio = std::numeric_limits<double>::quiet_NaN();
    return score;
  }
  const std::vector<Figures>& all = figures(tuner, surface);
  const auto ends = [&](double Figures::*figure) {
    std::vector<double> values;
    for (size_t r = 1; r < all.size(); ++r) values.push_back(all[r].*figure);
    return interval(std::move(values));
  };
  const auto [trials_lo, trials_hi] = ends(&Figures::trials);
  score.trials_to_5pct = finite(all[0].trials);
  score.trials_to_5pct_lo = finite(trials_lo);
  score.trials_to_5pct_hi = finite(trials_hi);
  const auto [unreached_lo, unreached_hi] = ends(&Figures::unreached);
  score.unreached_share = all[0].unreached;
  score.unreached_share_lo = unreached_lo;
  score.unreached_share_hi = unreached_hi;
  const auto [rec_lo, rec_hi] = ends(&Figures::rec);
  score.rec_ratio = all[0].rec;
  score.rec_ratio_lo = rec_lo;
  score.rec_ratio_hi = rec_hi;
  const auto [online_lo, online_hi] = ends(&Figures::online);
  score.online_ratio = all[0].online;
  score.online_ratio_lo = online_lo;
  score.online_ratio_hi = online_hi;
  return score;
}

}  // namespace mlq::tune
