// When t_ns = 0 is: now, or at an instant that several processes have in common.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/replay/mpi_start.h"

namespace mlq::replay {

struct StartOptions {
  enum class Kind { now, after, at, file, mpi } kind = Kind::now;
  int64_t ns = 0;    // of after: from now; of at: since 1970-01-01 UTC
  std::string path;  // of file
  static constexpr int64_t kAnyClockError = std::numeric_limits<int64_t>::max();
  int64_t max_clock_error_ns = 10'000'000;
  bool common = false;  // other processes start by the same wall clock
};

// `2026-01-02T03:04:05Z`, `+30s`, `@FILE` or `now`. A usage Error says so.
StartOptions parse_start(std::string_view text);

struct Start {
  int64_t steady_ns = 0;                   // on the given clock
  int64_t unix_ns = 0;                     // the same instant
  std::optional<int64_t> clock_offset_ns;  // under MPI: this clock minus that of rank 0
  std::optional<int64_t> clock_error_ns;   // what is known of the error of the clock that was used
};

// The wall clock is read once, beside the steady one: a step of it afterwards changes nothing. Of `file`, the
// first process to come writes the time ten seconds ahead into it, and the others read it. Environment
// Errors: the time is past, the file cannot be used, or the clock is worse than allowed while others depend
// on it.
// `ranks` is needed for `mpi` alone, whose instant is a second after all ranks have met.
Start resolve_start(const StartOptions& options, uint32_t shard, uint32_t shards, MpiRanks* ranks,
                    const Clock& clock);

}  // namespace mlq::replay
