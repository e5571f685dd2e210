// rrl-a: RRL with a region of adaptive size. A forest, or a Gaussian process, or both in turn, say which
// point of the region around the incumbent, or of everywhere, is worth a trial; levels share what they know.
//
// Every decision is a function of the seed and of the rows told: they are taken in one by one, whether or not
// questions came in between, so that a resumed search goes on as the unbroken one would have.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/tune/learn/acquisition.h"
#include "lib/tune/learn/candidates.h"
#include "lib/tune/learn/surrogates.h"
#include "lib/tune/tuner/finalists.h"
#include "lib/tune/tuner/ranking.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {
namespace {

constexpr size_t kRegionPoints = 400, kWidePoints = 400;
constexpr double kGain = 0.02;  // ln cost that a success lies under the incumbent
constexpr double kGrow = 1.6, kShrink = 0.6, kMostRadius = 2, kLeastRadius = 0.12, kStartRadius = 1;
constexpr double kFirstRadius = 0.5;  // of the first points, around the best so far,
constexpr size_t kSpreadOver = 200;   // among so many
constexpr uint32_t kSuccesses = 2;
constexpr double kDull = 0.003;      // expected improvement that is not worth a trial,
constexpr uint32_t kDullTrials = 5;  // so many times running
constexpr double kExplored = 0.8;    // share of the budget
constexpr double kLn3 = 1.0986122886681098;

// When random points of the whole grid stand beside the region's.
struct Wide {
  enum class When { forest, never, every, stale } when = When::forest;
  uint64_t n = 0;

  static Wide parse(std::string_view text) {
    if (text == "forest") return {};
    if (text == "never") return {When::never, 0};
    for (const auto& [prefix, kind] : {std::pair{std::string_view("every:"), When::every},
                                       std::pair{std::string_view("stale:"), When::stale}}) {
      if (!text.starts_with(prefix)) continue;
      const std::string_view digits = text.substr(prefix.size());
      uint64_t n = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
      if (error == std::errc() && end == digits.data() + digits.size() && n > 0) return {kind, n};
    }
    throw usage_error("\"{}\": points everywhere are looked at as forest, never, every:N or stale:N, N > 0",
                      text);
  }
};

// What a level's trials have come to.
struct LevelState {
  double radius = kStartRadius;
  uint32_t successes = 0, failures = 0;  // in a row
  uint32_t stale = 0;                    // trials since a success
  uint32_t dull = 0;                     // decisions in a row that promised little
  std::vector<PointId> finalists;        // once one was measured
};

class RrlAdaptive final : public Tuner {
 public:
  RrlAdaptive(const TunerOptions& options, const Space& space)
      : options_(options),
        wide_(Wide::parse(options.wide)),
        models_(space, options.seed),
        seen_(space, space.middle()) {
    one_of("estimators", options.estimators, {"alt", "gp", "forest"});
    one_of("region", options.region, {"adaptive", "fixed", "none"});
    const size_t d = space.free_dims();
    first_trials_ = std::min<size_t>(6, d + 3);
    failures_to_shrink_ = static_cast<uint32_t>(std::max<size_t>(4, d));
    for (const Axis& axis : space.axes())
      classes_differ_ |= axis.values.size() > 1 && axis.apply != first_class(space);
  }

  Choice ask(const History& history, const Question& question) override {
    take_in(history);
    if (own_rows_ == 0) return first(seen_.start(), "the live configuration");
    if (seen_.rows().size() < first_trials_) return design();
    if (seen_.tried(question.level).empty()) return transfer(question.level);
    LevelState& state = level(question.level);
    const bool spent = static_cast<double>(question.i) >= kExplored * static_cast<double>(question.budget);
    if (!done(question.level, spent)) {
      const Decision decision = decide(question.level, question.window_s);
      promise_ = {seen_.rows().size(), question.level, decision.promise};
      if (decision.choice) return *decision.choice;
      state.dull = kDullTrials;  // every point was tried
    }
    return last_trials(question.level, spent);
  }

  void tell(const History& history, const Observation&) override { take_in(history); }

