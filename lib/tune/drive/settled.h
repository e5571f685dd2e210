// What a journal vouches for: which configuration is to be in force, and whether it surely is.
#pragma once

#include <optional>

#include "lib/tune/journal/journal.h"
#include "lib/tune/space/space.h"

namespace mlq::tune {

// The configuration that a journal vouches for: the last that was promoted, put back or found at the start.
std::optional<Config> last_good(const JournalContents& journal);
// That of the first start event.
std::optional<Config> first_start(const JournalContents& journal);

// The last run has left nobody knows what: it was killed, or ended with a decision that nothing answers, or
// could not put back what it had changed. last_good() is to be set before anything else is done.
bool unsettled(const JournalContents& journal);

}  // namespace mlq::tune
