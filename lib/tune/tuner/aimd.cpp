// Additive increase, multiplicative decrease of the batch size, like Clipper (Crankshaw et al., NSDI'17):
// 2 more while latency is under 0.9 of the limit, a tenth less when it is over it.
#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

constexpr double kMore = 2, kLess = 0.9, kDeadBand = 0.9;

double number(const KnobValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return 0;
}

class Aimd : public Tuner {
 public:
  Aimd(size_t axis, double limit_ns) : axis_(axis), limit_ns_(limit_ns) {}

  Choice ask(const History& history, const Question& question) override {
    if (!wanted_)
      if (auto first = opening(history, question.level)) return *first;
    const PointId from = last_.value_or(history.start());
    Choice choice;
    choice.set = "neighbour";
    choice.why = "more while the limit is far, less when it is broken";
    choice.point = allowed(history, history.space().with_step(from, axis_, step_of(history.space())));
    return choice;
  }

  void tell(const History& history, const Observation& row) override {
    if (row.prior) return;
    const Space& space = history.space();
    last_ = row.point;
    // What is set is a value of the list; what is wanted moves on between them.
    if (!wanted_ || space.step(row.point, axis_) != step_of(space))
      wanted_ = number(space.value(row.point, axis_));
    const double load = load_of(row);
    if (load > 1)
      *wanted_ *= kLess;
    else if (load < kDeadBand)
      *wanted_ += kMore;
    const auto& values = space.axes()[axis_].values;
    wanted_ = std::clamp(*wanted_, number(values.front()), number(values.back()));
  }

 private:
  // Latency over the limit: of the term of the SLO that is nearest to breaking, else of p95.
  double load_of(const Observation& row) const {
    if (row.outcome == TrialOutcome::failed || row.outcome == TrialOutcome::aborted) return 2;
    if (!row.slack.empty()) return fmath::exp(*std::max_element(row.slack.begin(), row.slack.end()));
    return (row.p95_ns > 0 ? row.p95_ns : fmath::exp(row.y)) / limit_ns_;
  }

  // The largest value that is not over what is wanted.
  uint32_t step_of(const Space& space) const {
    const auto& values = space.axes()[axis_].values;
    uint32_t step = 0;
    while (step + 1 < values.size() && number(values[step + 1]) <= wanted_.value_or(0)) ++step;
    return step;
  }

  // The nearest smaller value that makes a valid point which is not barred; else the nearest larger one.
  PointId allowed(const History& history, PointId point) const {
    const Space& space = history.space();
    const auto usable = [&](PointId p) { return space.valid(p) && !history.barred(p); };
    const uint32_t step = space.step(point, axis_);
    for (uint32_t s = step + 1; s-- > 0;) {
      const PointId p = space.canonical(space.with_step(point, axis_, s));
      if (usable(p)) return p;
    }
    for (uint32_t s = step + 1; s < space.axes()[axis_].values.size(); ++s) {
      const PointId p = space.canonical(space.with_step(point, axis_, s));
      if (usable(p)) return p;
    }
    return history.start();
  }

  size_t axis_;
  double limit_ns_;
  std::optional<double> wanted_;
  std::optional<PointId> last_;
};

}  // namespace

std::unique_ptr<Tuner> make_aimd(const TunerOptions& options, const Space& space) {
  std::optional<size_t> axis;
  for (size_t a = 0; a < space.dims(); ++a) {
    if (space.axes()[a].role != "batch") continue;
    if (axis)
      throw usage_error("aimd moves one knob, but both {} and {} have \"role\":\"batch\"",
                        space.axes()[*axis].name, space.axes()[a].name);
    axis = a;
  }
  if (!axis) throw usage_error("aimd moves the knob with \"role\":\"batch\", and none of the space has it");
  if (space.axes()[*axis].type == KnobType::boolean || !space.axes()[*axis].ordered)
    throw usage_error("aimd needs numbers to add to, and {} has none", space.axes()[*axis].name);
  if (!options.limit_ns)
    throw usage_error("aimd needs a latency limit in the SLO, such as --slo 'p95<=50ms'");
  return std::make_unique<Aimd>(*axis, *options.limit_ns);
}

}  // namespace mlq::tune
