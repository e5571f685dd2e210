#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

std::optional<PointId> Tuner::recommend(const History& history, LevelId level) {
  return history.best_mean(level);
}

std::optional<Tuner::Prediction> Tuner::predict(const History& /*history*/, LevelId /*level*/,
                                                PointId /*point*/) {
  return std::nullopt;
}

std::optional<double> Tuner::value(const History& /*history*/, LevelId /*level*/, PointId /*point*/) {
  return std::nullopt;
}

}  // namespace mlq::tune
