#include "lib/simigrad/control/published.h"

#include <algorithm>
#include <cmath>

namespace mlq::simigrad {

uint64_t published_step(uint64_t batch, double cos, double target, double gain) {
  if (!std::isfinite(cos) || cos == target) return batch;
  const bool exact = gain == 0.1;
  const auto times = [&](double factor) {
    return static_cast<uint64_t>(std::floor(static_cast<double>(batch) * factor));
  };
  if (cos < target) return std::max(batch + 1, exact ? 11 * batch / 10 : times(1 + gain));
  return std::max<uint64_t>(1, std::min(batch - 1, exact ? 9 * batch / 10 : times(1 - gain)));
}

Realised published_realisation(uint64_t wanted, uint64_t present, uint64_t workers, uint64_t micro,
                               std::optional<uint64_t> max_micro) {
  Realised next{micro, 1};
  const bool grows = wanted > present;
  if (grows && max_micro) next.micro = std::min(std::max<uint64_t>(1, wanted / workers), *max_micro);
  next.accum = std::max<uint64_t>(1, wanted / workers / next.micro);
  if (grows && next.batch(workers) <= present) ++next.accum;
  return next;
}

}  // namespace mlq::simigrad
