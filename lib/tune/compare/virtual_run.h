// One search on a surface instead of a server: no clock but the one that applies and windows would have
// taken.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/surface/surface.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// What a tuner knows when the level changes, on surfaces with several.
enum class Memory : uint8_t {
  all,      // one tuner, every level: as a search does
  level,    // a tuner a level
  restart,  // a new tuner whenever the level changes
};

struct VirtualOptions {
  uint64_t trials = 100;
  uint64_t phase = 40;  // trials after which a surface with several levels takes its next one, in turn
  Memory memory = Memory::all;
  Objective objective = Objective::parse("latency", "");
  uint64_t seed = 1;              // of tuner and noise
  const Clock* timing = nullptr;  // measures decisions; null: nobody does
};

struct VirtualTrial {
  uint64_t i = 0;
  int64_t t_ns = 0;   // when applying began
  LevelId level = 0;  // of the surface
  Choice choice;
  int64_t apply_ns = 0;
  ApplyClass apply_class = ApplyClass::hot;
  records::WindowStats window;
  Objective::Value value;
  std::optional<PointId> incumbent;  // after the trial; only if VirtualHooks::trial is set
  std::optional<double> incumbent_y;
  std::optional<int64_t> decide_ns;
};

struct VirtualRun {
  std::vector<PointId> points;                      // tried, in order
  std::vector<LevelId> levels;                      // of the trials
  std::vector<std::optional<PointId>> recommended;  // by level of the surface
  std::vector<int64_t> decide_ns;
  int64_t virtual_ns = 0;
  uint64_t failed = 0;
  bool interrupted = false;
};

struct VirtualHooks {
  // A tuner for the run's space; called once, or for each level or phase.
  std::function<std::unique_ptr<Tuner>(const Space& space)> make;
  // After each trial; may be empty.
  std::function<void(const VirtualTrial&)> trial;
};

// A tuner that has finished holds what it would keep until the level changes. Deterministic in the surface,
// the options and the tuner. Errors: those of the tuner.
VirtualRun run_virtual(const Surface& surface, const VirtualOptions& options, const VirtualHooks& hooks,
                       const StopFlag& stop);

// The row of a history that a window stands for.
Observation observation(uint64_t i, PointId point, LevelId level, const records::WindowStats& window,
                        const Objective::Value& value);

}  // namespace mlq::tune