  std::optional<PointId> recommend(const History& history, LevelId id) override {
    take_in(history);
    if (id >= seen_.levels().size() || seen_.tried(id).empty()) return std::nullopt;
    models_.ready(seen_, id);
    const std::vector<PointId>& finalists = level(id).finalists;
    if (!finalists.empty()) {
      std::vector<double> values;
      for (const PointId point : finalists) values.push_back(*value(history, id, point));
      const auto judged = judge_finalists(seen_, id, finalists, models_.noise_variance());
      if (const auto best = pick_finalist(seen_.space(), seen_.start(), judged, values)) return best;
    }
    return incumbent(id).point;
  }

  std::optional<Prediction> predict(const History& history, LevelId id, PointId point) override {
    take_in(history);
    if (seen_.rows().empty() || id >= seen_.levels().size()) return std::nullopt;
    models_.ready(seen_, id);
    const Posterior p = models_.gp_posterior(point, id);
    return Prediction{p.mean, p.sd};
  }

  std::optional<double> value(const History& history, LevelId id, PointId point) override {
    const auto estimate = predict(history, id, point);
    if (!estimate) return std::nullopt;
    const PointSummary* s = seen_.at(id, point);
    if (s == nullptr || s->n == 0) return estimate->y;
    const std::vector<double> residuals = models_.leave_one_out();
    const double tau = blend_tau(models_.noise_variance(), residuals.data(), residuals.size());
    return blended_value(s->n, s->mean_y, estimate->y, tau);
  }

 private:
  struct Incumbent {
    PointId point = 0;
    double y = 0;  // posterior mean
    bool feasible = false;
  };
  struct Known {
    size_t rows = 0;
    LevelId level = 0;
    Incumbent incumbent;
  };
  struct Decision {
    std::optional<Choice> choice;  // none: nothing is left to try
    double promise = 0;            // the largest expected improvement
  };
  struct Promise {
    size_t rows = 0;
    LevelId level = 0;
    double value = 0;
  };

  static void one_of(std::string_view option, std::string_view text,
                     std::initializer_list<std::string_view> words) {
    if (std::find(words.begin(), words.end(), text) == words.end())
      throw usage_error("\"{}\" is no value of --{}; there are {}", text, option, fmt::join(words, ", "));
  }
  static ApplyClass first_class(const Space& space) {
    for (const Axis& axis : space.axes())
      if (axis.values.size() > 1) return axis.apply;
    return ApplyClass::hot;
  }
  LevelState& level(LevelId id) { return states_[id]; }
  // The decision at hand has the number of rows before it: the same whether it is made or made again.
  Draws draws(uint32_t stream) const {
    return Draws(options_.seed, Purpose::design, seen_.rows().size(), stream);
  }

  void take_in(const History& history) {
    seen_.set_start(history.start());
    for (size_t k = seen_.levels().size(); k < history.levels().size(); ++k) seen_.level(history.levels()[k]);
    for (size_t k = seen_.rows().size(); k < history.rows().size(); ++k) take_in_row(history.rows()[k]);
  }

  void take_in_row(const Observation& row) {
    if (!row.prior) {
      if (row.confirm) {
        if (level(row.level).finalists.empty()) level(row.level).finalists = finalists(row.level);
      } else if (exploring(row.level)) {
        learn_from(row);
      }
      ++own_rows_;
      current_ = row.point;
    }
    seen_.add(row);
    models_.told(seen_);
  }

  bool exploring(LevelId id) const {
    return seen_.rows().size() >= first_trials_ && !seen_.tried(id).empty();
  }

  // Region and stopping rule, before the row joins the others.
  void learn_from(const Observation& row) {
    LevelState& state = level(row.level);
    if (promise_.rows != seen_.rows().size() || promise_.level != row.level)
      promise_ = {seen_.rows().size(), row.level, decide(row.level, 0).promise};
    state.dull = promise_.value < kDull ? state.dull + 1 : 0;
    models_.ready(seen_, row.level);
    const bool success =
        row.outcome == TrialOutcome::ok && row.feasible && row.y < incumbent(row.level).y - kGain;
    state.successes = success ? state.successes + 1 : 0;
    state.failures = success ? 0 : state.failures + 1;
    state.stale = success ? 0 : state.stale + 1;
    if (options_.region != "adaptive") return;
    if (state.successes == kSuccesses) {
      state.radius = std::min(kMostRadius, kGrow * state.radius);
      state.successes = 0;
    }
    if (state.failures == failures_to_shrink_) {
      state.radius *= kShrink;
      if (state.radius < kLeastRadius) state.radius = kStartRadius;
      state.failures = 0;
    }
  }

