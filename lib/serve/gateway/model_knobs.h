// The knobs of a model of mlq-serve.
#pragma once

#include <cstdint>

#include "lib/serve/control/knobs.h"
#include "lib/serve/schedule/knobs.h"

namespace mlq::serve {

enum class CachePolicy : uint8_t { clock, s3fifo };

struct ModelKnobs : SchedulerKnobs {
  uint64_t cache_bytes = 0;  // 0: no cache
  CachePolicy cache_policy = CachePolicy::clock;
  int64_t cache_ttl_ns = 60'000'000'000;
  bool coalesce = false;   // equal requests in flight share one upstream call
  uint32_t retry_max = 1;  // upstream calls more that a request may be part of
  int64_t upstream_timeout_ns = 30'000'000'000;
  uint32_t default_status = 200;  // of an answer that is the default output

  bool operator==(const ModelKnobs&) const = default;
};

// One for the process; built at the first call.
const KnobTable<ModelKnobs>& model_knob_table();
const KnobRows& model_knob_rows();

}  // namespace mlq::serve
