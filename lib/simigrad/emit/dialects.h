// One function a dialect; see emit.h.
#pragma once

#include "lib/simigrad/emit/emit.h"

namespace mlq::simigrad::dialect {

using Segments = std::span<const records::ScheduleSegment>;

records::Emission megatron(Segments segments, const EmitOptions& options);
records::Emission deepspeed(Segments segments, const EmitOptions& options);
records::Emission lightning(Segments segments, const EmitOptions& options);
records::Emission csv(Segments segments, const EmitOptions& options);
records::Emission jsonl(Segments segments, const records::BatchSchedule& schedule);

// Micro-batch x workers, by which a trainer counts. A usage Error, for `dialect`, if it was not said.
uint64_t granule(std::string_view dialect, const EmitOptions& options);
// Throws unless every batch is a multiple of that.
void check_multiples(std::string_view dialect, Segments segments, uint64_t granule);

}  // namespace mlq::simigrad::dialect