  Choice first(PointId point, std::string why) const {
    Choice choice;
    choice.point = point;
    choice.set = "init";
    choice.why = std::move(why);
    return choice;
  }

  bool tried_anywhere(PointId point) const {
    for (LevelId id = 0; id < seen_.levels().size(); ++id)
      if (seen_.at(id, point) != nullptr) return true;
    return false;
  }

  Choice design() {
    const Space& space = seen_.space();
    Draws random = draws(0);
    if (options_.safe) {
      auto near = careful_neighbours(space, seen_.start(), kRegionPoints, random);
      std::erase_if(near, [&](PointId p) { return tried_anywhere(p) || seen_.barred(p); });
      if (!near.empty())
        return first(near[random.below(near.size())], "a neighbour of the live configuration");
    } else if (const PointId middle = space.middle(); !tried_anywhere(middle)) {
      return first(middle, "the middle of the grid");
    }
    // Spread, but near the best so far: the corners of a grid are where servers overload.
    const PointId centre = seen_.best_mean(seen_.rows().back().level).value_or(seen_.start());
    const std::vector<double> weights(space.dims(), 1.0);
    std::vector<PointId> points =
        region_points(models_.features(), weights, centre, kFirstRadius, kSpreadOver, random);
    prepare(points);
    if (points.empty()) points.push_back(centre);
    std::vector<PointId> taken;
    for (const Observation& row : seen_.rows()) taken.push_back(row.point);
    return first(spread_point(models_.features(), taken, points), "far from what was tried, near the best");
  }

  // The first trial at a level: what the others say of it.
  Choice transfer(LevelId id) {
    models_.ready(seen_, id);
    Draws random = draws(0);
    std::vector<PointId> points = random_points(models_.features(), kWidePoints, random);
    for (const Observation& row : seen_.rows()) points.push_back(row.point);
    points.push_back(seen_.start());
    prepare(points);
    std::vector<Posterior> posteriors;
    models_.gp_posteriors(points, id, posteriors);
    keep_feasible_half(points, posteriors, id);
    const auto best = static_cast<size_t>(
        std::min_element(posteriors.begin(), posteriors.end(),
                         [](const Posterior& a, const Posterior& b) { return a.mean < b.mean; }) -
        posteriors.begin());
    Choice choice = first(points[best], "the best by what other levels showed");
    choice.estimator = "gp";
    choice.pred_y = posteriors[best].mean;
    choice.pred_sd = posteriors[best].sd;
    return choice;
  }

  // Those that more likely keep the constraints than not, if there are any.
  void keep_feasible_half(std::vector<PointId>& points, std::vector<Posterior>& posteriors,
                          LevelId id) const {
    const std::vector<double> feasible = models_.feasible(points, id, posteriors);
    if (std::none_of(feasible.begin(), feasible.end(), [](double p) { return p >= 0.5; })) return;
    size_t kept = 0;
    for (size_t k = 0; k < points.size(); ++k) {
      if (feasible[k] < 0.5) continue;
      points[kept] = points[k];
      posteriors[kept++] = posteriors[k];
    }
    points.resize(kept);
    posteriors.resize(kept);
  }

  // Rising, each once, without barred ones.
  void prepare(std::vector<PointId>& points) const {
    std::sort(points.begin(), points.end());
    points.erase(std::unique(points.begin(), points.end()), points.end());
    leave_out(points,
              [&](LevelId, const PointSummary& s) { return s.failures > 0 && seen_.barred(s.point); });
  }

  // `unwanted` is asked of each summary of each level.
  void leave_out(std::vector<PointId>& points, const auto& unwanted) const {
    std::vector<PointId> out;
    for (LevelId id = 0; id < seen_.levels().size(); ++id)
      for (const PointSummary& s : seen_.tried(id))
        if (unwanted(id, s)) out.push_back(s.point);
    if (out.empty()) return;
    std::sort(out.begin(), out.end());
    std::erase_if(points, [&](PointId p) { return std::binary_search(out.begin(), out.end(), p); });
  }

