// The loads of the suite rrl-paper, and its server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/tune/learn/history.h"
#include "lib/tune/surface/preset.h"

namespace mlq::tune {

constexpr size_t kEpisodeRequests = 100;

struct Episode {
  std::vector<int64_t> arrivals;  // from its start
  LevelId level = 0;
};

struct RrlWorkload {
  std::string name;
  size_t server = 0;  // level of the preset rrl-cpu: how long its requests take
  std::vector<Level> levels;
  std::vector<Episode> episodes;
};

const std::vector<std::string>& rrl_workload_names();
// `episodes`: at most so many, evenly taken from the whole; 0: all. Deterministic in `seed`.
RrlWorkload make_rrl_workload(size_t which, uint64_t seed, uint64_t episodes, const std::string& data_dir);

// What one configuration did in one episode.
struct EpisodeOutcome {
  double mean_ns = 0, p95_ns = 0;
  double cpu_ns_per_request = 0;
};
class EpisodeServer {
 public:
  EpisodeServer(const RrlWorkload& workload, uint64_t seed);
  // Latencies of it are in latencies() until the next call.
  EpisodeOutcome serve(size_t episode, PointId point);
  std::span<const int64_t> latencies() const { return run_.latencies; }

 private:
  const RrlWorkload& workload_;
  const Preset& preset_;
  uint64_t seed_;
  size_t noise_of_ = static_cast<size_t>(-1);
  std::vector<double> noise_;
  std::vector<int64_t> sorted_;
  SimulatedRun run_;
};

// What is known of a workload beforehand: from a trace of its own, of another seed.
struct RrlReference {
  std::vector<Level> levels;
  std::vector<double> limit_ns;               // of each level: 1.5 x p95 of its best configuration
  PointId best_static = 0;                    // least mean latency over all levels, as often as they occur
  double limit_at(const Level& level) const;  // of the nearest that is known
};
RrlReference make_rrl_reference(size_t which, uint64_t episodes, const std::string& data_dir);

}  // namespace mlq::tune
