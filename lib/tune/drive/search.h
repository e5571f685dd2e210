// A search: within a budget, find the best configuration of an endpoint under our own load, prove it, and
// leave the endpoint in a known state whatever happens.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/tune/drive/turn.h"

namespace mlq::tune {

enum class Leave { best, start, last };

struct SearchOptions {
  TunerOptions tuner;
  uint64_t budget = 0;               // trials; 0: clamp(20 free knobs, 30, 120)
  std::optional<int64_t> time_ns;    // no trial begins after it
  std::optional<uint64_t> baseline;  // re-measure the incumbent every N trials; 0: never; none: by the noise
  Leave leave = Leave::best;
  uint64_t confirm_pairs = 5;            // of windows, start against best, at the end; 0: none
  std::optional<uint64_t> max_restarts;  // changes of class restart
  bool hot_only = false;                 // knobs of other classes stay as they are
  bool dry_run = false;
  TurnOptions turn;
};

struct SearchOutcome {
  bool feasible = false;  // something that keeps the SLO was found
  bool interrupted = false;
  uint64_t trials = 0, failed = 0, voids = 0, reverts = 0;
  std::string trouble;                    // the first trial that is not ok, and why; may be empty
  std::vector<records::Policy> policies;  // one a level
  std::string left;                       // config_id of what is set at the end
  // Start and best, measured in turn at the level seen most.
  struct Compared {
    std::string level;
    Config start, best;
    std::vector<records::Trial> start_windows, best_windows;
  };
  std::optional<Compared> compared;
};

// What earlier runs know.
struct SearchMemory {
  // Rows of earlier searches, of `--prior` and of other machines, each with its level.
  std::vector<std::pair<Level, Observation>> prior;
  // The trials of this search before it was interrupted, in order; empty: it begins.
  std::vector<records::Trial> done;
  std::optional<Config> start;                  // that it began with, or that the last good run left
  std::optional<records::Decision> unanswered;  // the process died with this on its way
  bool was_cut = false;                         // nobody knows what is set: see settled.h
};

// What the journal says about the search that is to go on, or about a new one. `prior` rows get doubled
// variance if they are of another host or server. `search`: the runs of a search have a budget.
SearchMemory recall(const JournalContents& journal, const Space& space, const Objective& objective,
                    const std::string& host, const std::string& fingerprint);

// Adds what a journal of another search knows, with doubled variance; trials whose configuration is no point
// of the space are passed over.
void add_prior(SearchMemory& memory, const JournalContents& journal, const Space& space,
               const Objective& objective);

// Errors as Turn::run, and: environment if the endpoint is out of reach, after three void trials in a row.
// Whatever is thrown, the start configuration has been put back before (or that is what is thrown).
// `notice` gets what a person should know, `progress` trials done and in all.
SearchOutcome run_search(const SearchOptions& options, Objective& objective, Endpoint& endpoint,
                         const SearchMemory& memory, uint64_t first_i, Emitter& emitter, const Clock& clock,
                         const StopFlag& stop, const std::function<void(const std::string&)>& notice,
                         const std::function<void(uint64_t, uint64_t)>& progress);

}  // namespace mlq::tune
