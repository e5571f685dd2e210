// How long ranks take to give each other weights as deltas, beside the same weights as bfloat16.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/gather/backend.h"
#include "lib/gather/piece_sender.h"
#include "lib/ranks/comm.h"

namespace mlq::gather {

struct GatherBench {
  uint64_t elems = uint64_t{16} << 20;  // of all ranks together
  std::vector<unsigned> bits = {8, 4, 2};
  uint64_t block = 64;
  uint64_t piece = kWirePiece;  // bytes that are sent at a time
  Backend* backend = nullptr;   // as of GatherOptions
  unsigned threads = 1;
  ranks::Comm* wire = nullptr;
  int64_t time_ns = 2'000'000'000;  // for each number of bits
  StopFlag* stop = nullptr;         // where one rank is asked to stop, the flags of all are set
};

struct GatherBenchResult {
  unsigned bits = 0;
  uint64_t reps = 0;
  uint64_t wire_bytes = 0;  // of the all-gather, all ranks together
  // Medians, of the slowest rank each time: encoding, sending meanwhile and applying; that without applying;
  // and the all-gather of the weights as bfloat16: the faster of one call and of pieces.
  int64_t duration_ns = 0, duration_min_ns = 0, comm_ns = 0, bf16_ns = 0;
};

// Collective; the two ways take turns. The same results on all ranks.
void bench_gather(ranks::Comm& comm, const GatherBench& bench, const Clock& clock,
                  const std::function<void(const GatherBenchResult&)>& report);

}  // namespace mlq::gather
