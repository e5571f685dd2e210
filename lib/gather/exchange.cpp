#include "lib/gather/exchange.h"

namespace mlq::gather {

Exchange::Exchange(ranks::Comm& comm, ranks::Comm* wire, Backend& backend, uint64_t late, uint64_t piece)
    : comm_(comm),
      wire_(wire == nullptr && backend.is_host() ? &comm : wire),
      backend_(backend),
      late_(late),
      piece_(piece) {}

void Exchange::reserve(uint64_t stride) {
  const uint64_t all = stride * comm_.size();
  if (sending_.size() < stride) {
    sending_ = received_ = {};
    sending_ = backend_.allocate(stride);
    received_ = backend_.allocate(all);
  }
  if (wire_ == nullptr && staged_sending_.size() < stride) {
    staged_sending_ = staged_received_ = {};
    staged_sending_ = backend_.allocate_staging(stride);
    staged_received_ = backend_.allocate_staging(all);
  }
}

void Exchange::open(uint64_t stride) {
  reserve(stride);
  stride_ = stride;
  const bool staged = wire_ == nullptr;
  sender_.emplace(staged ? comm_ : *wire_, (staged ? staged_sending_ : sending_).span().first(stride),
                  (staged ? staged_received_ : received_).span().first(wire_bytes()), late_, piece_);
}

void Exchange::ready(uint64_t bytes) {
  if (wire_ != nullptr) sender_->ready(bytes);
}

void Exchange::finish() {
  if (wire_ == nullptr) backend_.download(staged_sending_.span().first(stride_), sending_.data());
  sender_->finish();
  if (wire_ == nullptr) backend_.upload(received_.data(), staged_received_.span().first(wire_bytes()));
}

}  // namespace mlq::gather
