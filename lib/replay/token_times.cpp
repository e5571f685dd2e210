#include "lib/replay/token_times.h"

#include <algorithm>

#include "lib/stats/quantile.h"

namespace mlq::replay {
namespace {

constexpr size_t kWritten = 4'096;

// The value of rank ceil(q n); reorders `values`.
int64_t select(std::vector<uint64_t>& values, const Ratio& q) {
  const auto at = values.begin() + static_cast<ptrdiff_t>(stats::nearest_rank(q, values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return static_cast<int64_t>(*at);
}

}  // namespace

void TokenTimes::begin() {
  events_ = coalesced_ = 0;
  gaps_.clear();
}

void TokenTimes::add(int64_t now_ns, uint64_t read) {
  if (events_++ == 0) {
    first_ns_ = now_ns;
  } else {
    coalesced_ += read == last_read_;
    if (gaps_.size() < kKept) gaps_.push_back(static_cast<uint64_t>(std::max<int64_t>(0, now_ns - last_ns_)));
  }
  last_ns_ = now_ns;
  last_read_ = read;
}

void TokenTimes::describe(double stall_factor, bool keep_gaps, records::Result& result) {
  result.events = events_;
  result.coalesced = coalesced_;
  if (events_ == 0) return;
  result.tok1_ns = first_ns_;
  result.tok_last_ns = last_ns_;
  result.ttft_ns = first_ns_ - result.due_ns;
  if (result.send_ns) result.ttft_send_ns = first_ns_ - *result.send_ns;
  if (gaps_.empty()) return;
  describe_gaps(stall_factor, result);
  if (keep_gaps) {
    const auto end = gaps_.begin() + static_cast<ptrdiff_t>(std::min(gaps_.size(), kWritten));
    result.itl_ns.emplace(gaps_.begin(), end);
  }
}

void TokenTimes::describe_gaps(double stall_factor, records::Result& result) {
  scratch_ = gaps_;
  const int64_t median = select(scratch_, {1, 2});
  result.itl_p50_ns = median;
  result.itl_p99_ns = select(scratch_, {99, 100});
  result.itl_max_ns = static_cast<int64_t>(*std::max_element(gaps_.begin(), gaps_.end()));
  if (median == 0) return;
  const double limit = stall_factor * static_cast<double>(median);
  result.stalls = static_cast<uint32_t>(std::count_if(
      gaps_.begin(), gaps_.end(), [&](uint64_t gap) { return static_cast<double>(gap) > limit; }));
}

}  // namespace mlq::replay
