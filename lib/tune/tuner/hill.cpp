// Hill climbing as in the quick search of Triton's Model Analyzer (triton-inference-server/model_analyzer,
// config/generate/neighborhood.py and quick_run_config_generator.py). Around a home, neighbours within three
// steps are measured: at least three, and every axis varied; of those that are left the one with the most
// values not seen yet comes first. The step is the mean relative gain a unit on each axis, of which 0.09,
// 0.3 and 1.0 give one, two and three steps. Where that leads nowhere, or the new home is no better than the
// old one, the best measured neighbour becomes home. A climb ends on the second visit of a home; the next one
// starts at a random point. Each level has its own climb.
#include <algorithm>
#include <cmath>
#include <map>

#include "lib/base/fmath.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

constexpr double kRadius = 3;
constexpr size_t kLeastMeasured = 3;
constexpr double kFailed = 1e3;  // ln cost of what did not work
constexpr double kStepThresholds[] = {0.09, 0.3, 1.0};

struct Climb {
  PointId home = 0;
  std::optional<PointId> before;  // the home before, until the new one is measured
  std::vector<PointId> homes;     // of this climb
  uint32_t restarts = 0;
  bool exhausted = false;
  struct Mean {
    double score = 0;
    uint32_t n = 0;
  };
  std::map<PointId, Mean> measured;
};

class Hill : public Tuner {
 public:
  explicit Hill(uint64_t seed) : seed_(seed) {}

  Choice ask(const History& history, const Question& question) override {
    if (auto first = opening(history, question.level)) return *first;
    Climb& climb = climb_of(history, question.level);
    Choice choice;
    choice.set = "neighbour";
    if (const auto next = advance(history, question.level, climb)) {
      choice.point = *next;
      choice.why = *next == climb.home ? "the climb's new home" : "a neighbour of the climb's home";
      return choice;
    }
    choice.point = history.best_mean(question.level).value_or(history.start());
    choice.finished = true;
    choice.why = "every point was tried";
    return choice;
  }

  void tell(const History& history, const Observation& row) override {
    if (row.prior) return;
    Climb& climb = climb_of(history, row.level);
    Climb::Mean& mean = climb.measured[row.point];
    const double y = row.outcome == TrialOutcome::failed ? kFailed : score(row);
    mean.score += (y - mean.score) / ++mean.n;
    // At once, so that what a climb decides depends on the rows alone and not on when it is asked.
    advance(history, row.level, climb);
  }

 private:
  Climb& climb_of(const History& history, LevelId level) {
    while (climbs_.size() <= level) {
      climbs_.emplace_back();
      climbs_.back().home = history.start();
      climbs_.back().homes = {history.start()};
    }
    return climbs_[level];
  }

  // Climbs as far as what was measured allows; what must be measured next, none if every point was tried.
  std::optional<PointId> advance(const History& history, LevelId level, Climb& climb) const {
    while (!climb.exhausted) {
      if (!climb.measured.contains(climb.home)) {
        if (!history.barred(climb.home)) return climb.home;
        restart(history, level, climb);
        continue;
      }
      const Space& space = history.space();
      if (climb.before && mean(climb, climb.home) >= mean(climb, *climb.before)) {
        const PointId best = best_measured(climb, index_ball(space, *climb.before, kRadius), *climb.before);
        climb.before.reset();
        move_home(history, level, climb, best, false);
        continue;
      }
      const std::vector<PointId> ball = index_ball(space, climb.home, kRadius);
      if (!enough(space, climb, ball))
        if (const auto next = least_covered(history, climb, ball)) return next;
      PointId next = stepped(space, climb, ball);
      if (next == climb.home) next = best_measured(climb, ball, climb.home);
      move_home(history, level, climb, next, true);
    }
    return std::nullopt;
  }

  void move_home(const History& history, LevelId level, Climb& climb, PointId to, bool must_gain) const {
    if (std::find(climb.homes.begin(), climb.homes.end(), to) != climb.homes.end()) {
      restart(history, level, climb);
      return;
    }
    if (must_gain) climb.before = climb.home;
    climb.home = to;
    climb.homes.push_back(to);
  }

