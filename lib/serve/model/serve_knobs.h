// The knobs of mlq-model.
#pragma once

#include <cstdint>

#include "lib/serve/control/knobs.h"
#include "lib/serve/model/load.h"
#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// What may be wrong with an answer; a coin for each is drawn for each request (reply_faults.h).
struct ReplyFaults {
  double error_share = 0;
  double wrong_rows_share = 0;
  double drop_output_share = 0;
  double swap_outputs_share = 0;
  double nan_share = 0;
  double trickle_share = 0;
  int64_t trickle_ns = 0;
  double reset_share = 0;
};

struct ServeKnobs : SleepOptions, ReplyFaults {
  uint32_t instances = 1;
  uint32_t intra_threads = 1;
  uint32_t max_rows = 64;
  int64_t delay_ns = 0;
  uint32_t queue_rows = 4096;
};

// One for each kind of back end: `sleep` has its times and faults beside what all have. `cores` bounds the
// threads. Built at each call.
KnobTable<ServeKnobs> serve_knob_table(Backend backend, unsigned cores);

}  // namespace mlq::serve::model
