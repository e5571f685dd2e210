// Valid points row by row, the first axis slowest.
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

class Grid : public Tuner {
 public:
  Choice ask(const History& history, const Question& question) override {
    if (auto first = opening(history, question.level)) return *first;
    if (next_.size() <= question.level) next_.resize(question.level + 1, 0);
    PointId& next = next_[question.level];
    const Space& space = history.space();
    // What was passed over once stays passed over, so the walk over the grid is done once in all.
    while (next < space.grid_size() && passed(history, question.level, next)) ++next;
    Choice choice;
    choice.set = "wide";
    choice.why = "the next of the grid";
    choice.point = next;
    if (next == space.grid_size()) {
      choice.point = history.best_mean(question.level).value_or(history.start());
      choice.set = "repeat";
      choice.why = "the whole grid was tried";
      choice.finished = true;
    }
    return choice;
  }
  void tell(const History& /*history*/, const Observation& /*row*/) override {}

 private:
  static bool passed(const History& history, LevelId level, PointId point) {
    return !history.space().valid(point) || history.at(level, point) != nullptr || history.barred(point);
  }

  std::vector<PointId> next_;  // by level
};

}  // namespace

std::unique_ptr<Tuner> make_grid(const TunerOptions& /*options*/, const Space& /*space*/) {
  return std::make_unique<Grid>();
}

}  // namespace mlq::tune
