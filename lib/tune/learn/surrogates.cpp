#include "lib/tune/learn/surrogates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "lib/tune/learn/acquisition.h"

namespace mlq::tune {
namespace {

constexpr size_t kMostRows = 200, kLatest = 120, kBest = 40;
constexpr double kLeastScale = 0.01;  // of y: differences of 1 % are not blown up
constexpr double kMostSlack = 5;      // a statistic 150 times its limit is as bad as any worse one
constexpr double kSameStatistic = 1e-9;
constexpr uint32_t kFitStream = 100;  // of a process's fit; the trees of forests have the streams before

// Rows that are farthest from what was picked, one after the other.
void pick_spread(std::span<const Observation> rows, const Features& features, size_t count,
                 std::vector<bool>& picked) {
  const size_t columns = features.columns();
  std::vector<double> x(columns * rows.size());
  for (size_t k = 0; k < rows.size(); ++k)
    features.encode(rows[k].point, std::span<double>(x).subspan(k * columns, columns));
  std::vector<double> nearest(rows.size(), std::numeric_limits<double>::infinity());
  const auto near = [&](size_t centre) {
    for (size_t k = 0; k < rows.size(); ++k) {
      double distance = rows[k].level == rows[centre].level ? 0.0 : 1.0;
      for (size_t c = 0; c < columns; ++c) {
        const double d = x[k * columns + c] - x[centre * columns + c];
        distance += features.weight(c) * d * d;
      }
      nearest[k] = std::min(nearest[k], distance);
    }
  };
  for (size_t k = 0; k < rows.size(); ++k)
    if (picked[k]) near(k);
  for (size_t n = 0; n < count; ++n) {
    size_t best = rows.size();
    for (size_t k = 0; k < rows.size(); ++k)
      if (!picked[k] && (best == rows.size() || nearest[k] > nearest[best])) best = k;
    if (best == rows.size()) return;
    picked[best] = true;
    near(best);
  }
}

}  // namespace

std::vector<size_t> rows_to_learn(const History& history, size_t size, LevelId level,
                                  const Features& features) {
  const auto rows = std::span<const Observation>(history.rows()).first(size);
  std::vector<size_t> out;
  if (rows.size() <= kMostRows) {
    out.resize(rows.size());
    std::iota(out.begin(), out.end(), size_t{0});
    return out;
  }
  std::vector<bool> picked(rows.size(), false);
  size_t latest = 0;
  for (size_t k = rows.size(); k-- > 0 && latest < kLatest;) {
    if (rows[k].level != level) continue;
    picked[k] = true;
    ++latest;
  }
  std::vector<size_t> by_y;
  for (size_t k = 0; k < rows.size(); ++k)
    if (!picked[k] && rows[k].outcome == TrialOutcome::ok) by_y.push_back(k);
  // Of this level first: costs of different levels do not compare.
  std::stable_sort(by_y.begin(), by_y.end(), [&](size_t a, size_t b) {
    if ((rows[a].level == level) != (rows[b].level == level)) return rows[a].level == level;
    return rows[a].y < rows[b].y;
  });
  for (size_t k = 0; k < std::min(kBest, by_y.size()); ++k) picked[by_y[k]] = true;
  const auto count = static_cast<size_t>(std::count(picked.begin(), picked.end(), true));
  pick_spread(rows, features, kMostRows - count, picked);
  for (size_t k = 0; k < rows.size(); ++k)
    if (picked[k]) out.push_back(k);
  return out;
}

void Surrogates::Target::standardise(std::span<const double> y) {
  const auto n = static_cast<double>(std::max<size_t>(y.size(), 1));
  double sum = 0, square = 0;
  for (const double v : y) sum += v;
  centre = sum / n;
  for (const double v : y) square += (v - centre) * (v - centre);
  scale = std::max(std::sqrt(square / n), kLeastScale);
}

Surrogates::Surrogates(const Space& space, uint64_t seed)
    : features_(space), seed_(seed), gp_(features_), forest_(features_) {}

GpRows Surrogates::rows_of(const History& history, std::span<const size_t> rows, std::span<const double> y,
                           const Target& target) const {
  GpRows out;
  const size_t columns = features_.columns();
  out.x.resize(rows.size() * columns);
  for (size_t k = 0; k < rows.size(); ++k) {
    const Observation& row = history.rows()[rows[k]];
    features_.encode(row.point, std::span<double>(out.x).subspan(k * columns, columns));
    out.level.push_back(row.level);
    out.own_var.push_back(row.y_var / (target.scale * target.scale));
    out.y.push_back((y[k] - target.centre) / target.scale);
  }
  return out;
}

std::vector<double> Surrogates::winsorised(const History& history, std::span<const size_t> rows) const {
  std::vector<double> caps(history.levels().size());
  for (LevelId level = 0; level < caps.size(); ++level) caps[level] = history.winsor_cap(level);
  std::vector<double> y;
  for (const size_t k : rows) y.push_back(std::min(history.rows()[k].y, caps[history.rows()[k].level]));
  return y;
}

// Chosen among the rows of the last fit; later ones are added, so that the factor grows.
void Surrogates::choose_rows(const History& history, LevelId level) {
  const size_t n = history.rows().size();
  const size_t first = fitted_ > 0 ? fitted_ : n;
  rows_ = rows_to_learn(history, first, level, features_);
  all_rows_ = rows_.size() == first;
  chosen_for_ = level;
  for (size_t k = first; k < n; ++k) rows_.push_back(k);
}

void Surrogates::told(const History& history) {
  const size_t n = history.rows().size();
  if (n == 0 || n % kRefitEvery != 0 || n == fitted_) return;
  fitted_ = n;
  choose_rows(history, history.rows().back().level);
  const std::vector<double> y = winsorised(history, rows_);
  target_.standardise(y);
  given_ = rows_of(history, rows_, y, target_);
  Draws draws(seed_, Purpose::estimator, n, kFitStream);
  gp_.fit(given_, history.levels(), draws);
  impute(history);
  find_constraints(history);
  update_constraints(history, true);
  ready_rows_ = n;
  ready_levels_ = history.levels().size();
}

void Surrogates::ready(const History& history, LevelId level) {
  const size_t n = history.rows().size();
  const bool same_rows = all_rows_ || level == chosen_for_;
  if (n == ready_rows_ && history.levels().size() == ready_levels_ && same_rows) return;
  choose_rows(history, level);
  const std::vector<double> y = winsorised(history, rows_);
  if (fitted_ == 0) target_.standardise(y);
  given_ = rows_of(history, rows_, y, target_);
  gp_.condition(given_, history.levels());
  impute(history);
  if (fitted_ == 0) find_constraints(history);
  update_constraints(history, false);
  ready_rows_ = n;
  ready_levels_ = history.levels().size();
}

void Surrogates::ready_forest(const History& history, LevelId level) {
  ready(history, level);
  const size_t n = history.rows().size();
  if (forest_rows_ == n && forest_level_ == level && n > 0) return;
  forest_rows_ = n;
  forest_level_ = level;
  if (all_rows_ && history.count(level) == n) {
    forest_.fit(given_, history.levels(), seed_, n);
    return;
  }
  std::vector<size_t> own;
  for (size_t k = 0; k < n; ++k)
    if (history.rows()[k].level == level) own.push_back(k);
  forest_.fit(rows_of(history, own, winsorised(history, own), target_), history.levels(), seed_, n);
}

void Surrogates::impute(const History& history) {
  bool any = false;
  std::vector<double> y = given_.y;
  std::vector<double> caps(history.levels().size());
  for (LevelId level = 0; level < caps.size(); ++level) caps[level] = history.winsor_cap(level);
  for (size_t k = 0; k < rows_.size(); ++k) {
    const Observation& row = history.rows()[rows_[k]];
    if (row.outcome != TrialOutcome::aborted) continue;
    any = true;
    const Posterior p = gp_.at_row(k);
    const double cap = (caps[row.level] - target_.centre) / target_.scale;
    y[k] = std::min(std::max(y[k], p.mean + 0.5 * p.sd), cap);
  }
  if (!any) return;
  given_.y = y;
  gp_.retarget(y);
}

// A constraint on the statistic that is minimised has a slack that is y less a constant.
void Surrogates::find_constraints(const History& history) {
  size_t count = 0;
  for (const Observation& row : history.rows()) count = std::max(count, row.slack.size());
  y_limit_.reset();
  std::vector<size_t> others;
  for (size_t c = 0; c < count; ++c) {
    std::optional<double> offset;
    bool same = true;
    for (const Observation& row : history.rows()) {
      if (row.outcome != TrialOutcome::ok || row.slack.size() <= c || !std::isfinite(row.slack[c])) continue;
      const double here = row.y - row.slack[c];
      if (!offset) offset = here;
      same &= std::fabs(here - *offset) <= kSameStatistic * (1 + std::fabs(here));
    }
    if (!offset) continue;
    if (same) {
      y_limit_ = std::min(y_limit_.value_or(*offset), *offset);
    } else {
      others.push_back(c);
    }
  }
  for (const size_t c : others)
    if (std::none_of(constraints_.begin(), constraints_.end(), [&](const auto& k) { return k.index == c; }))
      constraints_.push_back({c, {}, Gp(features_)});
  std::erase_if(constraints_, [&](const Constraint& k) {
    return std::find(others.begin(), others.end(), k.index) == others.end();
  });
}

void Surrogates::update_constraints(const History& history, bool fit) {
  for (Constraint& constraint : constraints_) {
    std::vector<size_t> rows;
    std::vector<double> y;
    for (const size_t k : rows_) {
      const Observation& row = history.rows()[k];
      if (row.slack.size() <= constraint.index || std::isnan(row.slack[constraint.index])) continue;
      rows.push_back(k);
      y.push_back(std::clamp(row.slack[constraint.index], -kMostSlack, kMostSlack));
    }
    if (fit || constraint.gp.size() == 0) constraint.target.standardise(y);
    GpRows given = rows_of(history, rows, y, constraint.target);
    std::fill(given.own_var.begin(), given.own_var.end(), 0.0);  // y_var is another statistic's
    Draws draws(seed_, Purpose::estimator, history.rows().size(),
                kFitStream + 1 + static_cast<uint32_t>(constraint.index));
    if (fit && !rows.empty()) {
      constraint.gp.fit(given, history.levels(), draws);
    } else {
      constraint.gp.condition(given, history.levels());
    }
  }
}

void Surrogates::gp_posteriors(std::span<const PointId> points, LevelId level,
                               std::vector<Posterior>& out) const {
  std::vector<double> mean(points.size()), variance(points.size());
  gp_.predict(points, level, mean, variance);
  out.resize(points.size());
  for (size_t k = 0; k < points.size(); ++k)
    out[k] = {target_.centre + target_.scale * mean[k], target_.scale * std::sqrt(variance[k])};
}

void Surrogates::forest_posteriors(std::span<const PointId> points, LevelId level,
                                   std::vector<Posterior>& out) const {
  std::vector<double> mean(points.size()), variance(points.size());
  forest_.predict(points, level, mean, variance);
  out.resize(points.size());
  for (size_t k = 0; k < points.size(); ++k)
    out[k] = {target_.centre + target_.scale * mean[k], target_.scale * std::sqrt(variance[k])};
}

Posterior Surrogates::gp_posterior(PointId point, LevelId level) const {
  std::vector<Posterior> out;
  gp_posteriors({&point, 1}, level, out);
  return out[0];
}

Posterior Surrogates::forest_posterior(PointId point, LevelId level) const {
  std::vector<Posterior> out;
  forest_posteriors({&point, 1}, level, out);
  return out[0];
}

double Surrogates::gp_mean(PointId point, LevelId level) const {
  std::vector<double> x(features_.columns());
  features_.encode(point, x);
  return target_.centre + target_.scale * gp_.mean_at(x, level);
}

double Surrogates::noise_variance() const { return gp_.noise_variance() * target_.scale * target_.scale; }

std::vector<double> Surrogates::feasible(std::span<const PointId> points, LevelId level,
                                         std::span<const Posterior> y) const {
  std::vector<double> out(points.size(), 1.0);
  if (y_limit_)
    for (size_t k = 0; k < points.size(); ++k) out[k] = probability_below(y[k].mean, y[k].sd, *y_limit_);
  std::vector<double> mean(points.size()), variance(points.size());
  for (const Constraint& constraint : constraints_) {
    if (constraint.gp.size() == 0) continue;
    constraint.gp.predict(points, level, mean, variance);
    const double limit = -constraint.target.centre / constraint.target.scale;
    for (size_t k = 0; k < points.size(); ++k)
      out[k] *= probability_below(mean[k], std::sqrt(variance[k]), limit);
  }
  return out;
}

std::vector<double> Surrogates::leave_one_out() const {
  std::vector<double> out = gp_.leave_one_out();
  for (double& r : out) r *= target_.scale;
  return out;
}

}  // namespace mlq::tune
