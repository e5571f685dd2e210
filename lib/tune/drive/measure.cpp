#include "lib/tune/drive/measure.h"

#include <fmt/format.h>

#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/stats/student.h"
#include "lib/tune/measure/level.h"

namespace mlq::tune {
namespace {

constexpr double kPiSquared = 9.869604401089358;

records::Measurement measurement_of(const records::Trial& trial) {
  records::Measurement out;
  static_cast<records::ConfigWindow&>(out) = trial;
  return out;
}

// Windows of a few configurations, with the start put back at the end.
class Windows {
 public:
  Windows(const TurnOptions& options, PointId start, const Objective& objective, Endpoint& endpoint,
          uint64_t first_i, Emitter& emitter, const Clock& clock, const StopFlag& stop,
          const std::function<void(const std::string&)>& notice)
      : turn_(options, objective, endpoint, emitter, clock, clock.now_ns(), stop, notice),
        endpoint_(endpoint),
        emitter_(emitter),
        start_(start),
        next_i_(first_i) {
    turn_.set_good(start);
    const auto live = endpoint.actuator->read(stop);
    turn_.set_idle(live ? *live : endpoint.start.value_or(Config{}));
  }

  // A window that says something.
  TurnResult window(PointId point, const std::string& reason) {
    for (Voids voids;;) {
      TurnRequest request;
      request.i = next_i_++;
      request.point = point;
      request.phase = "confirm";
      request.reason = reason;
      TurnResult result = turn_.run(request);
      if (result.window.rate_per_s && endpoint_.levels == "rate")
        result.trial.level = level_of(*result.window.rate_per_s, result.window.cv2).name;
      emitter_.write(measurement_of(result.trial));
      if (result.stopped || result.row.outcome != TrialOutcome::none) return result;
      voids.add(result, endpoint_.name);
    }
  }
  void restore(const std::string& reason) {
    if (turn_.current() != start_) turn_.revert(next_i_, reason);
  }

 private:
  Turn turn_;
  Endpoint& endpoint_;
  Emitter& emitter_;
  PointId start_;
  uint64_t next_i_;
};

}  // namespace

std::string duet_verdict(std::span<const double> differences, const DuetOptions& options, uint64_t look,
                         records::Duet& duet) {
  const auto k = static_cast<double>(look);
  const double error = (1 - options.confidence) * 6 / (kPiSquared * k * k);
  const stats::MeanInterval i = stats::mean_interval(differences, 1 - error);
  duet.pairs = differences.size();
  duet.log_ratio = i.mean;
  duet.log_ratio_lo = i.lo;
  duet.log_ratio_hi = i.hi;
  if (differences.size() < 2) duet.note = "one pair has no interval";
  const double above = fmath::log1p(options.margin), below = fmath::log1p(-options.margin);
  if (i.lo > above) return "worse";
  if (i.hi < below) return "better";
  if (i.lo >= below && i.hi <= above) return "same";
  return "undecided";
}

DuetOutcome run_duet(const DuetOptions& options, PointId a, PointId b, PointId start,
                     const Objective& objective, Endpoint& endpoint, uint64_t first_i, Emitter& emitter,
                     const Clock& clock, const StopFlag& stop,
                     const std::function<void(const std::string&)>& notice,
                     const std::function<void(uint64_t, uint64_t)>& progress) {
  DuetOutcome outcome;
  outcome.duet.a = config_id(endpoint.space->config(a));
  outcome.duet.b = config_id(endpoint.space->config(b));
  outcome.duet.verdict = "undecided";
  Windows windows(options.turn, start, objective, endpoint, first_i, emitter, clock, stop, notice);
  std::vector<double> differences;
  uint64_t looks = 0;
  try {
    for (uint64_t pair = 0; pair < options.most_pairs && !stop; ++pair) {
      const bool a_first = pair % 2 == 0;
      const TurnResult first = windows.window(a_first ? a : b, a_first ? "A of a duet" : "B of a duet");
      if (first.stopped) break;
      const TurnResult second = windows.window(a_first ? b : a, a_first ? "B of a duet" : "A of a duet");
      if (second.stopped) break;
      const TurnResult& of_a = a_first ? first : second;
      const TurnResult& of_b = a_first ? second : first;
      if (of_a.row.outcome != TrialOutcome::ok || of_b.row.outcome != TrialOutcome::ok) {
        // What does not work is no figure, but an answer.
        const bool b_failed = of_b.row.outcome != TrialOutcome::ok;
        outcome.duet.verdict = b_failed ? "worse" : "better";
        outcome.duet.pairs = differences.size();
        outcome.duet.note = fmt::format("{} did not work: {}", b_failed ? "B" : "A",
                                        (b_failed ? of_b : of_a).trial.note.value_or("it was aborted"));
        break;
      }
      differences.push_back(of_b.row.y - of_a.row.y);
      progress(pair + 1, options.most_pairs);
      if (differences.size() < options.least_pairs) continue;
      outcome.duet.verdict = duet_verdict(differences, options, ++looks, outcome.duet);
      if (outcome.duet.verdict != "undecided") break;
    }
  } catch (...) {
    windows.restore("the measurement ended with an error");
    throw;
  }
  outcome.interrupted = static_cast<bool>(stop);
  if (looks == 0 && !differences.empty() && !outcome.duet.note)
    outcome.duet.verdict = duet_verdict(differences, options, 1, outcome.duet);
  windows.restore("the measurement has ended");
  emitter.write(outcome.duet);
  return outcome;
}

MeasureOutcome run_measure(const TurnOptions& options, PointId point, PointId start, uint64_t repeats,
                           const Objective& objective, Endpoint& endpoint, uint64_t first_i, Emitter& emitter,
                           const Clock& clock, const StopFlag& stop,
                           const std::function<void(const std::string&)>& notice) {
  MeasureOutcome outcome;
  Windows windows(options, start, objective, endpoint, first_i, emitter, clock, stop, notice);
  outcome.feasible = true;
  try {
    for (uint64_t k = 0; k < repeats && !stop; ++k) {
      const TurnResult result = windows.window(point, "to be measured");
      if (result.stopped) break;
      outcome.windows.push_back(measurement_of(result.trial));
      if (result.row.outcome != TrialOutcome::ok || !result.row.feasible) outcome.feasible = false;
    }
  } catch (...) {
    windows.restore("the measurement ended with an error");
    throw;
  }
  outcome.interrupted = static_cast<bool>(stop);
  windows.restore("the measurement has ended");
  return outcome;
}

}  // namespace mlq::tune
