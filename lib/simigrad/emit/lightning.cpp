#include <fmt/format.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/simigrad/emit/dialects.h"

namespace mlq::simigrad::dialect {

records::Emission lightning(Segments segments, const EmitOptions& options) {
  if (!options.epoch_samples)
    throw usage_error("--emit lightning: needs --epoch-samples; its schedule counts epochs");
  const uint64_t unit = granule("lightning", options);
  check_multiples("lightning", segments, unit);
  const uint64_t epoch = *options.epoch_samples;
  std::vector<std::pair<uint64_t, uint64_t>> factors;  // epoch, factor
  uint64_t shift = 0;
  for (const records::ScheduleSegment& s : segments) {
    const uint64_t at = s.from_samples / epoch + (s.from_samples % epoch >= (epoch + 1) / 2 ? 1 : 0);
    const uint64_t start = at * epoch;
    shift = std::max(shift, start > s.from_samples ? start - s.from_samples : s.from_samples - start);
    if (!factors.empty() && factors.back().first == at) factors.pop_back();
    factors.emplace_back(at, s.batch_samples / unit);
  }
  records::Emission e;
  e.dialect = "lightning";
  e.for_version = "PyTorch Lightning 2.x";
  std::string keys;
  for (const auto& [at, factor] : factors)
    keys += fmt::format("{}{}: {}", keys.empty() ? "" : ", ", at, factor);
  e.text = fmt::format("GradientAccumulationScheduler(scheduling={{{}}})\n", keys);
  e.note = fmt::format("{} segments became {}; starts were rounded to epochs of {} samples, by {} at most",
                       segments.size(), factors.size(), epoch, shift);
  return e;
}

}  // namespace mlq::simigrad::dialect
