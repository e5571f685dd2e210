// The engine behind nearly every process: unit-mean gaps, summed, through the inverse of a rate path.
#pragma once

#include <limits>
#include <optional>

#include "lib/arrival/law/law.h"
#include "lib/arrival/path/path.h"
#include "lib/arrival/process/block.h"

namespace mlq::arrival {

// Where the clock starts within a gap.
enum class Start : uint8_t {
  stationary,  // time 0 knows nothing of the arrivals: the first gap is an equilibrium residual
  event,       // an unseen arrival at 0: a full first gap
  zero,        // the first arrival is at 0
};

// What ends a trace.
struct Limits {
  std::optional<int64_t> duration_ns;                     // arrivals before this
  uint64_t count = std::numeric_limits<uint64_t>::max();  // at most so many
  bool count_given = false;
  // Both at once on a renewal engine: N arrivals in [0, T), by t_k = R^-1(R(T) G_k / G_(N+1)).
  bool conditioned() const { return duration_ns.has_value() && count_given; }
  int64_t end_ns() const { return duration_ns.value_or(std::numeric_limits<int64_t>::max()); }
};

struct EngineParts {
  LawPtr law;  // unit mean
  RatePathPtr path;
  LawPtr batch;  // arrivals per instant; null: 1
  Start start = Start::stationary;
  bool has_segments = false;  // arrivals carry the piece's segment
  bool emit_path = false;
};

// Keyed by `seed` and `stream`. `mass_path`: a second copy of the path, needed when limits.conditioned().
// Throws usage Errors; input Errors when times pass 2^63 ns.
std::unique_ptr<TimeSource> make_engine(EngineParts parts, const Limits& limits, uint64_t seed,
                                        uint32_t stream, RatePathPtr mass_path);

}  // namespace mlq::arrival
