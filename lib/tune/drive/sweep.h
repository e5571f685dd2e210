// A surface, measured: the whole grid, or a part of it, in random order, each point beside a window of the
// start configuration.
#pragma once

#include <functional>
#include <string>

#include "lib/tune/drive/turn.h"

namespace mlq::tune {

struct SweepOptions {
  std::string surface = "sweep";  // name in the rows
  uint64_t seed = 1;
  std::optional<uint64_t> points;  // at most so many, drawn; none: all
  uint64_t repeats = 1;
  bool baseline = true;         // a window of the start configuration before each
  double most_pressure = 0.10;  // windows during which more CPU time was waited for are measured again
  TurnOptions turn;
};

struct SweepOutcome {
  uint64_t rows = 0, failed = 0, skipped = 0;
  bool interrupted = false;
};

// Rows go to the emitter's output, and trials of phase `sweep` to its journal alone: points that the journal
// has are passed over. The start configuration is put back at the end, whatever happens. Errors as Turn::run,
// and an input Error if the grid is too large to be listed and no number of points is given.
SweepOutcome run_sweep(const SweepOptions& options, const Objective& objective, Endpoint& endpoint,
                       const JournalContents& before, Emitter& emitter, const Clock& clock,
                       const StopFlag& stop, const std::function<void(const std::string&)>& notice,
                       const std::function<void(uint64_t, uint64_t)>& progress);

}  // namespace mlq::tune
