#include "lib/tune/drive/settled.h"

namespace mlq::tune {
namespace {

// Events with whose configuration the endpoint was left.
bool settles(const records::TuneEvent& event) {
  return event.event == "start" || event.event == "promoted" || event.event == "reverted" ||
         event.event == "recovered";
}

}  // namespace

std::optional<Config> last_good(const JournalContents& journal) {
  std::optional<Config> out;
  for (const JournalRun& run : journal.runs)
    for (const records::TuneEvent& event : run.events)
      if (event.config && settles(event)) out = parse_config(event.config->text, "the journal");
  return out;
}

std::optional<Config> first_start(const JournalContents& journal) {
  for (const JournalRun& run : journal.runs)
    for (const records::TuneEvent& event : run.events)
      if (event.event == "start" && event.config) return parse_config(event.config->text, "the journal");
  return std::nullopt;
}

bool unsettled(const JournalContents& journal) {
  if (journal.runs.empty()) return false;
  const JournalRun& last = journal.runs.back();
  if (last.finished()) return false;
  if (!last.end || last.end->recovered.value_or(false) || last.unanswered() != nullptr) return true;
  for (auto event = last.events.rbegin(); event != last.events.rend() && !settles(*event); ++event)
    if (event->event == "actuator_failed") return true;
  return false;
}

}  // namespace mlq::tune
