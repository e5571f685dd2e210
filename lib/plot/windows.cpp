#include "lib/plot/windows.h"

#include <array>

namespace mlq::plot {

int64_t wider_window(int64_t width_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr std::array<int64_t, 13> kSteps = {
      kSecond,          2 * kSecond,      10 * kSecond,     60 * kSecond,    120 * kSecond,
      600 * kSecond,    1'800 * kSecond,  3'600 * kSecond,  7'200 * kSecond, 21'600 * kSecond,
      43'200 * kSecond, 86'400 * kSecond, 172'800 * kSecond};
  if (width_ns < kSecond) {
    int64_t power = kNarrowestWindow;
    while (power * 10 <= width_ns) power *= 10;
    return width_ns == power ? 2 * power : 10 * power;
  }
  for (const int64_t step : kSteps) {
    if (step > width_ns) return step;
  }
  return width_ns > (int64_t{1} << 62) / 10 ? width_ns : width_ns * 10;
}

}  // namespace mlq::plot