  // The lowest posterior mean among what was tried and kept the constraints.
  Incumbent incumbent(LevelId id) {
    if (known_.rows != seen_.rows().size() || known_.level != id)
      known_ = {seen_.rows().size(), id, find_incumbent(id)};
    return known_.incumbent;
  }
  Incumbent find_incumbent(LevelId id) const {
    std::optional<Incumbent> best;
    for (const PointSummary& s : seen_.tried(id)) {
      if (s.n == 0 || !s.feasible || seen_.barred(s.point)) continue;
      const double y = models_.gp_mean(s.point, id);
      if (!best || y < best->y) best = {s.point, y, true};
    }
    if (best) return *best;
    const PointId point = seen_.best_mean(id).value_or(seen_.start());
    return {point, models_.gp_mean(point, id), false};
  }

  bool looks_wide(const LevelState& state, bool forest_turn) const {
    const uint64_t t = seen_.rows().size();
    switch (wide_.when) {
      case Wide::When::forest:
        return forest_turn;
      case Wide::When::never:
        return false;
      case Wide::When::every:
        return t % wide_.n == 0;
      case Wide::When::stale:
        return t % 2 == 0 && state.stale >= wide_.n;
    }
    return false;
  }

  // Points of the region and, perhaps, of everywhere, that may be tried again.
  std::vector<PointId> candidates(LevelId id, PointId centre, bool wide) {
    const Features& features = models_.features();
    Draws near = draws(1);
    std::vector<PointId> out;
    if (options_.region == "none") {
      out = random_points(features, kRegionPoints, near);
    } else {
      out = region_points(features, region_weights(features, models_.gp().hyper().ln_l), centre,
                          level(id).radius, kRegionPoints, near);
    }
    if (wide) {
      Draws far = draws(2);
      const std::vector<PointId> more = random_points(features, kWidePoints, far);
      out.insert(out.end(), more.begin(), more.end());
    }
    prepare(out);
    leave_out(out,
              [&](LevelId at, const PointSummary& s) { return at == id && s.tries >= options_.repeats; });
    return out;
  }

  Decision decide(LevelId id, double window_s) {
    const bool forest_turn =
        seen_.count(id) >= first_trials_ &&
        (options_.estimators == "forest" || (options_.estimators == "alt" && seen_.rows().size() % 2 == 0));
    if (forest_turn) {
      models_.ready_forest(seen_, id);
    } else {
      models_.ready(seen_, id);
    }
    const Incumbent best = incumbent(id);
    std::vector<PointId> points = candidates(id, best.point, looks_wide(level(id), forest_turn));
    std::vector<Posterior> posteriors;
    const auto ask_model = [&] {
      forest_turn ? models_.forest_posteriors(points, id, posteriors)
                  : models_.gp_posteriors(points, id, posteriors);
    };
    ask_model();
    if (options_.safe && !keep_safe(id, points, posteriors, best)) {
      points = seen_.space().neighbours(best.point);
      prepare(points);
      ask_model();
    }
    if (points.empty()) return {};
    const double threshold = forest_turn ? models_.forest_posterior(best.point, id).mean : best.y;
    const std::vector<double> feasible = models_.feasible(points, id, posteriors);
    std::vector<double> gain(points.size());
    for (size_t k = 0; k < points.size(); ++k)
      gain[k] = best.feasible
                    ? expected_improvement(posteriors[k].mean, posteriors[k].sd, threshold) * feasible[k]
                    : feasible[k];
    Decision decision;
    decision.promise =
        best.feasible ? *std::max_element(gain.begin(), gain.end()) : std::numeric_limits<double>::infinity();
    const Space& space = seen_.space();
    if (classes_differ_ && window_s > 0)
      for (size_t k = 0; k < points.size(); ++k)
        gain[k] /= apply_seconds(space.apply_class(current_, points[k])) + window_s;
    const size_t k = largest(space, seen_.start(), points, gain);
    Choice choice;
    choice.point = points[k];
    choice.estimator = forest_turn ? "forest" : "gp";
    choice.pred_y = posteriors[k].mean;
    choice.pred_sd = posteriors[k].sd;
    choice.acquisition = gain[k];
    choice.radius = level(id).radius;
    choice.set = set_of(id, points[k], best.point);
    choice.why = best.feasible ? fmt::format("expected gain {:.3g} of ln cost", gain[k])
                               : fmt::format("chance to keep the limits {:.3g}", gain[k]);
    decision.choice = std::move(choice);
    return decision;
  }

