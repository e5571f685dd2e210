#include "lib/tune/drive/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/drive/settled.h"
#include "lib/tune/measure/level.h"

namespace mlq::tune {
namespace {

constexpr int kPressedRepeats = 3;

struct Job {
  PointId point = 0;
  uint64_t repeat = 0;
};

std::vector<Job> plan(const SweepOptions& options, const Space& space) {
  if (!space.listed() && !options.points) {
    throw input_error("the space has {} points, too many to measure each; --points N draws some",
                      space.grid_size());
  }
  Draws draws(options.seed, Purpose::design, 0);
  std::vector<PointId> points(space.points().begin(), space.points().end());
  if (points.empty())
    for (uint64_t k = 0; k < *options.points; ++k) points.push_back(space.draw(draws));
  for (size_t k = points.size(); k > 1; --k) std::swap(points[k - 1], points[draws.below(k)]);
  if (options.points && points.size() > *options.points) points.resize(*options.points);
  std::vector<Job> jobs;
  for (uint64_t repeat = 0; repeat < options.repeats; ++repeat)
    for (const PointId point : points) jobs.push_back({point, repeat});
  return jobs;
}

// How often the journal has each point already.
uint64_t times_done(const JournalContents& journal, const std::string& id) {
  uint64_t n = 0;
  for (const JournalRun& run : journal.runs)
    for (const records::Trial& trial : run.trials)
      if (trial.phase == "sweep" && trial.config_id == id && trial.outcome != "void") ++n;
  return n;
}

records::SurfaceRow row_of(const SweepOptions& options, const records::Trial& trial, const Job& job) {
  records::SurfaceRow row;
  static_cast<records::WindowFigures&>(row) = trial;
  row.surface = options.surface;
  row.level = trial.level;
  row.rate_per_s = trial.rate_per_s;
  row.config = trial.config;
  row.repeat = job.repeat;
  row.window_ns = trial.window_ns;
  row.requests = trial.requests;
  row.apply_ns = trial.apply_ns;
  row.apply_class = trial.apply_class;
  row.outcome = trial.outcome;
  return row;
}

}  // namespace

SweepOutcome run_sweep(const SweepOptions& options, const Objective& objective, Endpoint& endpoint,
                       const JournalContents& before, Emitter& emitter, const Clock& clock,
                       const StopFlag& stop, const std::function<void(const std::string&)>& notice,
                       const std::function<void(uint64_t, uint64_t)>& progress) {
  SweepOutcome outcome;
  Turn turn(options.turn, objective, endpoint, emitter, clock, clock.now_ns(), stop, notice);
  const std::optional<Config> live = endpoint.actuator->read(stop);
  turn.set_idle(live ? *live : endpoint.start.value_or(Config{}));
  const std::vector<Job> jobs = plan(options, *endpoint.space);
  // After a sweep that was killed, what is set now is one of its points.
  const std::optional<Config> good = unsettled(before) ? last_good(before) : std::nullopt;
  const PointId start = good ? endpoint.space->nearest(*good) : start_of(endpoint, live, notice);
  turn.set_good(start);
  uint64_t i = before.next_i;
  if (good) {
    std::string note;
    if (!turn.set(i, "", start, "the last sweep was interrupted: back to the start configuration", true,
                  &note))
      throw environment_error("{}: the start configuration cannot be put back: {}", endpoint.name, note);
    turn.event("recovered", i, start, "the sweep goes on");
  } else {
    if (live && endpoint.space->find(*live) == start) turn.set_current(start);
    turn.event("start", std::nullopt, start, "what was set before");
  }
  const auto window = [&](PointId point, const char* phase, const char* reason) {
    TurnRequest request;
    request.i = i++;
    request.point = point;
    request.phase = phase;
    request.tuner = "grid";
    request.reason = reason;
    TurnResult result = turn.run(request);
    if (result.window.rate_per_s && endpoint.levels == "rate")
      result.trial.level = level_of(*result.window.rate_per_s, result.window.cv2).name;
    return result;
  };
  try {
    for (size_t k = 0; k < jobs.size() && !stop; ++k) {
      const Job& job = jobs[k];
      if (times_done(before, config_id(endpoint.space->config(job.point))) > job.repeat) {
        ++outcome.skipped;
        continue;
      }
      std::optional<TurnResult> beside;
      if (options.baseline) {
        beside = window(start, "baseline", "the start configuration, beside the next point");
        if (beside->stopped) break;
      }
      TurnResult result = window(job.point, "sweep", "the next point of the sweep");
      for (int again = 0; again < kPressedRepeats && !result.stopped &&
                          result.trial.psi_cpu_share.value_or(0) > options.most_pressure;
           ++again)
        result = window(job.point, "sweep", "once more: the machine was under pressure");
      if (result.stopped) break;
      if (beside && beside->trial.y && result.trial.y)
        result.trial.baseline_ratio = fmath::exp(*result.trial.y - *beside->trial.y);
      emitter.write_journal(result.trial);
      emitter.write(row_of(options, result.trial, job));
      ++outcome.rows;
      if (result.trial.outcome == "failed") ++outcome.failed;
      progress(k + 1, jobs.size());
    }
  } catch (...) {
    if (turn.current() != start) turn.revert(i, "the sweep ended with an error");
    throw;
  }
  outcome.interrupted = static_cast<bool>(stop);
  if (turn.current() != start) turn.revert(i, "the sweep has ended");
  return outcome;
}

}  // namespace mlq::tune
