// Requests from a stream, answered one by one.
#pragma once

#include <functional>

#include "lib/base/io.h"
#include "lib/simigrad/live/advisor.h"
#include "lib/simigrad/live/state_file.h"

namespace mlq::simigrad {

struct Served {
  uint64_t replies = 0;
  bool refused = false;      // a request was malformed
  bool ended = false;        // by another protocol's hello
  bool interrupted = false;  // by a stop request
};

// Answers until the input ends. Each reply goes to `reply`, with its line end, before the next line is read;
// with a state file what changed the state is in it first. Lines over kLongestRequest are skipped in constant
// memory.
Served serve(Input input, Advisor& advisor, StateFile* state,
             const std::function<void(std::string_view)>& reply);

}  // namespace mlq::simigrad
