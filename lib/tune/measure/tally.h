// What a window's requests come to: the figures of records::WindowStats, with what they are worth.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/stats/sum.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

// What became of one request.
struct Sample {
  enum class Kind : uint8_t {
    ok,
    error,      // answered, or failed, in another way: counted, and not good; no latency
    censored,   // given up: latency_ns is a lower bound
    dropped,    // not sent; nothing is known of its latency
    pending,    // in flight still, for latency_ns so far
    discarded,  // another generation served it
  };
  int64_t due_ns = 0;
  int64_t latency_ns = 0;
  Kind kind = Kind::pending;
  bool good = false;
};

// The length of a window, and how long afterwards the last answer came: rates of answers refer to both.
struct Extent {
  int64_t window_ns = 0;
  int64_t drain_ns = 0;
};

// Fills in the counts, latencies, rates, shares and their intervals, y_var, stat_ns, judged, over,
// correlation, inflight, inflight_mean, offered rate and cv2, from the requests that were due in the window,
// in order of their due times.
//   Latencies are of the requests with outcome ok; those that were given up are known to be longer than their
//   bounds (stats::CensoredSample). Where that leaves the mean or a quantile unknown it is absent, a note
//   says so, and stat_ns is a lower bound. y_var: the variance of ln of the objective's statistic over 10
//   consecutive batches, by 10; absent for fewer than 20 latencies. stat_lo_ns, stat_hi_ns: Student's
//   interval from it. A request in flight is judged once it has missed a limit of its latency.
// Of more than `most` requests, statistics are taken from every n-th, counts from all.
void tally(std::span<const Sample> samples, const Extent& extent, const Objective& objective, Window& out,
           size_t most = SIZE_MAX);

// The least-squares slope, a second, of values seen at equal steps.
double slope_per_s(std::span<const double> values, int64_t step_ns);

// Squared coefficient of variation of the n - 1 gaps between n times; 0 of fewer than three.
template <class TimeOf>
double gap_cv2(TimeOf&& time_of, uint64_t n) {
  if (n < 3) return 0;
  const auto gaps = static_cast<double>(n - 1);
  const double mean = static_cast<double>(time_of(n - 1) - time_of(0)) / gaps;
  if (mean <= 0) return 0;
  stats::Sum squares;
  for (uint64_t k = 1; k < n; ++k) {
    const double gap = static_cast<double>(time_of(k) - time_of(k - 1)) - mean;
    squares += gap * gap;
  }
  return squares.value() / (gaps - 1) / (mean * mean);
}

}  // namespace mlq::tune
