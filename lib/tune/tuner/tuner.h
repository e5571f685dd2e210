// Tuners: what to try next. One interface for mlq-tune's own and for the rivals. Pure: no clock, no I/O; all
// randomness is keyed by seed and trial.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tune/learn/history.h"

namespace mlq::tune {

struct Choice {
  PointId point = 0;
  std::string set;        // init region wide neighbour repeat
  std::string estimator;  // gp forest mlp table, or empty
  std::string why;        // one sentence
  std::optional<double> pred_y, pred_sd, acquisition, radius;
  bool confirm = false;   // measures finalists again: phase final
  bool finished = false;  // the tuner has nothing left to explore; `point` is what it would keep
};

// What a tuner is asked about.
struct Question {
  uint64_t i = 0;  // number of the trial
  LevelId level = 0;
  uint64_t budget = 100;  // trials in all
  double window_s = 0;    // length of a window, for EI per second; 0: apply costs are left out
};

// One search. Not thread-safe. `history` is the same object in every call, with every told row in it.
class Tuner {
 public:
  virtual ~Tuner() = default;
  // A point that is valid and not barred. Deterministic in (options, seed, history, question).
  virtual Choice ask(const History& history, const Question& question) = 0;
  // The row was just added to the history (rows with outcome none are not told).
  virtual void tell(const History& history, const Observation& row) = 0;
  // What it would keep at a level now: the lowest posterior mean among tried points, never the luckiest
  // sample. Default: History::best_mean. None if nothing was tried there.
  virtual std::optional<PointId> recommend(const History& history, LevelId level);
  // Its estimate of y at a point, with standard deviation; none if it has no model.
  struct Prediction {
    double y = 0, sd = 0;
  };
  virtual std::optional<Prediction> predict(const History& history, LevelId level, PointId point);
  // What it takes a point to be worth, y again: its estimate at first, the mean of what was observed after
  // many visits. None if it has no model.
  virtual std::optional<double> value(const History& history, LevelId level, PointId point);
};

struct TunerOptions {
  std::string name = "rrl-a";
  uint64_t seed = 1;
  // rrl, rrl-region, noregion (table modes)
  std::optional<double> radius;        // region metric; with repo_exact, raw index steps
  std::optional<double> radius_steps;  // raw index distance instead of the metric
  std::optional<double> alpha;
  bool repo_exact = false;
  bool observed_correction = false;
  bool latency = true;  // y is ln of nanoseconds; false: Q is scaled so that the first value is 40,000
  // rrl-a
  std::string estimators = "forest";  // alt gp forest
  std::string wide = "forest";        // forest never every:N stale:N
  std::string region = "adaptive";    // adaptive fixed none
  uint32_t repeats = 2;               // tries of a point while exploring
  uint32_t finalists = 5;
  bool safe = false;
  double kappa = 3;
  // learning rate (capes-like, deeprm-like) or width; none: the tuner's default
  std::optional<double> rate;
  std::optional<double> limit_ns;  // of the SLO's first aggregate latency term; aimd needs it
};

// A usage Error for a name that is not known, listing those that are.
std::unique_ptr<Tuner> make_tuner(const TunerOptions& options, const Space& space);
struct TunerInfo {
  std::string_view name;
  std::string_view text;  // one sentence
  // Learning rates of which a rival is given the best one in comparisons; empty: it has none. The one in the
  // middle is the default.
  std::vector<double> rates = {};
};
const std::vector<TunerInfo>& tuner_infos();

// One maker a source; make_tuner knows them all.
std::unique_ptr<Tuner> make_rrl_adaptive(const TunerOptions&, const Space&);
std::unique_ptr<Tuner> make_rrl_table(const TunerOptions&, const Space&);  // rrl, rrl-region, noregion
std::unique_ptr<Tuner> make_random(const TunerOptions&, const Space&);
std::unique_ptr<Tuner> make_grid(const TunerOptions&, const Space&);
std::unique_ptr<Tuner> make_hill(const TunerOptions&, const Space&);
std::unique_ptr<Tuner> make_tpe(const TunerOptions&, const Space&);    // tpe, tpe:multivariate
std::unique_ptr<Tuner> make_gp_ei(const TunerOptions&, const Space&);  // gp-ei, gp-ei:stop
std::unique_ptr<Tuner> make_forest_ei(const TunerOptions&, const Space&);
std::unique_ptr<Tuner> make_capes_like(const TunerOptions&, const Space&);   // capes-like, capes-like:paper
std::unique_ptr<Tuner> make_deeprm_like(const TunerOptions&, const Space&);  // deeprm-like, deeprm-like:warm
std::unique_ptr<Tuner> make_aimd(const TunerOptions&, const Space&);

}  // namespace mlq::tune
