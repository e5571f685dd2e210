// A search of a tuner on costs that a function gives, for tests.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune::test {

using Cost = std::function<double(PointId)>;  // in ns

inline Observation observed(uint64_t i, PointId point, double cost_ns, LevelId level = 0) {
  Observation row;
  row.i = i;
  row.point = point;
  row.level = level;
  row.y = fmath::log(cost_ns);
  row.mean_ns = cost_ns;
  row.p95_ns = 2 * cost_ns;
  row.done_per_s = 100;
  row.inflight = cost_ns * 1e-7;
  row.cpu_ns_per_request = 1e6;
  return row;
}

// One search at one level.
class Search {
 public:
  Search(const TunerOptions& options, const Space& space, PointId start, Cost cost)
      : options_(options), history_(space, start), cost_(std::move(cost)) {
    tuner_ = make_tuner(options, space);
    history_.level({.name = "r0c0", .rate_per_s = 100});
  }

  Choice ask(uint64_t budget = 100) {
    return tuner_->ask(history_, {.i = history_.rows().size(), .level = 0, .budget = budget});
  }
  void tell(PointId point) {
    history_.add(observed(history_.rows().size(), point, cost_(point)));
    tuner_->tell(history_, history_.rows().back());
  }
  // So many trials; the points that were tried, in order.
  std::vector<PointId> run(size_t trials, uint64_t budget = 100) {
    std::vector<PointId> points;
    for (size_t k = 0; k < trials; ++k) {
      points.push_back(ask(budget).point);
      tell(points.back());
    }
    return points;
  }
  // Told all rows so far again: what a resumed search has.
  void resume() {
    History old = history_;
    tuner_ = make_tuner(options_, old.space());
    history_ = History(old.space(), old.start());
    for (const Level& level : old.levels()) history_.level(level);
    for (const Observation& row : old.rows()) {
      history_.add(row);
      tuner_->tell(history_, history_.rows().back());
    }
  }

  History& history() { return history_; }
  Tuner& tuner() { return *tuner_; }

 private:
  TunerOptions options_;
  History history_;
  Cost cost_;
  std::unique_ptr<Tuner> tuner_;
};

}  // namespace mlq::tune::test
