// Windows of the traffic as others have recorded it: JSON Lines of requests, or of windows, on standard input
// or in a file that grows.
//
// Taken are `result` (mlq-replay) and `request` (mlq-serve) records, lines without a type that have t_ns,
// latency_ns and, if they like, ok (true) and gen; and, in a stream that has none of these, `load_window` and
// `serve_window` records. Other types are passed over. Time is the stream's own: a request counts in the
// window in which its answer came, t_ns + latency_ns, so no window waits for what is late.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/jsonl/object.h"
#include "lib/tune/measure/exposition.h"
#include "lib/tune/measure/line_queue.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"
#include "lib/tune/measure/tally.h"

namespace mlq::tune {

struct RecordOptions {
  std::string where;                    // the stream's name, for messages
  MetricLabels labels;                  // members that a record must have with this value: {"model":"digits"}
  int64_t silence_ns = 60'000'000'000;  // how long no line may come; then the window is void
};

// What one line says.
struct RecordLine {
  enum class Kind { none, bad, request, window } kind = Kind::none;
  int64_t done_ns = 0;  // of the stream: when the answer came; of a window, when it ended
  Sample sample;        // due_ns in the stream's time
  Window window;        // counts, rates, latencies; window_ns; y_var is not known
  std::string gen;      // empty: it does not say
};

// Pure; never throws. `parser` is scratch.
RecordLine read_record_line(std::string_view line, const Objective& objective, const MetricLabels& labels,
                            jsonl::ObjectParser& parser);

// Lines that cannot be read are passed over and counted; an input Error once they are more than 1 % of at
// least 100 (at the end of the stream, of all). One thread beside the reader's.
class RecordSource final : public WindowSource {
 public:
  RecordSource(RecordOptions options, Objective objective, std::unique_ptr<Lines> lines);

  Window measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) override;

 private:
  struct Running;
  void count_bad(std::string_view line);
  void check_bad(uint64_t least) const;

  RecordOptions options_;
  Objective objective_;
  std::unique_ptr<Lines> lines_;
  jsonl::ObjectParser parser_;
  int64_t now_ns_ = 0;  // of the stream: the latest that was seen
  bool started_ = false;
  bool has_requests_ = false;
  uint64_t seen_ = 0, bad_ = 0;
  std::string first_bad_;
};

}  // namespace mlq::tune
