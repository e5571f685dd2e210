#include "lib/tune/measure/level.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"

namespace mlq::tune {
namespace {

constexpr double kBursty = 1.5;
constexpr double kLn2 = 0.69314718055994530942;

double half_octaves(double rate_per_s) { return 2 * fmath::log(rate_per_s) / kLn2; }

}  // namespace

Level level_of(double rate_per_s, std::optional<double> cv2) {
  Level level;
  level.rate_per_s = rate_per_s;
  level.bursty = cv2.value_or(0) >= kBursty;
  if (!(rate_per_s > 0)) {
    level.name = "idle";
    level.rate_per_s = 0;
    return level;
  }
  level.name =
      fmt::format("r{}c{}", static_cast<int>(std::floor(half_octaves(rate_per_s))), level.bursty ? 1 : 0);
  return level;
}

const Level& LevelTracker::add(double rate_per_s, std::optional<double> cv2) {
  Level seen = level_of(rate_per_s, cv2);
  if (!level_ || level_->rate_per_s == 0) {
    level_ = std::move(seen);
    return *level_;
  }
  if (seen.name == level_->name) {
    beyond_ = 0;
    return *level_;
  }
  const double bin = std::floor(half_octaves(level_->rate_per_s));
  const double at = seen.rate_per_s > 0 ? half_octaves(seen.rate_per_s) : -1e9;
  // In units of half octaves: how far outside [bin, bin + 1). A quarter octave is half a unit.
  const double outside = std::max(bin - at, at - (bin + 1));
  const bool burst_changed = seen.bursty != level_->bursty;
  if (outside >= 1) {
    beyond_ = kWindows;
  } else if (outside >= 0.5 || burst_changed) {
    ++beyond_;
  } else {
    beyond_ = 0;
  }
  if (beyond_ >= kWindows) {
    level_ = std::move(seen);
    beyond_ = 0;
  }
  return *level_;
}

std::optional<LevelId> nearest_level(std::span<const Level> levels, const Level& level) {
  std::optional<LevelId> best;
  double least = 0;
  for (size_t k = 0; k < levels.size(); ++k) {
    double distance = levels[k].bursty == level.bursty ? 0 : 0.5;
    if (levels[k].rate_per_s > 0 && level.rate_per_s > 0)
      distance += std::fabs(half_octaves(levels[k].rate_per_s) - half_octaves(level.rate_per_s));
    else if (levels[k].rate_per_s != level.rate_per_s)
      distance += 1e6;
    if (!best || distance < least) {
      best = static_cast<LevelId>(k);
      least = distance;
    }
  }
  return best;
}

bool PageHinkley::add(double x) {
  up_ = std::max(0.0, up_ + x - delta_);
  down_ = std::max(0.0, down_ - x - delta_);
  if (up_ <= lambda_ && down_ <= lambda_) return false;
  up_ = down_ = 0;
  return true;
}

}  // namespace mlq::tune
