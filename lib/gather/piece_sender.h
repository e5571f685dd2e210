// Sends a rank's buffer to all others while it is being filled: piece after piece, each as soon as nothing in
// it will change. What arrives is what one all-gather of the whole would bring. Several pieces are under way
// at a time, so that one waits for its receiver's word while another is on the link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/ranks/comm.h"

namespace mlq::gather {

// Below the 64 KiB up to which Open MPI sends over TCP without asking the receiver first.
inline constexpr uint64_t kWirePiece = uint64_t{60} << 10;

// Collective, and alike on all ranks: sizes of buffers, pieces. `all` has the buffers of all ranks, in their
// order. Memory is the caller's and outlives finish(). For one thread.
class PieceSender {
 public:
  // The first `late` bytes of `mine`, which are not more than a piece, are filled last.
  PieceSender(ranks::Comm& comm, std::span<const std::byte> mine, std::span<std::byte> all, uint64_t late,
              uint64_t piece = kWirePiece);
  // Of the first `bytes`, those that are not late are final.
  void ready(uint64_t bytes);
  // All are. Returns when everything has arrived.
  void finish();

 private:
  void send(uint64_t piece);

  ranks::Comm& comm_;
  std::span<const std::byte> mine_;
  std::span<std::byte> all_;
  uint64_t piece_, pieces_;
  bool late_;  // the first piece is still to be sent
  uint64_t next_;
};

}  // namespace mlq::gather
