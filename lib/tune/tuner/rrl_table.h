// The table modes: RRL as published (Qin et al., SC'19) and the same without its parts. A table of values a
// level, Boltzmann's policy over it, and after each trial an update of the region around the tried point,
// towards what was observed or what an estimator says.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "lib/tune/tuner/boltzmann.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// What says the values of a region after a trial.
class TableEstimator {
 public:
  virtual ~TableEstimator() = default;
  // A trial more.
  virtual void add(const History& history, const Observation& row) = 0;
  // Costs (e^y) at `points`, if they were measured at that level now.
  virtual std::vector<double> estimate(const Level& level, std::span<const PointId> points) = 0;
};

struct TableRules {
  double alpha = 0.8;
  std::optional<double> radius = 0.3;  // of the region metric
  std::optional<double> radius_steps;  // of a ball of steps, in place of it
  // The published start: one trial in the grid's middle, whose value the whole table gets, and five of the
  // live configuration, which only the estimator sees; one table for all levels.
  bool published = false;
  bool observed_correction = false;  // with an estimator: Q(c) is what tries and estimate together say
  bool latency = true;               // values are ln ns
};

class TableTuner : public Tuner {
 public:
  // A usage Error if the space is not listed. Without an estimator values follow what was observed.
  TableTuner(const TableRules& rules, uint64_t seed, const Space& space,
             std::unique_ptr<TableEstimator> estimator);

  Choice ask(const History& history, const Question& question) override;
  void tell(const History& history, const Observation& row) override;
  std::optional<Prediction> predict(const History& history, LevelId level, PointId point) override;

  // Values in microseconds (or in the scale of the first value); null before the first trial.
  const BoltzmannTable* table_of(const History& history, LevelId level) const;

 private:
  BoltzmannTable& own_table(const History& history, LevelId level);
  const std::vector<PointId>& region_of(PointId centre);
  std::optional<Choice> published_start(const History& history) const;
  void bar(const History& history, PointId point);
  void begin(const Observation& row);
  double cost_of(const Observation& row) const;
  void follow_observation(const Observation& row, BoltzmannTable& table);
  void follow_estimates(const History& history, const Observation& row, BoltzmannTable& table);
  void judge_estimator(const History& history, const Observation& row);
  double corrected(const History& history, const Observation& row, double estimate) const;

  TableRules rules_;
  uint64_t seed_;
  const Space& space_;
  RegionMetric metric_;
  std::unique_ptr<TableEstimator> estimator_;
  std::vector<std::unique_ptr<BoltzmannTable>> tables_;  // by level; null where nothing was told
  std::vector<PointId> barred_;
  std::unordered_map<PointId, std::vector<PointId>> regions_;
  double scale_ = 1e-3;  // of values over costs
  uint64_t told_ = 0;
  // For the correction, sums over the trials: squared errors of what was estimated before the trial, and
  // variances of the windows.
  double error2_ = 0, noise_ = 0;
  uint64_t judged_ = 0;
};

}  // namespace mlq::tune
