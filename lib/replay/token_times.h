// When the tokens of one answer came.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/records/load.h"

namespace mlq::replay {

// Reused from one answer to the next. Not thread-safe. Memory: the first kKept gaps are kept.
class TokenTimes {
 public:
  static constexpr size_t kKept = size_t{1} << 20;

  void begin();
  // A token event that came in the read number `read`, at `now_ns`; neither ever goes back.
  void add(int64_t now_ns, uint64_t read);
  uint32_t events() const { return events_; }
  // Between each event and the one before, in ns; 0 for what came in one read.
  std::span<const uint64_t> gaps() const { return gaps_; }
  // Fills in events, coalesced, stalls, tok1_ns, tok_last_ns, ttft_ns, ttft_send_ns and the itl fields, as
  // far as there are tokens; itl_ns with at most 4,096 of them if `keep_gaps`. Quantiles are nearest ranks.
  // Where more than half of the events came together with the one before, the median gap is 0 and no gap can
  // be called a stall.
  void describe(double stall_factor, bool keep_gaps, records::Result& result);

 private:
  void describe_gaps(double stall_factor, records::Result& result);

  uint32_t events_ = 0;
  uint32_t coalesced_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  uint64_t last_read_ = 0;
  std::vector<uint64_t> gaps_;
  std::vector<uint64_t> scratch_;
};

}  // namespace mlq::replay
