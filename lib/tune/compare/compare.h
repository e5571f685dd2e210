// Tuners x surfaces x seeds, on any number of threads, with the same results on each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/tune/compare/score.h"

namespace mlq::tune {

struct Contestant {
  std::string name;
  TunerOptions options;  // the seed is set for each run
  std::string command;   // of an external tuner; empty: one of make_tuner()
};

struct CompareOptions {
  std::vector<Contestant> tuners;
  std::vector<std::shared_ptr<const Surface>> surfaces;
  uint64_t seeds = 30;
  VirtualOptions run;  // its seed is that of the first
  unsigned threads = 1;
  int64_t line_deadline_ns = 60'000'000'000;  // of external tuners
};

// Runs all cells; `cell` is told of each in order, as soon as those before it are there (one call at a time,
// from any of the threads). Errors of an external tuner are the failure of its cell; others are thrown when
// all threads have ended. When `stop` is set what has not run yet is missing: cells is shorter.
Comparison compare(const CompareOptions& options, const StopFlag& stop,
                   const std::function<void(const Comparison&, const Cell&)>& cell);

// A tuner of one run: a built-in one, or a child process.
std::unique_ptr<Tuner> make_contestant(const Contestant& contestant, const Surface& surface,
                                       const VirtualOptions& run, const StopFlag& stop,
                                       int64_t line_deadline_ns);

}  // namespace mlq::tune
