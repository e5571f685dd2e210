#include "lib/tune/drive/schedule.h"

namespace mlq::tune {

Level LevelSchedule::next(const std::optional<WindowSource::Upcoming>& upcoming,
                          const std::optional<Window>& last) {
  Level single;
  if (mode_ == "single") return single;
  if (mode_ == "segment") {
    if (upcoming && !upcoming->segment.empty()) single.name = upcoming->segment;
    if (upcoming) single.rate_per_s = upcoming->rate_per_s;
    return single;
  }
  if (upcoming) {
    level_ = tracker_.add(upcoming->rate_per_s, upcoming->cv2);
  } else if (last && last->rate_per_s) {
    level_ = tracker_.add(*last->rate_per_s, last->cv2);
  }
  return level_;
}

}  // namespace mlq::tune
