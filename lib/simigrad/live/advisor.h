// The live protocol as a state machine: a request line in, a reply line out.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib/jsonl/object.h"
#include "lib/simigrad/control/steering.h"

namespace mlq::simigrad {

constexpr uint64_t kProtocol = 1;
constexpr size_t kLongestRequest = size_t{1} << 20;
// Replies that are kept to be given again.
constexpr size_t kKeptReplies = 1024;

// Requests are hello and gram, a JSON object a line; run, end and the records that stand beside gram in
// streams are passed over. (incarnation, step) that was answered gets the same bytes again; an older one is
// stale. A hello with a higher incarnation makes the steps after its resume_step void, a gram with one those
// from its own step on. What is refused changes nothing. No clock, no random number: the same requests give
// the same bytes. Not thread-safe.
class Advisor {
 public:
  // `batch`: what a run begins with, whatever the trainer says.
  Advisor(const ControlOptions& options, std::optional<uint64_t> batch);

  struct Reply {
    std::string line;      // with its line end; empty if there is nothing to reply
    bool changed = false;  // the state changed: request and reply belong into the journal
    bool refused = false;  // the request was malformed
    bool ends = false;     // another protocol: the run is over
  };
  Reply answer(std::string_view request);
  // To a line longer than kLongestRequest.
  Reply answer_too_long();

  uint64_t decisions() const { return decisions_; }
  const Steering& steering() const { return steering_; }

 private:
  struct Stored {
    uint64_t incarnation;
    uint64_t step;
    std::string line;
  };
  Reply hello();
  Reply gram();
  Reply fault(std::string_view code, const std::string& message);
  template <class T>
  std::optional<Reply> read(T& record);
  const Stored* stored(uint64_t incarnation, uint64_t step) const;

  Steering steering_;
  std::optional<uint64_t> batch_;
  jsonl::ObjectParser parser_;
  bool parsed_ = false;
  uint64_t incarnation_ = 0;
  uint64_t decisions_ = 0;
  std::deque<Stored> replies_;  // (incarnation, step) rising
};

}  // namespace mlq::simigrad
