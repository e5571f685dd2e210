#include "lib/arrival/import/dequantise.h"

#include <algorithm>

namespace mlq::arrival {
namespace {

__extension__ using Wide = unsigned __int128;

void spread_uniform(int64_t stamp_ns, int64_t width_ns, uint64_t first_index, const RandomStream& random,
                    std::span<int64_t> times, std::vector<double>& scratch) {
  scratch.clear();
  for (size_t j = 0; j < times.size(); ++j) scratch.push_back(random.uniform(first_index + j));
  std::sort(scratch.begin(), scratch.end());
  const auto width = static_cast<double>(width_ns);
  for (size_t j = 0; j < times.size(); ++j) {
    // A width of more than 2^53 ns may round up.
    times[j] = stamp_ns + std::min(static_cast<int64_t>(scratch[j] * width), width_ns - 1);
  }
}

void spread_evenly(int64_t stamp_ns, int64_t width_ns, std::span<int64_t> times) {
  const auto width = static_cast<Wide>(width_ns);
  for (size_t j = 0; j < times.size(); ++j) {
    times[j] = stamp_ns + static_cast<int64_t>((2 * Wide{j} + 1) * width / (2 * Wide{times.size()}));
  }
}

}  // namespace

void spread_ties(Dequantise mode, int64_t stamp_ns, int64_t width_ns, uint64_t first_index,
                 const RandomStream& random, std::span<int64_t> times, std::vector<double>& scratch) {
  if (mode == Dequantise::none || width_ns <= 1) {
    std::fill(times.begin(), times.end(), stamp_ns);
  } else if (mode == Dequantise::uniform) {
    spread_uniform(stamp_ns, width_ns, first_index, random, times, scratch);
  } else {
    spread_evenly(stamp_ns, width_ns, times);
  }
}

}  // namespace mlq::arrival
