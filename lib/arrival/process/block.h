// A block of consecutive arrivals on its way through the generator.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/arrival/path/path.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/trace.h"

namespace mlq::arrival {

constexpr size_t kBlockEvents = 16384;

struct Block {
  uint64_t number = 0;
  size_t instants = kBlockEvents;  // most instants that a source puts in it; the same for all its blocks

  // Filled by TimeSource: `times[k]` is arrival `first_i + k`.
  uint64_t first_i = 0;
  std::vector<int64_t> times;
  std::vector<uint32_t> segments;        // empty, or one each
  std::vector<uint32_t> sources;         // empty, or which source of a superposition, one each
  std::vector<uint64_t> source_indexes;  // with `sources`: the arrival's index there, which keys its marks
  std::vector<records::RatePoint> path;  // pieces that begin in this block
  bool last = false;

  // Work space of the engine.
  struct Slice {
    Piece piece;
    u128 mass_start = 0;  // of the whole path, where the piece starts
    u128 time_start = 0;
    size_t begin = 0;  // instants [begin, end) of the block lie in it
    size_t end = 0;
  };
  std::vector<double> gaps;
  std::vector<u128> masses;  // inclusive sums of the gaps; after sequence(), of the whole trace
  std::vector<uint32_t> batches;
  std::vector<Slice> slices;
  int64_t earliest_ns = 0;  // all times lie in [earliest, latest], and blocks follow one another without a
  int64_t latest_ns = 0;    // step back; rounding in a bent piece is kept within

  // Filled by rendering.
  jsonl::Buffer text;
  uint64_t lines = 0;
  int64_t last_t_ns = 0;
};

// Makes the times of a trace, block by block. draw() and place() of different blocks may run at once on any
// threads; sequence() is called for block 0, 1, 2, ... one after the other, after that block's draw() and
// before its place(). A source marks the block that ends the trace as `last`.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual void draw(Block&) const {}
  virtual void sequence(Block& block) = 0;
  virtual void place(Block&) const {}
  // Length of the trace where that is more than its last arrival: the duration asked for, or the end of the
  // path. Valid once the last block was sequenced.
  virtual int64_t duration_ns() const { return 0; }
};

}  // namespace mlq::arrival
