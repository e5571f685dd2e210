// What is known: every trial so far, as the tuners see it. All learning is on y = ln cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// A workload level: trials at one level are comparable with one another.
struct Level {
  std::string name = "single";  // "r19c0"
  double rate_per_s = 0;        // of the first window at it; 0: unknown
  bool bursty = false;          // c1: squared cv of the gaps >= 1.5
};
using LevelId = uint32_t;  // index into History::levels()

enum class TrialOutcome : uint8_t {
  ok,
  aborted,  // ended early: y is a lower bound
  failed,   // the server refused the configuration or did not become ready: y is the cap
  none,     // void: nothing was learnt (not applied, not valid, another's change)
};
std::string_view outcome_name(TrialOutcome outcome);

struct Observation {
  uint64_t i = 0;  // number of the trial in the journal
  PointId point = 0;
  LevelId level = 0;
  TrialOutcome outcome = TrialOutcome::ok;
  double y = 0;      // ln cost
  double y_var = 0;  // variance of y from within the window; 0: unknown
  bool feasible = true;
  std::vector<double> slack;  // ln(statistic / limit) of each constraint; <= 0: held. As many in every row
  bool confirm = false;       // measured to confirm, not to explore
  bool prior = false;  // of an earlier search or another machine: models learn from it, but it is not a try
  // What learners with a state of their own look at; 0 where unknown.
  double mean_ns = 0, p95_ns = 0, done_per_s = 0, inflight = 0, cpu_ns_per_request = 0;
};

// All trials at one point and level together.
struct PointSummary {
  PointId point = 0;
  uint32_t tries = 0;     // ok and aborted and failed
  uint32_t failures = 0;  // outcome failed
  uint32_t n = 0;         // ok
  double mean_y = 0;      // of the ok ones; of a point that has none, the greatest bound
  uint64_t last_i = 0;
  bool feasible = true;  // in most of its windows
};

// Append-only. Not thread-safe.
class History {
 public:
  History(const Space& space, PointId start) : space_(&space), start_(start) {}

  const Space& space() const { return *space_; }
  PointId start() const { return start_; }  // the live configuration
  void set_start(PointId start) { start_ = start; }

  // The level of that name, added if it is new.
  LevelId level(const Level& level);
  const std::vector<Level>& levels() const { return levels_; }

  // Rows with outcome none are kept out. An aborted or failed row whose y is not finite gets the cap of its
  // level: the largest ok y there + 0.5.
  void add(Observation row);
  const std::vector<Observation>& rows() const { return rows_; }
  size_t count(LevelId level) const;

  // Points tried at a level in order of their first trial.
  const std::vector<PointSummary>& tried(LevelId level) const;
  const PointSummary* at(LevelId level, PointId point) const;
  // Failed twice (at whatever level): not to be proposed again.
  bool barred(PointId point) const;

  // y' = min(y, median + 1.5 (median - min) + 0.1), over the ok rows of the level.
  double winsor_cap(LevelId level) const;

  // The tried point with the lowest mean y among the feasible ones that did not fail (if none is feasible,
  // the one with the least violation); none if nothing was tried at the level. The fallback of tuners without
  // a model.
  std::optional<PointId> best_mean(LevelId level) const;

 private:
  const Space* space_;
  PointId start_;
  std::vector<Level> levels_;
  std::vector<Observation> rows_;
  std::vector<std::vector<PointSummary>> tried_;  // by level
};

}  // namespace mlq::tune
