// The models of a search, kept up with its history: a Gaussian process and a forest of y, and a Gaussian
// process of each constraint. y is winsorised at each level and then standardised over all rows; rows that
// were cut short enter as max(bound, posterior mean + 0.5 sd).
//
// The process is fitted anew when the number of rows is a multiple of 5, to at most 200 rows, otherwise its
// factor grows. What the models are depends on the seed and on the rows told, in their order, and on nothing
// else: not on what was asked in between.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/tune/learn/features.h"
#include "lib/tune/learn/forest.h"
#include "lib/tune/learn/gp.h"
#include "lib/tune/learn/history.h"

namespace mlq::tune {

// Of the first `count` rows of a history those that a process is fitted to, rising: all up to 200; of more
// the 120 latest of the level, the 40 best and 40 spread among the rest.
std::vector<size_t> rows_to_learn(const History& history, size_t count, LevelId level,
                                  const Features& features);

// Not thread-safe.
class Surrogates {
 public:
  static constexpr size_t kRefitEvery = 5;

  Surrogates(const Space& space, uint64_t seed);

  const Features& features() const { return features_; }
  // After each row: fits where it is time.
  void told(const History& history);
  // Makes the models those of the history as it is, for questions about a level; cheap if they are already.
  void ready(const History& history, LevelId level);
  // Grows the forest too, from the rows of that level alone: with those of others among them it went on
  // exploring where it had nothing to find (design note 0006).
  void ready_forest(const History& history, LevelId level);

  const Gp& gp() const { return gp_; }
  // Posteriors of y = ln cost; after ready().
  void gp_posteriors(std::span<const PointId> points, LevelId level, std::vector<Posterior>& out) const;
  void forest_posteriors(std::span<const PointId> points, LevelId level, std::vector<Posterior>& out) const;
  Posterior gp_posterior(PointId point, LevelId level) const;
  Posterior forest_posterior(PointId point, LevelId level) const;
  double gp_mean(PointId point, LevelId level) const;
  // Of the noise of one row of y, as the process has it.
  double noise_variance() const;

  // P(all constraints hold) of each point. `y` are their posteriors of y, for a constraint on the very
  // statistic that is minimised.
  std::vector<double> feasible(std::span<const PointId> points, LevelId level,
                               std::span<const Posterior> y) const;
  // ln of the limit on y where a constraint is on the statistic that is minimised.
  std::optional<double> y_limit() const { return y_limit_; }
  // y_k less what the process says of it from all other rows, for each row it was given.
  std::vector<double> leave_one_out() const;

 private:
  struct Target {  // standardised: z = (y - centre) / scale
    double centre = 0, scale = 1;
    void standardise(std::span<const double> y);
  };
  struct Constraint {
    size_t index = 0;
    Target target;
    Gp gp;
  };
  GpRows rows_of(const History& history, std::span<const size_t> rows, std::span<const double> y,
                 const Target& target) const;
  std::vector<double> winsorised(const History& history, std::span<const size_t> rows) const;
  void choose_rows(const History& history, LevelId level);
  void find_constraints(const History& history);
  void update_constraints(const History& history, bool fit);
  void impute(const History& history);

  Features features_;
  uint64_t seed_;
  Gp gp_;
  Forest forest_;
  Target target_;
  GpRows given_;              // to gp_
  std::vector<size_t> rows_;  // of the history, that gp_ has
  bool all_rows_ = true;
  LevelId chosen_for_ = 0;
  std::optional<double> y_limit_;
  std::vector<Constraint> constraints_;
  size_t fitted_ = 0;                        // rows at the last fit
  size_t ready_rows_ = 0, forest_rows_ = 0;  // rows known to the models
  LevelId forest_level_ = 0;
  size_t ready_levels_ = 0;
};

}  // namespace mlq::tune
