#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/simigrad/emit/dialects.h"

namespace mlq::simigrad::dialect {
namespace {

// Token counts pass through a float in the consumer.
constexpr uint64_t kExactIntegers = uint64_t{1} << 53;

}  // namespace

records::Emission megatron(Segments segments, const EmitOptions& options) {
  if (!options.seq_length)
    throw usage_error("--emit megatron: needs --seq-length; its schedule counts tokens");
  check_multiples("megatron", segments, granule("megatron", options));
  records::Emission e;
  e.dialect = "megatron";
  e.for_version = "Megatron-LM core_v0.18.0 or later";
  std::string schedule;
  uint64_t last = 0;
  for (const records::ScheduleSegment& s : segments) {
    const uint64_t tokens = s.from_samples * *options.seq_length;
    if (s.from_samples >= kExactIntegers / *options.seq_length)
      throw Error(ExitKind::answer_no,
                  fmt::format("megatron: sample {} is 2^53 tokens or more, which it cannot "
                              "hold exactly",
                              s.from_samples));
    if (!schedule.empty() && tokens <= last)
      throw Error(ExitKind::answer_no,
                  fmt::format("megatron: token thresholds must rise; {} comes after {}", tokens, last));
    schedule += fmt::format("{}{}:{}", schedule.empty() ? "" : " ", tokens, s.batch_samples);
    last = tokens;
  }
  e.text = fmt::format("--step-batch-size-schedule \"{}\"\n", schedule);
  e.note = "drop --global-batch-size, --rampup-batch-size and --decrease-batch-size-if-needed beside it";
  return e;
}

}  // namespace mlq::simigrad::dialect