  std::string set_of(LevelId id, PointId point, PointId centre) const {
    if (seen_.at(id, point) != nullptr) return "repeat";
    const auto beside = seen_.space().neighbours(centre);
    if (std::find(beside.begin(), beside.end(), point) != beside.end()) return "neighbour";
    if (options_.region == "none") return "wide";
    const RegionMetric metric(seen_.space(), region_weights(models_.features(), models_.gp().hyper().ln_l));
    const double radius = states_.at(id).radius;
    return metric.distance2(point, centre) <= radius * radius ? "region" : "wide";
  }

  // What is surely not much worse than the incumbent, or keeps the limit; by the process too, which, unlike
  // the forest, is the less sure the farther a point lies from what was tried. False if nothing is left.
  bool keep_safe(LevelId id, std::vector<PointId>& points, std::vector<Posterior>& posteriors,
                 const Incumbent& best) {
    models_.ready(seen_, id);
    std::vector<Posterior> process;
    models_.gp_posteriors(points, id, process);
    const double most =
        std::max(models_.y_limit().value_or(-std::numeric_limits<double>::infinity()), best.y + kLn3);
    size_t kept = 0;
    for (size_t k = 0; k < points.size(); ++k) {
      const auto most_likely = [&](const Posterior& p) { return p.mean + options_.kappa * p.sd; };
      if (std::max(most_likely(posteriors[k]), most_likely(process[k])) > most) continue;
      points[kept] = points[k];
      posteriors[kept++] = posteriors[k];
    }
    points.resize(kept);
    posteriors.resize(kept);
    return kept > 0;
  }

  bool done(LevelId id, bool spent) {
    return spent || level(id).dull >= kDullTrials || !level(id).finalists.empty();
  }

  // Up to --finalists configurations with a posterior mean within 2 sd of the best, best first.
  std::vector<PointId> finalists(LevelId id) {
    models_.ready(seen_, id);
    const Incumbent best = incumbent(id);
    const double sd = models_.gp_posterior(best.point, id).sd;
    std::vector<std::pair<double, PointId>> near;
    for (const PointSummary& s : seen_.tried(id)) {
      if (s.n == 0 || s.feasible != best.feasible || seen_.barred(s.point)) continue;
      const double y = models_.gp_mean(s.point, id);
      if (s.point == best.point || y <= best.y + 2 * sd) near.emplace_back(y, s.point);
    }
    std::sort(near.begin(), near.end());
    std::vector<PointId> out;
    for (size_t k = 0; k < std::min<size_t>(near.size(), options_.finalists); ++k)
      out.push_back(near[k].second);
    return out;
  }

  std::optional<PointId> next_final(LevelId id) {
    std::vector<PointId> points = level(id).finalists;
    if (points.empty()) points = finalists(id);
    return next_finalist(judge_finalists(seen_, id, points, models_.noise_variance()));
  }

  Choice last_trials(LevelId id, bool spent) {
    models_.ready(seen_, id);
    Choice choice;
    choice.set = "repeat";
    if (const auto point = next_final(id)) {
      choice.point = *point;
      choice.confirm = true;
      choice.why = "one of the few that may be the best";
      return choice;
    }
    // The other levels may still have something to learn.
    choice.finished = true;
    for (LevelId other = 0; other < seen_.levels().size(); ++other)
      if (!seen_.tried(other).empty() && other != id)
        choice.finished &= done(other, spent) && !next_final(other);
    choice.point = recommend(seen_, id).value_or(seen_.start());
    choice.why = choice.finished ? "nothing is left to learn" : "the best of this level, which is known";
    return choice;
  }

  TunerOptions options_;
  Wide wide_;
  Surrogates models_;
  History seen_;  // the rows taken in
  std::map<LevelId, LevelState> states_;
  Promise promise_;
  Known known_;
  size_t own_rows_ = 0;
  PointId current_ = 0;
  size_t first_trials_ = 6;
  uint32_t failures_to_shrink_ = 4;
  bool classes_differ_ = false;
};

}  // namespace

std::unique_ptr<Tuner> make_rrl_adaptive(const TunerOptions& options, const Space& space) {
  return std::make_unique<RrlAdaptive>(options, space);
}

}  // namespace mlq::tune
