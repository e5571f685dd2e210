// Valid points in random order, none twice until all were tried. The bar that every tuner has to clear.
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

class Random : public Tuner {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}

  Choice ask(const History& history, const Question& question) override {
    if (auto first = opening(history, question.level)) return *first;
    Draws draws(seed_, Purpose::policy, question.i);
    Choice choice;
    choice.set = "wide";
    choice.why = "drawn from the points that were not tried";
    if (const auto point = draw_untried(history, question.level, draws)) {
      choice.point = *point;
      return choice;
    }
    choice.point = draw_allowed(history, draws);
    choice.set = "repeat";
    choice.why = "drawn from all points: each was tried";
    return choice;
  }
  void tell(const History& /*history*/, const Observation& /*row*/) override {}

 private:
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Tuner> make_random(const TunerOptions& options, const Space& /*space*/) {
  return std::make_unique<Random>(options.seed);
}

}  // namespace mlq::tune
