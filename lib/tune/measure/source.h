// Where measured windows come from: our own load, Prometheus, records, a simulated server. One call a window.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/records/tune.h"

namespace mlq::tune {

struct WindowPlan {
  int64_t settle_ns = 0;             // sent but not counted
  std::optional<int64_t> length_ns;  // --window TIME
  std::optional<uint64_t> requests;  // --window N
  uint64_t enough = 200;             // auto: completed requests,
  int64_t least_ns = 3'000'000'000;  //   at least so long,
  int64_t most_ns = 60'000'000'000;  //   at most so long
  std::string gen;                   // samples of other generations are dropped; empty: all count
};

// A measured window. records::WindowStats has the figures; y, cost and feasible are filled in by the caller
// (Objective), but y_var is the source's: 10 batch means of ln of the objective's statistic.
struct Window : records::WindowStats {
  std::optional<double> rate_per_s;  // offered
  std::optional<double> cv2;         // of the gaps
  std::string segment;               // of the trace, where it names segments
  bool valid = true;                 // false: the window says nothing of the server; `note` says why
  bool ended = false;                // the source has nothing more (a stream of records that ended)
  std::optional<double> stat_ns;     // the objective's statistic, or
  bool stat_is_bound = false;        //   a lower bound of it: too many requests went unanswered
  double inflight_mean = 0;
  std::optional<uint64_t> inflight;  // of a window so far: due and not answered yet
  uint64_t judged = 0;               // requests of which it is known whether they are good,
  uint64_t over = 0;                 //   and of these those that are not
  double correlation = 1;  // so many of them tell as much as one independent one (autocorrelation time)
};

// Asked every half second of a running window, from the thread that called measure().
struct WindowWatch {
  // A word (unstable, hopeless, guard, deadline) ends the window: it comes back with `aborted` set to it and
  // outcome "aborted".
  std::function<std::optional<std::string>(const Window& so_far)> look;
};

class WindowSource {
 public:
  virtual ~WindowSource() = default;
  // Blocks. A stop request ends the window: aborted "signal". Errors: environment if the load cannot be sent
  // at all or the metrics cannot be read; input if what is read is wrong.
  virtual Window measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) = 0;
  // What the next window will be offered, where that is known before it is measured (a trace of our own).
  struct Upcoming {
    double rate_per_s = 0;
    double cv2 = 0;
    std::string segment;
  };
  virtual std::optional<Upcoming> upcoming(const WindowPlan& plan) {
    static_cast<void>(plan);
    return std::nullopt;
  }
  // Waits until nothing of an earlier window is in flight, at most `timeout_ns`.
  virtual void quiesce(int64_t timeout_ns) { static_cast<void>(timeout_ns); }
};

}  // namespace mlq::tune
