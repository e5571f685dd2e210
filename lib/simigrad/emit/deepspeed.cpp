#include <fmt/format.h>

#include "lib/simigrad/emit/dialects.h"

namespace mlq::simigrad::dialect {

records::Emission deepspeed(Segments segments, const EmitOptions& options) {
  check_multiples("deepspeed", segments, granule("deepspeed", options));
  records::Emission e;
  e.dialect = "deepspeed";
  e.for_version = "DeepSpeed engine with set_train_batch_size";
  std::string list;
  for (const records::ScheduleSegment& s : segments)
    list += fmt::format("{}({}, {})", list.empty() ? "" : ", ", s.from_step, s.batch_samples);
  e.text = fmt::format(
      "MLQ_BATCH = [{}]\n"
      "def mlq_set_batch(engine):\n"
      "    batch = [b for step, b in MLQ_BATCH if step <= engine.global_steps][-1]\n"
      "    if engine.is_gradient_accumulation_boundary() and batch != engine.train_batch_size():\n"
      "        engine.set_train_batch_size(batch)\n",
      list);
  e.note = "call mlq_set_batch(engine) after each engine.step(); it changes the accumulation alone";
  return e;
}

}  // namespace mlq::simigrad::dialect
