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

// Measures the gradients that a dump record names. Errors: those of reading.
using DumpReader = std::function<records::Gram(const records::Dump&)>;

// Requests are hello, gram and dump, a JSON object a line; run, end and the records that stand beside gram in
// streams are passed over. A dump is measured and counts as the gram record that comes of it, also in the
// journal. (incarnation, step) that was answered gets the same bytes again; an older one is stale. A hello
// with a higher incarnation makes the steps after its resume_step void, a gram with one those from its own
// step on. What is refused changes nothing. No clock, no random number: the same requests give the same
// bytes. Not thread-safe.
class Advisor {
 public:
  // `batch`: what a run begins with, whatever the trainer says. Without a reader dumps are unreadable.
  Advisor(const ControlOptions& options, std::optional<uint64_t> batch, DumpReader reader = {});

  struct Reply {
    std::string line;      // with its line end; empty if there is nothing to reply
    std::string request;   // that is to be journalled in place of the one that came; empty: that one
    bool changed = false;  // the state changed: request and reply belong into the journal
    bool refused = false;  // the request was malformed
    bool ends = false;     // another protocol: the run is over
  };
  Reply answer(std::string_view request);
  // The same as the line of a dump request.
  Reply answer(const records::Dump& request);
  // To a line longer than kLongestRequest.
  Reply answer_too_long();

  // The last one answered: incarnation and step.
  std::optional<std::pair<uint64_t, uint64_t>> last_step() const;
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
  Reply dump();
  Reply decide(const records::Gram& request);
  Reply fault(std::string_view code, const std::string& message);
  template <class T>
  std::optional<Reply> read(T& record);
  const Stored* stored(uint64_t incarnation, uint64_t step) const;

  Steering steering_;
  std::optional<uint64_t> batch_;
  DumpReader reader_;
  jsonl::ObjectParser parser_;
  bool parsed_ = false;
  uint64_t incarnation_ = 0;
  uint64_t decisions_ = 0;
  std::deque<Stored> replies_;  // (incarnation, step) rising
};

}  // namespace mlq::simigrad
