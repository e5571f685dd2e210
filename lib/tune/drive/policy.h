// What a search found, with its intervals.
#pragma once

#include <optional>
#include <vector>

#include "lib/records/tune.h"
#include "lib/tune/drive/turn.h"
#include "lib/tune/learn/history.h"

namespace mlq::tune {

// Windows of the start configuration (a) and of the best (b), measured in turn.
struct Confirmation {
  std::optional<LevelId> level;
  PointId best = 0;
  uint64_t pairs = 0;              // that say something
  uint64_t rescued = 0;            // of these, the best kept the SLO and the start did not
  uint64_t lost = 0;               // of these, the best failed, or missed the SLO that the start kept
  std::vector<double> log_ratios;  // y of the best less y of the start, a pair each in which both have one
  std::vector<records::Trial> start_windows, best_windows;

  // A pair in which one says nothing is left out.
  void add(const TurnResult& start, const TurnResult& found);
  // In at least 2 pairs, of which none is lost, the best alone kept the SLO in all, or the one-sided 95 %
  // interval of the ratio lies below 1: of equal configurations 5 % are. Where both miss the SLO in a pair
  // the machine, not the configuration, may be at fault.
  bool better() const;
};

// The policy of a level: mean y with its 95 % interval over the windows of the point, the gain over the start
// configuration (of the confirmation where there is one, else of the search's own windows), and whether it is
// confirmed: better than the start in alternation with it, or, where the start itself is the best, by 2
// windows that kept the SLO.
records::Policy make_policy(const History& history, LevelId level, PointId point, PointId start,
                            const Confirmation* confirmation, bool latency);

}  // namespace mlq::tune
