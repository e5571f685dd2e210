// Schedules in the syntax of trainers. Each dialect checks the rules of its consumer before it writes a byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/records/simigrad.h"

namespace mlq::simigrad {

struct EmitOptions {
  std::optional<uint64_t> seq_length;     // tokens a sample
  std::optional<uint64_t> epoch_samples;  // samples an epoch
  std::optional<uint64_t> micro, workers;
};

// `segments`: one or more, from step and sample 0 on, rising. A usage Error for an option that the dialect
// needs; an Error of kind answer_no, with the rule that is broken, where the dialect cannot express the
// schedule.
//
//   megatron   --step-batch-size-schedule of Megatron-LM core_v0.18.0 on (pull request 4411): TOKENS:BATCH by
//              spaces; first 0, rising, below 2^53 since they pass through a float, and each a whole number
//              of samples; batches divisible by micro-batch x workers
//   deepspeed  a Python list of (global step, train batch) and a function for set_train_batch_size, which
//   refuses
//              what micro-batch x workers does not divide
//   lightning  GradientAccumulationScheduler(scheduling={epoch: factor}): zero-based int epochs, key 0 there,
//   int
//              factors from 1; starts are rounded to whole epochs, and the note says by how much
//   csv        from_step,from_samples,from_tokens,batch_samples,micro_samples,accum,lr_scale
//   jsonl      the records
records::Emission emit(std::string_view dialect, std::span<const records::ScheduleSegment> segments,
                       const records::BatchSchedule& schedule, const EmitOptions& options);

// The names above.
std::span<const std::string_view> dialects();

}  // namespace mlq::simigrad
