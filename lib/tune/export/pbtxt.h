// A configuration in the words of Triton's config.pbtxt.
#pragma once

#include <string>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// max_batch_size (or max_rows), instance_count (or instances), max_queue_delay_microseconds (or delay_us) and
// preferred_batch_size (or preferred) go where Triton has them, every other knob into `parameters`. Without
// batching (max_batch_size 0) there is no dynamic_batching. An input Error if one of the first is no whole
// number.
std::string pbtxt_text(const Config& config);

}  // namespace mlq::tune
