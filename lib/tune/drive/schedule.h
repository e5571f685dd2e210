// What a search keeps beside its tuner: which workload level the next window belongs to.
#pragma once

#include <optional>
#include <string>

#include "lib/tune/learn/history.h"
#include "lib/tune/measure/level.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

// Names the level of the next window, by what the trace will offer where that is known, else by the last
// window. Not thread-safe.
class LevelSchedule {
 public:
  // `mode`: rate, segment or single (see space files).
  explicit LevelSchedule(std::string mode) : mode_(std::move(mode)) {}
  Level next(const std::optional<WindowSource::Upcoming>& upcoming, const std::optional<Window>& last);

 private:
  std::string mode_;
  LevelTracker tracker_;
  Level level_;
};

}  // namespace mlq::tune
