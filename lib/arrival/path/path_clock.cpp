#include "lib/arrival/path/path_clock.h"

namespace mlq::arrival {

void PathClock::next_piece() {
  arrivals_ = 0;
  ended_ = !path_.next(piece_);
}

u128 PathClock::mass_at(int64_t t_ns) {
  const u128 t = fixed_ns(t_ns);
  while (!ended_ && piece_.count == 0 && !piece_.endless() && t - start_ >= piece_.length) {
    mass_ += piece_mass(piece_);
    start_ += piece_.length;
    next_piece();
  }
  return ended_ || t <= start_ ? mass_ : mass_ + piece_mass_until(piece_, t - start_);
}

void PathClock::arrived(int64_t t_ns) {
  if (ended_ || piece_.count == 0 || ++arrivals_ < piece_.count) return;
  mass_ = mass_at(t_ns);
  start_ = fixed_ns(t_ns);
  next_piece();
}

}  // namespace mlq::arrival
