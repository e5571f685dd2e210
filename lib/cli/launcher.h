// Which of several processes this is, as the program that started them says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mlq::cli {

// Reads an environment variable; absent where it is not set or empty. An argument for the sake of tests.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

struct Rank {
  uint32_t rank = 0;
  std::optional<uint32_t> size;  // absent: the launcher does not say (Kubernetes, GNU parallel)
  std::string_view launcher;     // "Open MPI", "PMI", "Slurm", "Kubernetes", "GNU parallel", "MLQ_SHARD"
  bool shares_stdout = false;    // all ranks write to one standard output
};

// The first that fits: MLQ_SHARD=K/N; Open MPI (OMPI_COMM_WORLD_RANK and _SIZE); Slurm, within a step
// (SLURM_PROCID and SLURM_STEP_NUM_TASKS: a batch script has a PROCID too, but no tasks of a step); PMI
// (PMI_RANK and PMI_SIZE); Kubernetes indexed jobs (JOB_COMPLETION_INDEX); GNU parallel (PARALLEL_SEQ - 1). A
// usage Error if a variable holds no number.
std::optional<Rank> launcher_rank(const Environment& environment);

struct ShardChoice {
  uint32_t shard = 0;
  uint32_t shards = 1;
  bool shares_stdout = false;
  bool may_be_mpi = false;  // the launcher is one that starts MPI programs, and this choice follows it
};
// --shard: `K/N`, `auto`, `auto/N`, or nothing. A usage Error if a launcher has started several processes and
// nothing was said, since each would send everything.
ShardChoice choose_shard(const std::optional<std::string>& option, const Environment& environment);

}  // namespace mlq::cli
