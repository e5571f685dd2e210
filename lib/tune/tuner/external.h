// Tuners in other programs, a line of JSON at a time over a pipe. A child gets
//
//   {"type":"space","name":..,"seed":1,"trials":100,"objective":"latency","slo":"","start":{..},"space":{..}}
//
// once, where `space` is a space file (version, knobs, constraints); then for each trial
//
//   {"type":"ask","i":0,"level":"r17c0","rate_per_s":400,"budget":100,"window_s":3}
//     it must answer {"type":"config","config":{"batch":8,..}}, perhaps with "finished":true: it has nothing
//     left to try, and that is what it would keep
//   {"type":"tell","i":0,"config":{..},"level":"r17c0","cost":6.1e6,..}
//     with the figures of the window, or "failed":true; it answers nothing
//   {"type":"recommend","level":"r17c0"}
//     only if an answer of its had "recommends":true: it answers as to ask, with what it would keep at that
//     level; of other children that is the tried configuration with the lowest mean
//
// and at the end of the run an end of its input, at which it should exit.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/tune/learn/history.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// The child could not be started, died, kept silent, or answered what cannot be read.
class ExternalFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct ExternalOptions {
  std::string command;  // for /bin/sh -c
  std::string name;     // in messages
  std::string surface;
  uint64_t seed = 1;
  uint64_t trials = 100;
  std::string objective = "latency", slo;
  int64_t line_deadline_ns = 60'000'000'000;
  const StopFlag* stop = nullptr;  // ends waiting: ExternalFailure
};

// A proposal that is no valid point is told as failed and asked for anew; after 100 in a row the child has
// failed. tell() sends what it is given, and of what it is not given nothing. Calls throw ExternalFailure.
// The child has a process group of its own; it and what it started are killed if it outlives its end of input
// by 2 s.
std::unique_ptr<Tuner> make_external(const ExternalOptions& options, const Space& space, PointId start);

// The space as a space file in one line: all its values in lists.
std::string space_json(const Space& space);

}  // namespace mlq::tune
