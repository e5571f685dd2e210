// The faults of a request's answer.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/serve/model/serve_knobs.h"
#include "lib/serve/protocol/values.h"

namespace mlq::serve::model {

struct FaultDraws {
  bool error = false;
  bool wrong_rows = false;
  bool drop_output = false;
  bool swap_outputs = false;
  bool nan = false;
  bool trickle = false;
  bool reset = false;
};

// Pure; keyed by seed and the request's number, a draw of its own for each fault.
FaultDraws draw_faults(const ReplyFaults& shares, uint64_t seed, uint64_t request);

// Puts what was drawn for the outputs of one request into them, and the order and number of outputs that it
// asks for. `values` holds the last output's while it differs from the model's.
void spoil(const FaultDraws& draws, std::vector<OutputValues>& outputs, ParsedRequest& request,
           std::vector<double>& values);

}  // namespace mlq::serve::model
