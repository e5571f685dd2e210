// A second opinion on bent rates: Poisson arrivals by thinning (Lewis and Shedler, "Simulation of
// nonhomogeneous Poisson processes by thinning", Naval Research Logistics 26, 1979). Shares nothing with
// lib/arrival, not even its random numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace mlq::test {

// Arrival times in seconds in [0, end) of the rate `rate`, which is nowhere above `most`.
inline std::vector<double> thinned(const std::function<double(double)>& rate, double most, double end,
                                   uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap(most);
  std::uniform_real_distribution<double> coin(0, most);
  std::vector<double> times;
  for (double t = gap(random); t < end; t += gap(random)) {
    if (coin(random) < rate(t)) times.push_back(t);
  }
  return times;
}

}  // namespace mlq::test
