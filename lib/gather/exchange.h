// The buffers of a step on their way between ranks: each rank's own is filled, and all come to all. They lie
// in the backend's memory, which a transport of its own carries; where there is none, copies in host memory
// go.
#pragma once

#include <optional>

#include "lib/gather/backend.h"
#include "lib/gather/piece_sender.h"
#include "lib/ranks/comm.h"

namespace mlq::gather {

// Collective, and alike on all ranks. Keeps references.
class Exchange {
 public:
  // `wire`: takes memory of the backend, of the same ranks as `comm`; nothing: `comm` takes host memory. The
  // first `late` bytes of a buffer are filled last, and are not more than a piece; see PieceSender.
  Exchange(ranks::Comm& comm, ranks::Comm* wire, Backend& backend, uint64_t late, uint64_t piece);

  // Room for so many bytes a rank, which open() then need not make.
  void reserve(uint64_t stride);
  // Begins anew: `stride` bytes a rank.
  void open(uint64_t stride);
  uint64_t stride() const { return stride_; }
  // Of all ranks together.
  uint64_t wire_bytes() const { return stride_ * comm_.size(); }
  // In the backend's memory: this rank's, and what has arrived of a rank when finish() has returned.
  std::byte* mine() const { return sending_.data(); }
  const std::byte* of(unsigned rank) const { return received_.data() + rank * stride_; }
  // Of the first `bytes` of mine(), those that are not late are final.
  void ready(uint64_t bytes);
  // All are.
  void finish();
  // Does work that sends and finishes. If it fails, the transport is abandoned before anything that pieces
  // under way need is freed.
  template <class Work>
  void sent_by(const Work& work) {
    try {
      work();
    } catch (...) {
      if (wire_ != nullptr) wire_->abandon();
      throw;
    }
  }

 private:
  ranks::Comm& comm_;
  ranks::Comm* wire_;
  Backend& backend_;
  uint64_t late_, piece_, stride_ = 0;
  Memory sending_, received_;
  Memory staged_sending_, staged_received_;  // where comm_ cannot take the backend's
  std::optional<PieceSender> sender_;
};

}  // namespace mlq::gather
