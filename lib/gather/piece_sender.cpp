#include "lib/gather/piece_sender.h"

#include <algorithm>

namespace mlq::gather {

PieceSender::PieceSender(ranks::Comm& comm, std::span<const std::byte> mine, std::span<std::byte> all,
                         uint64_t late, uint64_t piece)
    : comm_(comm),
      mine_(mine),
      all_(all),
      piece_(std::max(piece, late)),
      pieces_(mine.size() / piece_ + (mine.size() % piece_ != 0)),
      late_(late > 0 && pieces_ > 0),
      next_(late_ ? 1 : 0) {}

void PieceSender::ready(uint64_t bytes) {
  const bool whole = bytes >= mine_.size();
  const uint64_t before = next_;
  while (next_ < pieces_ && (whole || (next_ + 1) * piece_ <= bytes)) send(next_++);
  if (next_ != before) comm_.progress();
}

void PieceSender::finish() {
  ready(mine_.size());
  if (late_) send(0);
  comm_.finish();
}

void PieceSender::send(uint64_t piece) {
  const uint64_t at = piece * piece_;
  comm_.start(mine_.subspan(at, std::min(piece_, mine_.size() - at)), all_.data() + at, mine_.size());
}

}  // namespace mlq::gather
