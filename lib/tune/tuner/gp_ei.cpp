// gp-ei: a Gaussian process and expected improvement over the whole grid, like CherryPick (Alipourfard et
// al., NSDI'17): no region, no forest, and a point may be tried as often as it promises. gp-ei:stop ends when
// the largest expected improvement is under 10 % after at least 6 trials.
#include <algorithm>

#include "lib/tune/learn/acquisition.h"
#include "lib/tune/learn/candidates.h"
#include "lib/tune/learn/surrogates.h"
#include "lib/tune/tuner/ranking.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {
namespace {

constexpr size_t kPoints = 4000;     // grids with more are sampled
constexpr size_t kSpreadOver = 200;  // random points that the next of the first design is chosen from
constexpr double kStopGain = 0.1;
constexpr size_t kStopAfter = 6;

class GpEi final : public Tuner {
 public:
  GpEi(const TunerOptions& options, const Space& space)
      : seed_(options.seed),
        stops_(options.name == "gp-ei:stop"),
        first_trials_(std::min<size_t>(6, space.free_dims() + 3)),
        models_(space, options.seed),
        seen_(space, space.middle()) {}

  Choice ask(const History& history, const Question& question) override {
    take_in(history);
    Choice choice;
    if (seen_.tried(question.level).empty() || seen_.rows().size() < first_trials_) {
      choice.set = "init";
      choice.point = design(question.level);
      return choice;
    }
    models_.ready(seen_, question.level);
    const PointId best = incumbent(question.level);
    const double best_y = models_.gp_mean(best, question.level);
    Draws draws(seed_, Purpose::design, seen_.rows().size(), 1);
    std::vector<PointId> points = random_points(models_.features(), kPoints, draws);
    std::erase_if(points, [&](PointId p) { return seen_.barred(p); });
    if (points.empty()) points.push_back(best);
    std::vector<Posterior> posteriors;
    models_.gp_posteriors(points, question.level, posteriors);
    std::vector<double> gain = models_.feasible(points, question.level, posteriors);
    for (size_t k = 0; k < points.size(); ++k)
      gain[k] *= expected_improvement(posteriors[k].mean, posteriors[k].sd, best_y);
    const size_t k = largest(seen_.space(), seen_.start(), points, gain);
    choice.point = points[k];
    choice.estimator = "gp";
    choice.set = seen_.at(question.level, points[k]) != nullptr ? "repeat" : "wide";
    choice.pred_y = posteriors[k].mean;
    choice.pred_sd = posteriors[k].sd;
    choice.acquisition = gain[k];
    if (stops_ && seen_.count(question.level) >= kStopAfter && gain[k] < kStopGain) {
      choice.finished = true;
      choice.point = best;
    }
    return choice;
  }

  void tell(const History& history, const Observation&) override { take_in(history); }

  std::optional<PointId> recommend(const History& history, LevelId level) override {
    take_in(history);
    if (level >= seen_.levels().size() || seen_.tried(level).empty()) return std::nullopt;
    models_.ready(seen_, level);
    return incumbent(level);
  }

  std::optional<Prediction> predict(const History& history, LevelId level, PointId point) override {
    take_in(history);
    if (seen_.rows().empty() || level >= seen_.levels().size()) return std::nullopt;
    models_.ready(seen_, level);
    const Posterior p = models_.gp_posterior(point, level);
    return Prediction{p.mean, p.sd};
  }

 private:
  // Models learn row by row, so that a search that is resumed has those of the unbroken one.
  void take_in(const History& history) {
    seen_.set_start(history.start());
    for (size_t k = seen_.levels().size(); k < history.levels().size(); ++k) seen_.level(history.levels()[k]);
    for (size_t k = seen_.rows().size(); k < history.rows().size(); ++k) {
      seen_.add(history.rows()[k]);
      models_.told(seen_);
    }
  }

  PointId design(LevelId level) {
    if (seen_.at(level, seen_.start()) == nullptr && !seen_.barred(seen_.start())) return seen_.start();
    std::vector<PointId> taken;
    for (const Observation& row : seen_.rows()) taken.push_back(row.point);
    Draws draws(seed_, Purpose::design, seen_.rows().size());
    const PointId point =
        spread_point(models_.features(), taken, random_points(models_.features(), kSpreadOver, draws));
    return seen_.barred(point) ? seen_.start() : point;
  }

  PointId incumbent(LevelId level) const {
    std::optional<PointId> best;
    double best_y = 0;
    for (const PointSummary& s : seen_.tried(level)) {
      if (s.n == 0 || !s.feasible || seen_.barred(s.point)) continue;
      const double y = models_.gp_mean(s.point, level);
      if (best && y >= best_y) continue;
      best = s.point;
      best_y = y;
    }
    return best ? *best : seen_.best_mean(level).value_or(seen_.start());
  }

  uint64_t seed_;
  bool stops_;
  size_t first_trials_;
  Surrogates models_;
  History seen_;
};

}  // namespace

std::unique_ptr<Tuner> make_gp_ei(const TunerOptions& options, const Space& space) {
  return std::make_unique<GpEi>(options, space);
}

}  // namespace mlq::tune
