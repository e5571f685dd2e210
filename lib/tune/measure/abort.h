// When a window has been seen enough of: rules that are asked at every look, and say why it should end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

struct AbortRules {
  bool unstable = true;
  std::optional<double> hopeless_above;   // y that makes a trial not worth its time: the incumbent's + 0.3
  std::optional<double> most_error_rate;  // with it, the rules of the guard hold
  std::optional<int64_t> deadline_ns;     // of the window
};

// One window's watch. Pure; not thread-safe.
//   unstable: the number in flight rises, by a Student test of its increments from look to look at 1 % (it is
//     a random walk when the server is behind, whose residuals from a line would not be independent), and
//     less than 97 % of what was due is done.
//   hopeless: y surely lies above the limit: its lower bound, by Student's t over the 10 batches that y_var
//     comes from. The error of look k is 0.02 * 6 / (pi^2 k^2), so that of all looks together is 2 %. Of
//     objectives other than latency nothing is known before the end.
//   guard: the share of requests that are not good surely is over twice what is allowed, or the share of
//     errors over most_error_rate (confidence sequences at 99 %, on effective sample sizes: stats/anytime.h),
//     or the number in flight rose at every look for 3 s, doubled, and took a tenth of what came meanwhile.
class AbortWatch {
 public:
  AbortWatch(const AbortRules& rules, const Objective& objective);

  // The word for `aborted`, if the window should end.
  std::optional<std::string> look(const Window& so_far);

 private:
  bool unstable(const Window& so_far);
  bool hopeless(const Window& so_far);
  bool guard(const Window& so_far);
  bool grows(const Window& so_far);

  AbortRules rules_;
  bool is_latency_;
  std::optional<double> allowed_;
  std::optional<double> last_;  // in flight
  std::vector<double> increments_;
  uint64_t tests_ = 0;           // of hopeless
  double rising_from_ = 0;       // in flight, and when,
  uint64_t rising_due_ = 0;      //   due by then,
  int64_t rising_since_ns_ = 0;  //   where it began to rise
};

}  // namespace mlq::tune
