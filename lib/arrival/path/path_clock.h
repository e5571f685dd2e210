// Operational time: the mass R(t) of a rate path at the times of a trace. Inside lib/arrival only.
#pragma once

#include "lib/arrival/path/path.h"

namespace mlq::arrival {

// Walks a path along ascending times. Not thread-safe.
class PathClock {
 public:
  // Reads the path from its start.
  explicit PathClock(RatePath& path) : path_(path) { next_piece(); }

  // R(t_ns), for t_ns ascending; in a piece that has been left, R of its end. After the end of a finite path
  // it stands still.
  u128 mass_at(int64_t t_ns);
  // Says that there was an arrival at t_ns; pieces of a fixed number of arrivals end by it.
  void arrived(int64_t t_ns);

 private:
  void next_piece();

  RatePath& path_;
  Piece piece_;
  bool ended_ = false;
  uint64_t arrivals_ = 0;  // in this piece
  u128 start_ = 0;         // of this piece: time and mass
  u128 mass_ = 0;
};

}  // namespace mlq::arrival
