// One careful step on a live endpoint, for cron: between two calls the endpoint always has a configuration
// that was confirmed, or the one that it had before anybody tuned it.
#pragma once

#include <functional>
#include <string>

#include "lib/tune/drive/turn.h"

namespace mlq::tune {

struct LiveOptions {
  TunerOptions tuner;
  uint64_t confirm_pairs = 3;  // interleaved windows before a promotion
  std::string freeze_file;     // while it exists nothing is changed
  bool unverified = false;     // the endpoint file says "verify":"none"
  int64_t now_unix_ns = 0;     // at the clock's present time
  TurnOptions turn;
};

enum class LiveResult {
  idle,      // nothing was to be done: outside hours, frozen, resting, nothing better to try
  kept,      // a candidate was tried, and was not better: the incumbent is back
  promoted,  // the candidate stays
  reverted,  // the guard ended it: the incumbent is back
  foreign,   // somebody else changed the endpoint: what they set stays
};

struct LiveOutcome {
  LiveResult result = LiveResult::idle;
  std::string reason;
  bool interrupted = false;
  uint64_t trials = 0, reverts = 0;
};

// `minute_of_day`: local time, for `hours` of the safety rules. Errors as Turn::run, and: environment if the
// endpoint says that it has set what it has not (the incumbent is back); input for an endpoint that cannot be
// read back and does not say that this is meant.
LiveOutcome run_live_once(const LiveOptions& options, Objective& objective, Endpoint& endpoint,
                          const JournalContents& before, bool was_cut, Emitter& emitter, const Clock& clock,
                          int minute_of_day, const StopFlag& stop,
                          const std::function<void(const std::string&)>& notice);

// "22:00-06:00" holds at `minute_of_day`; an empty text always does. An input Error for anything else.
bool within_hours(const std::string& hours, int minute_of_day);

}  // namespace mlq::tune
