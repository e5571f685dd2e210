// The evaluation of RRL (Qin et al., SC'19) on a simulated server: tuners that learn while they serve, over
// the paper's two kinds of load.
//
// Workloads: rrl-dynamic, 3,000 episodes of 100 requests whose mean gap is 70, 60, 70, 100, 120 ms in turn,
// as in RRL's published code; and rrl-wiki, the hourly Wikipedia load of LIMBO at 50/s on average, an hour a
// second, cut into episodes of 100 requests. As there, each episode begins with an empty server. All tuners
// meet the same arrivals and, batch by batch, the same luck of the service times.
//
// Measures: mean latency of all requests, learning included; share of the requests over the SLO, 1.5 times
// the p95 that the best configuration has at the level of the load; and, in a run of its own, CPU time a
// request where that is what is made small: cost = CPU x max(1, p95 / limit)^2, so that tuners without
// constraints of their own know of the limit too.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/records/suite.h"
#include "lib/tune/compare/contestant.h"

namespace mlq::tune {

enum class PaperGoal : uint8_t { latency, resource };

// A run: which tuner, on which load, for what.
struct PaperTask {
  size_t tuner = 0;
  size_t workload = 0;
  PaperGoal goal = PaperGoal::latency;
  uint64_t seed = 1;
};

struct PaperResult {
  PaperTask task;
  double mean_latency_ns = 0, last_half_latency_ns = 0;
  double over_slo_share = 0;
  double cpu_ns_per_request = 0;
};

struct RrlPaperOptions {
  uint64_t seeds = 30;
  uint64_t first_seed = 1;
  uint64_t episodes = 0;  // of each workload at most; 0: all
  unsigned threads = 1;
  std::string data_dir;
  std::vector<Contestant> tuners;  // empty: all that the paper's table needs
  // Records of runs made before, by the same version: those of them that are wanted are not made again.
  std::vector<records::SuiteScore> known;
};

struct RrlPaper {
  std::vector<std::string> tuners;  // "start" and "best-static" last
  std::vector<std::string> workloads;
  uint64_t first_seed = 1, seeds = 1, episodes = 0;
  std::vector<PaperResult> results;  // by tuner, then workload and goal, then seed
};

// rrl, rrl-region, rrl-a, random, and each rival with each rate that it is given.
std::vector<Contestant> paper_contestants();

// The name of what is made small, as in records.
std::string goal_name(PaperGoal goal);

// Runs everything on `threads` threads; `done` is told how many of all runs are over. Deterministic. When
// `stop` is set the results are fewer.
RrlPaper run_rrl_paper(const RrlPaperOptions& options, const StopFlag& stop,
                       const std::function<void(uint64_t done, uint64_t all)>& done);

// A record for each run, tuner and workload; means over the seeds with 95 % intervals by the bootstrap; and
// for each tuner of RRL's the reductions against each rival's best rate, paired by seed, beside the paper's
// figures.
struct PaperRecords {
  std::vector<records::SuiteScore> scores;
  std::vector<records::SuiteRatio> ratios;
};
PaperRecords paper_records(const RrlPaper& paper);

}  // namespace mlq::tune
