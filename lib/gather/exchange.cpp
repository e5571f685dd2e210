#include "lib/gather/exchange.h"

namespace mlq::gather {

Exchange::Exchange(ranks::Comm& comm, ranks::Comm* wire, Backend& backend, uint64_t late, uint64_t piece)
    : comm_(comm),
      wire_(wire == nullptr && backend.is_host() ? &comm : wire),
      backend_(backend),
      late_(late),
      piece_(piece) {}

void Exchange::open(uint64_t stride) {
  stride_ = stride;
  if (sending_.size() < stride) {
    sending_ = backend_.allocate(stride);
    received_ = backend_.allocate(wire_bytes());
  }
  if (wire_ != nullptr) {
    sender_.emplace(*wire_, sending_.span().first(stride), received_.span().first(wire_bytes()), late_,
                    piece_);
    return;
  }
  if (staged_sending_.size() < stride) {
    staged_sending_ = backend_.allocate_staging(stride);
    staged_received_ = backend_.allocate_staging(wire_bytes());
  }
  sender_.emplace(comm_, staged_sending_.span().first(stride), staged_received_.span().first(wire_bytes()),
                  late_, piece_);
}

void Exchange::ready(uint64_t bytes) {
  if (wire_ != nullptr) sender_->ready(bytes);
}

void Exchange::finish() {
  if (wire_ != nullptr) return sender_->finish();
  backend_.download(staged_sending_.span().first(stride_), sending_.data());
  sender_->finish();
  backend_.upload(received_.data(), staged_received_.span().first(wire_bytes()));
}

}  // namespace mlq::gather
