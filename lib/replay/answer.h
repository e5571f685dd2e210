// One answer, read as it comes: status, token events of a stream, usage, and whether it is what the API calls
// an answer. Metrics as in mlq-records(5), `result`; TTFT and TPOT as MLPerf Inference v5 defines them, from
// the due time and, beside it, from the send.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/records/load.h"
#include "lib/replay/outcome.h"

namespace mlq::replay {

// What makes an answer a good one.
enum class Check {
  none,    // any whole answer
  status,  // a status of 2xx
  json,    // and the member that the API's answers have
};

struct AnswerRules {
  Check check = Check::json;
  std::string member;       // of a JSON answer: "outputs", "predictions", "choices"; empty: any 2xx is ok
  bool tokens = false;      // usage and choices are read; a text/event-stream is read as token events
  double stall_factor = 5;  // a gap over this many medians is a stall
  bool keep_gaps = false;   // result.itl_ns is filled (at most 4,096)
  std::string gen_header = "x-mlq-gen";  // what result.gen is taken from
};

// Reused from one request to the next. Not thread-safe; movable. Memory: at most 1 MiB of a body is kept, at
// most 1 MiB of an event of a stream, and a million gaps; the rest is counted. Of a larger answer only the
// first byte that is no space is checked ('{'), and the note says so.
class Answer {
 public:
  explicit Answer(const AnswerRules& rules);
  Answer(Answer&&) noexcept;
  Answer& operator=(Answer&&) noexcept;
  ~Answer();

  void begin();
  // A header line as it came, with or without its line end; the status line of the final answer is one of
  // them and starts anew (interim 1xx answers are forgotten).
  void header(std::string_view line);
  // A piece of the body, read at `now_ns`. Its events share that stamp. Returns false when nothing useful can
  // come any more (a line of a stream over the limit): the transfer is to be ended, and finish() then says
  // `protocol`.
  bool body(std::string_view piece, int64_t now_ns);
  // After the last byte of a transfer that the transport calls whole. `result` has due_ns, send_ns and
  // latency_ns; status, tokens, events, retry_after_ns (of a Retry-After in seconds), gen, cache, down_bytes,
  // note, norm_latency_ns and the streaming metrics are filled in; tpot_ns needs two token events. Returns
  // the outcome (not yet written to the result): `truncated` is also a token stream that ends without [DONE]
  // or a finish_reason.
  Outcome finish(records::Result& result);
  // As finish, for a transfer that was cut off: fills in what is known (status, down_bytes, tokens so far and
  // their metrics).
  void partial(records::Result& result);
  // The gaps between the token events of this answer, in ns, valid until begin().
  std::span<const uint64_t> gaps() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlq::replay
