// How well tuners did: cells (a tuner, a surface, a seed), their summaries with intervals, and assertions
// over them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/records/tune.h"
#include "lib/tune/compare/virtual_run.h"

namespace mlq::tune {

// The true costs of a surface. Computes them all: give it a prepared surface. Immutable; any thread.
class Truth {
 public:
  // An input Error if the objective cannot be told at some point.
  Truth(const Surface& surface, const Objective& objective);
  double best(LevelId level) const { return levels_[level].best; }
  // What never worked costs as much as the worst that did.
  double cost(LevelId level, PointId point) const;
  // At most 5 % dearer than the best, and feasible (where anything is).
  bool near_best(LevelId level, PointId point) const;

 private:
  struct LevelCosts {
    double best = 0;
    bool any_feasible = false;
    std::vector<double> costs;  // by rank
    std::vector<bool> feasible;
  };
  const Space& space_;
  std::vector<LevelCosts> levels_;
};

struct Cell {
  size_t tuner = 0;
  size_t surface = 0;
  uint64_t seed = 0;
  std::optional<uint64_t> reached;  // trials to the first that is near the best
  double ln_rec = 0;                // ln of true cost over best: of what it recommends (mean over levels)
  double ln_online = 0;             // mean over all trials
  int64_t virtual_ns = 0;
  std::vector<int64_t> decide_ns;
  std::string failure;  // why there is no score; empty: there is one
};

Cell score_run(const VirtualRun& run, const Truth& truth);

// Cells of all tuners, surfaces and seeds, in this order.
struct Comparison {
  std::vector<std::string> tuners, surfaces;
  uint64_t first_seed = 1, seeds = 1;
  uint64_t trials = 100;
  std::vector<Cell> cells;

  const Cell& at(size_t tuner, size_t surface, uint64_t k) const {
    return cells[(tuner * surfaces.size() + surface) * seeds + k];
  }
};

records::Score cell_record(const Comparison& comparison, const Cell& cell);

// Median of the trials to 5 % (Kaplan and Meier: runs that end without are above; infinite where half of them
// are), share of those runs, geometric means of rec and online.
struct Figures {
  double trials = 0, unreached = 0, rec = 0, online = 0;
};

// Summaries by the bootstrap: resamples of the seeds, the same for every tuner, within each surface.
class Bootstrap {
 public:
  static constexpr size_t kResamples = 2000;
  // `comparison` must outlive it. Deterministic in `seed`.
  Bootstrap(const Comparison& comparison, uint64_t seed);

  // Over one surface, or over all.
  static constexpr size_t kAll = static_cast<size_t>(-1);
  records::Score summary(size_t tuner, size_t surface) const;
  size_t cells(size_t tuner, size_t surface) const;  // that have a score

  // Of the cells, then of each resample.
  const std::vector<Figures>& figures(size_t tuner, size_t surface) const;

 private:
  Figures of(size_t tuner, size_t surface, size_t resample) const;
  const Comparison& comparison_;
  std::vector<std::vector<uint32_t>> picks_;  // by resample: seeds of each surface
  mutable std::map<std::pair<size_t, size_t>, std::vector<Figures>> known_;
};

// `ratio(rrl-a,tpe) >= 2`: how many times the trials of rrl-a tpe needs. `online(rrl-a) <= 1.9`,
// `unreached(rrl-a) <= 2%`, `trials(..)`, `rec(..)`; quotients as in `online(rrl-a) / online(tpe) <= 1`. It
// holds if the whole 95 % interval does. Over all surfaces.
class Assertion {
 public:
  // A usage Error that names the place, or a tuner that does not take part.
  static Assertion parse(std::string_view text, const std::vector<std::string>& tuners);

  struct Verdict {
    bool holds = false;
    double value = 0, lo = 0, hi = 0;  // medians that were not reached count from the horizon up
  };
  Verdict judge(const Bootstrap& bootstrap, uint64_t trials) const;
  const std::string& text() const { return text_; }

 private:
  enum class Figure : uint8_t { trials, unreached, rec, online };
  struct Term {
    Figure figure = Figure::trials;
    size_t tuner = 0;
  };
  struct Range {
    double lo = 0, hi = 0;
  };
  static Range range(const Term& term, const Figures& figures, uint64_t trials);

  std::string text_;
  Term over_;
  std::optional<Term> under_;
  bool at_least_ = true;
  double limit_ = 0;
  friend class AssertionParser;
};

}  // namespace mlq::tune