  void restart(const History& history, LevelId level, Climb& climb) const {
    Draws draws(seed_, Purpose::policy, ++climb.restarts, level);
    const auto home = draw_untried(history, level, draws);
    climb.exhausted = !home;
    if (!home) return;
    climb.home = *home;
    climb.before.reset();
    climb.homes = {*home};
  }

  static double mean(const Climb& climb, PointId point) { return climb.measured.at(point).score; }

  static bool enough(const Space& space, const Climb& climb, const std::vector<PointId>& ball) {
    std::vector<bool> varied(space.dims());
    size_t measured = 0;
    for (const PointId p : ball) {
      if (p == climb.home || !climb.measured.contains(p)) continue;
      ++measured;
      for (size_t a = 0; a < space.dims(); ++a)
        if (space.step(p, a) != space.step(climb.home, a)) varied[a] = true;
    }
    for (size_t a = 0; a < space.dims(); ++a)
      if (!varied[a] && varies(space, ball, climb.home, a)) return false;
    return measured >= kLeastMeasured;
  }

  static bool varies(const Space& space, const std::vector<PointId>& ball, PointId home, size_t axis) {
    return std::any_of(ball.begin(), ball.end(),
                       [&](PointId p) { return space.step(p, axis) != space.step(home, axis); });
  }

  // The neighbour with the most values that no measured neighbour has; of equals the first.
  static std::optional<PointId> least_covered(const History& history, const Climb& climb,
                                              const std::vector<PointId>& ball) {
    const Space& space = history.space();
    std::vector<std::vector<bool>> covered;
    for (const Axis& axis : space.axes()) covered.emplace_back(axis.values.size());
    for (const PointId p : ball)
      if (climb.measured.contains(p))
        for (size_t a = 0; a < space.dims(); ++a) covered[a][space.step(p, a)] = true;
    std::optional<PointId> best;
    int most = -1;
    for (const PointId p : ball) {
      if (climb.measured.contains(p) || history.barred(p)) continue;
      int fresh = 0;
      for (size_t a = 0; a < space.dims(); ++a) fresh += covered[a][space.step(p, a)] ? 0 : 1;
      if (fresh <= most) continue;
      most = fresh;
      best = p;
    }
    return best;
  }

  // Where the gains point to; home itself if no axis has a gain that counts, or there is no valid point.
  static PointId stepped(const Space& space, const Climb& climb, const std::vector<PointId>& ball) {
    PointId to = climb.home;
    for (size_t a = 0; a < space.dims(); ++a) {
      double sum = 0;
      int n = 0;
      for (const PointId p : ball) {
        const auto d = static_cast<double>(space.step(p, a)) - static_cast<double>(space.step(climb.home, a));
        if (d == 0 || !climb.measured.contains(p)) continue;
        sum += gain(mean(climb, climb.home), mean(climb, p)) / d;
        ++n;
      }
      if (n == 0) continue;
      int steps = 0;
      for (const double threshold : kStepThresholds) steps += std::fabs(sum / n) > threshold ? 1 : 0;
      if (sum < 0) steps = -steps;
      const auto last = static_cast<int>(space.axes()[a].values.size()) - 1;
      const int s = std::clamp(static_cast<int>(space.step(to, a)) + steps, 0, last);
      to = space.with_step(to, a, static_cast<uint32_t>(s));
    }
    to = space.canonical(to);
    return space.valid(to) ? to : space.nearest(space.config(to));
  }

  // How much less the second cost is, relative to the mean of both: from -2 to 2.
  static double gain(double home_y, double y) {
    const double ratio = fmath::exp(std::clamp(y - home_y, -40.0, 40.0));
    return 2 * (1 - ratio) / (1 + ratio);
  }

  static PointId best_measured(const Climb& climb, const std::vector<PointId>& ball, PointId home) {
    PointId best = home;
    for (const PointId p : ball)
      if (climb.measured.contains(p) && mean(climb, p) < mean(climb, best)) best = p;
    return best;
  }

  uint64_t seed_;
  std::vector<Climb> climbs_;  // by level
};

}  // namespace

std::unique_ptr<Tuner> make_hill(const TunerOptions& options, const Space& /*space*/) {
  return std::make_unique<Hill>(options.seed);
}

}  // namespace mlq::tune
