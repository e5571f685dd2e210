// An Input whose bytes come in pieces of a chosen size.
#pragma once

#include <string>
#include <string_view>
#include <thread>

#include "lib/base/io.h"

namespace mlq::test {

// Bytes from a pipe into which a thread writes `piece` bytes at a time. Keep it until the input has
// ended.
class PipedInput {
 public:
  PipedInput(std::string bytes, size_t piece);
  ~PipedInput();
  Input open(const StopFlag* stop = nullptr) const;

 private:
  int reader_ = -1;
  std::jthread writer_;
};

}  // namespace mlq::test
