#include "lib/simigrad/control/grid.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mlq::simigrad {
namespace {

// Keeps the two candidates around a number, offered in any order.
class Neighbours {
 public:
  explicit Neighbours(double wanted) : wanted_(wanted) {}
  void offer(uint64_t batch) {
    if (static_cast<double>(batch) <= wanted_) {
      below_ = std::max(below_.value_or(0), batch);
    } else {
      above_ = std::min(above_.value_or(batch), batch);
    }
  }
  std::optional<uint64_t> nearest() const {
    if (!below_ || !above_) return below_ ? below_ : above_;
    return wanted_ * wanted_ >= static_cast<double>(*below_) * static_cast<double>(*above_) ? above_ : below_;
  }

 private:
  double wanted_;
  std::optional<uint64_t> below_, above_;
};

}  // namespace

std::optional<uint64_t> nearest_batch(double wanted, uint64_t present, uint64_t low, uint64_t high,
                                      uint64_t granule, const Ladder& ladder) {
  Neighbours candidates(wanted);
  const auto offer = [&](uint64_t batch) {
    if (batch >= low && batch <= high && batch % granule == 0) candidates.offer(batch);
  };
  switch (ladder.kind) {
    case Ladder::Kind::none: {
      const uint64_t first = (low + granule - 1) / granule;
      const uint64_t last = high / granule;
      if (first > last) break;
      const double steps = std::floor(wanted / static_cast<double>(granule));
      const uint64_t at = steps < static_cast<double>(first)   ? first
                          : steps >= static_cast<double>(last) ? last
                                                               : static_cast<uint64_t>(steps);
      candidates.offer(at * granule);
      if (at < last) candidates.offer((at + 1) * granule);
      break;
    }
    case Ladder::Kind::pow2:
      for (uint64_t batch = granule; batch <= high; batch *= 2) {
        offer(batch);
        if (batch > high / 2) break;
      }
      break;
    case Ladder::Kind::integer_factor: {
      // Of the multiples only those around the number can be nearest, and the first and last that are
      // permitted.
      const uint64_t times = granule / std::gcd(present, granule);
      const uint64_t unit = times <= high / present ? present * times : 0;
      if (unit > 0) {
        const double factor = std::floor(wanted / static_cast<double>(unit));
        const uint64_t most = high / unit;
        const uint64_t least = std::max<uint64_t>((low + unit - 1) / unit, 1);
        const uint64_t at = factor >= static_cast<double>(most) ? most
                            : factor < 1                        ? 1
                                                                : static_cast<uint64_t>(factor);
        for (const uint64_t f : {least, at, at + 1, most})
          if (f <= most) offer(unit * f);
      }
      for (uint64_t f = 1; f <= present / f; ++f) {
        if (present % f != 0) continue;
        offer(f);
        offer(present / f);
      }
      break;
    }
    case Ladder::Kind::list:
      for (const uint64_t batch : ladder.batches) offer(batch);
      break;
  }
  return candidates.nearest();
}

}  // namespace mlq::simigrad
