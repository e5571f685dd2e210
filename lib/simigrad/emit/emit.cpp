#include "lib/simigrad/emit/emit.h"

#include <fmt/format.h>

#include <array>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/emit/dialects.h"

namespace mlq::simigrad {

namespace dialect {

uint64_t granule(std::string_view dialect, const EmitOptions& options) {
  if (!options.micro || !options.workers)
    throw usage_error("--emit {}: needs --micro and --dp; the trainer counts in micro-batches of its workers",
                      dialect);
  return *options.micro * *options.workers;
}

void check_multiples(std::string_view dialect, Segments segments, uint64_t granule) {
  for (const records::ScheduleSegment& s : segments)
    if (s.batch_samples % granule != 0)
      throw Error(ExitKind::answer_no,
                  fmt::format("{}: batch {} from step {} is no multiple of micro-batch x workers, {}",
                              dialect, s.batch_samples, s.from_step, granule));
}

records::Emission jsonl(Segments segments, const records::BatchSchedule& schedule) {
  jsonl::Buffer text;
  for (const records::ScheduleSegment& s : segments) records::write_record(text, s);
  records::write_record(text, schedule);
  records::Emission e;
  e.dialect = "jsonl";
  e.for_version = "mlq-records(5)";
  e.text = text.view();
  return e;
}

records::Emission csv(Segments segments, const EmitOptions& options) {
  records::Emission e;
  e.dialect = "csv";
  e.for_version = "RFC 4180";
  e.text = "from_step,from_samples,from_tokens,batch_samples,micro_samples,accum,lr_scale\n";
  const auto cell = [](const std::optional<uint64_t>& value) {
    return value ? fmt::format("{}", *value) : "";
  };
  for (const records::ScheduleSegment& s : segments) {
    const auto tokens =
        options.seq_length ? std::optional(s.from_samples * *options.seq_length) : std::nullopt;
    e.text += fmt::format("{},{},{},{},{},{},{}\n", s.from_step, s.from_samples, cell(tokens),
                          s.batch_samples, cell(s.micro_samples), cell(s.accum), s.lr_scale);
  }
  return e;
}

}  // namespace dialect

std::span<const std::string_view> dialects() {
  static constexpr std::array<std::string_view, 5> kNames = {"jsonl", "megatron", "deepspeed", "lightning",
                                                             "csv"};
  return kNames;
}

records::Emission emit(std::string_view name, std::span<const records::ScheduleSegment> segments,
                       const records::BatchSchedule& schedule, const EmitOptions& options) {
  if (name == "megatron") return dialect::megatron(segments, options);
  if (name == "deepspeed") return dialect::deepspeed(segments, options);
  if (name == "lightning") return dialect::lightning(segments, options);
  if (name == "csv") return dialect::csv(segments, options);
  if (name == "jsonl") return dialect::jsonl(segments, schedule);
  throw usage_error("--emit: \"{}\" is none of {}", name, fmt::join(dialects(), ", "));
}

}  // namespace mlq::simigrad
