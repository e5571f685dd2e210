// forest-ei: a forest and expected improvement on ln cost, like SMAC (Hutter, Hoos, Leyton-Brown, LION 2011):
// a spread first design, 10,000 challengers and 10 local searches each time, every other challenger random,
// and a challenger that looks better than the incumbent is tried again until it has as many windows or has
// lost.
#include <algorithm>
#include <cmath>

#include "lib/tune/learn/acquisition.h"
#include "lib/tune/learn/candidates.h"
#include "lib/tune/learn/surrogates.h"
#include "lib/tune/tuner/ranking.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {
namespace {

constexpr size_t kChallengers = 10'000, kLocalSearches = 10, kLocalSteps = 100;
constexpr size_t kSpreadOver = 200;  // random points that the next of the first design is chosen from
constexpr double kDesignShare = 0.25;

class ForestEi final : public Tuner {
 public:
  ForestEi(const TunerOptions& options, const Space& space)
      : seed_(options.seed), features_(space), forest_(features_) {}

  Choice ask(const History& history, const Question& question) override {
    const LevelId level = question.level;
    Choice choice;
    const size_t own = tries(history, level);
    const auto share = static_cast<size_t>(kDesignShare * static_cast<double>(question.budget));
    const size_t design = std::max<size_t>(1, std::min(10 * history.space().free_dims(), share));
    if (own < design && !(own > 0 && history.rows().size() >= 2 * design)) {
      choice.set = "init";
      choice.point = spread(history, level);
      return choice;
    }
    if (const auto again = challenger(history, level)) {
      choice.set = "repeat";
      choice.point = *again;
      choice.why = "it looks better than the incumbent, which has more windows";
      return choice;
    }
    grow(history);
    const PointId best = history.best_mean(level).value_or(history.start());
    const double best_y = forest_.predict(best, level).mean;
    Draws draws(seed_, Purpose::design, history.rows().size(), 1);
    std::vector<PointId> points = random_points(features_, kChallengers, draws);
    std::erase_if(points, [&](PointId p) { return history.barred(p); });
    if (points.empty()) points.push_back(best);
    std::vector<double> gain = gains(points, level, best_y);
    search_locally(history, level, best_y, points, gain);
    const size_t k = largest(history.space(), history.start(), points, gain);
    const Posterior p = forest_.predict(points[k], level);
    choice.point = points[k];
    choice.set = history.at(level, points[k]) != nullptr ? "repeat" : "wide";
    choice.estimator = "forest";
    choice.pred_y = p.mean;
    choice.pred_sd = p.sd;
    choice.acquisition = gain[k];
    return choice;
  }

  void tell(const History&, const Observation&) override {}

  std::optional<Prediction> predict(const History& history, LevelId level, PointId point) override {
    if (history.rows().empty() || level >= history.levels().size()) return std::nullopt;
    grow(history);
    const Posterior p = forest_.predict(point, level);
    return Prediction{p.mean, p.sd};
  }

 private:
  static size_t tries(const History& history, LevelId level) {
    size_t n = 0;
    for (const PointSummary& s : history.tried(level)) n += s.tries;
    return n;
  }

  PointId spread(const History& history, LevelId level) const {
    if (history.at(level, history.start()) == nullptr && !history.barred(history.start()))
      return history.start();
    std::vector<PointId> taken;
    for (const PointSummary& s : history.tried(level)) taken.push_back(s.point);
    Draws draws(seed_, Purpose::design, history.rows().size());
    const PointId point = spread_point(features_, taken, random_points(features_, kSpreadOver, draws));
    return history.barred(point) ? history.start() : point;
  }

  // A point whose mean is under the incumbent's, among those with as many windows as any, and that has fewer.
  static std::optional<PointId> challenger(const History& history, LevelId level) {
    const PointSummary* incumbent = nullptr;
    for (const PointSummary& s : history.tried(level)) {
      if (s.n == 0 || !s.feasible) continue;
      if (incumbent == nullptr || s.n > incumbent->n || (s.n == incumbent->n && s.mean_y < incumbent->mean_y))
        incumbent = &s;
    }
    if (incumbent == nullptr) return std::nullopt;
    const PointSummary* best = nullptr;
    for (const PointSummary& s : history.tried(level)) {
      if (s.n == 0 || !s.feasible || s.failures > 0 || s.n > incumbent->n) continue;
      if (s.mean_y >= incumbent->mean_y || history.barred(s.point)) continue;
      if (best == nullptr || s.mean_y < best->mean_y) best = &s;
    }
    // The first that has a window more than the others is only lucky: it gets its second one too.
    if (best == nullptr) return incumbent->n == 1 ? std::optional(incumbent->point) : std::nullopt;
    return best->point;
  }

  void grow(const History& history) {
    if (grown_ == history.rows().size() && grown_ > 0) return;
    grown_ = history.rows().size();
    GpRows rows;
    const size_t columns = features_.columns();
    rows.x.resize(grown_ * columns);
    for (size_t k = 0; k < grown_; ++k) {
      const Observation& row = history.rows()[k];
      features_.encode(row.point, std::span<double>(rows.x).subspan(k * columns, columns));
      rows.level.push_back(row.level);
      rows.own_var.push_back(0);
      rows.y.push_back(std::min(row.y, history.winsor_cap(row.level)));
    }
    forest_.fit(rows, history.levels(), seed_, grown_);
  }

  std::vector<double> gains(std::span<const PointId> points, LevelId level, double best_y) const {
    std::vector<double> mean(points.size()), variance(points.size());
    forest_.predict(points, level, mean, variance);
    for (size_t k = 0; k < points.size(); ++k)
      mean[k] = expected_improvement(mean[k], std::sqrt(variance[k]), best_y);
    return mean;
  }

  // From the best tried points and the best challengers uphill, one knob at a time.
  void search_locally(const History& history, LevelId level, double best_y, std::vector<PointId>& points,
                      std::vector<double>& gain) const {
    if (features_.space().listed() && features_.space().points().size() <= kChallengers) return;
    std::vector<size_t> order(points.size());
    for (size_t k = 0; k < order.size(); ++k) order[k] = k;
    const size_t starts = std::min(kLocalSearches, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(starts), order.end(),
                      [&](size_t a, size_t b) { return gain[a] != gain[b] ? gain[a] > gain[b] : a < b; });
    for (size_t s = 0; s < starts; ++s) {
      PointId at = points[order[s]];
      double here = gain[order[s]];
      for (size_t step = 0; step < kLocalSteps; ++step) {
        std::vector<PointId> near = history.space().neighbours(at);
        std::erase_if(near, [&](PointId p) { return history.barred(p); });
        if (near.empty()) break;
        const std::vector<double> there = gains(near, level, best_y);
        const auto best = static_cast<size_t>(std::max_element(there.begin(), there.end()) - there.begin());
        if (!(there[best] > here)) break;
        at = near[best];
        here = there[best];
      }
      points.push_back(at);
      gain.push_back(here);
    }
  }

  uint64_t seed_;
  Features features_;
  Forest forest_;
  size_t grown_ = 0;
};

}  // namespace

std::unique_ptr<Tuner> make_forest_ei(const TunerOptions& options, const Space& space) {
  return std::make_unique<ForestEi>(options, space);
}

}  // namespace mlq::tune
