// Is B worse than A? Windows of both in turn, ABBA, until the answer is clear.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "lib/tune/drive/turn.h"

namespace mlq::tune {

struct DuetOptions {
  double margin = 0.02;  // what counts as the same
  double confidence = 0.95;
  uint64_t least_pairs = 4;  // before a verdict
  uint64_t most_pairs = 24;
  TurnOptions turn;
};

struct DuetOutcome {
  records::Duet duet;
  bool interrupted = false;
};

// A pair's difference is y of B less y of A; what drifts evenly over an ABBA falls out of it. Verdicts, by
// the Student interval of the mean difference and the margin m: `worse`, the interval lies above ln(1 + m);
// `better`, below ln(1 - m); `same`, within both; else `undecided`. Looking after every pair would make false
// alarms likely: the error is spread over the looks as 6 / (pi^2 k^2), so that all together keep
// `confidence`. Each window is written as a measurement; the start configuration is put back at the end,
// whatever happens.
DuetOutcome run_duet(const DuetOptions& options, PointId a, PointId b, PointId start,
                     const Objective& objective, Endpoint& endpoint, uint64_t first_i, Emitter& emitter,
                     const Clock& clock, const StopFlag& stop,
                     const std::function<void(const std::string&)>& notice,
                     const std::function<void(uint64_t, uint64_t)>& progress);

// The verdict over pairs at the k-th look (from 1).
std::string duet_verdict(std::span<const double> differences, const DuetOptions& options, uint64_t look,
                         records::Duet& duet);

struct MeasureOutcome {
  std::vector<records::Measurement> windows;
  bool feasible = false;
  bool interrupted = false;
};

// `repeats` windows of one configuration; then the start is put back.
MeasureOutcome run_measure(const TurnOptions& options, PointId point, PointId start, uint64_t repeats,
                           const Objective& objective, Endpoint& endpoint, uint64_t first_i, Emitter& emitter,
                           const Clock& clock, const StopFlag& stop,
                           const std::function<void(const std::string&)>& notice);

}  // namespace mlq::tune
