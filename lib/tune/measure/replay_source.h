// Windows under our own load: a trace sent open loop, a stretch a window, over connections that stay.
//
// One thread, the caller's: it sends, and looks at the window between sends. Trace time stands still between
// windows. A window ends when the last of its requests has its answer, so nothing is in flight after it but
// what was cancelled.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "lib/replay/shard.h"
#include "lib/replay/template.h"
#include "lib/tune/measure/load_trace.h"
#include "lib/tune/measure/machine.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"
#include "lib/tune/measure/window_plan.h"

namespace mlq::tune {

// What is not the trace, the server or the clock.
struct ReplayLoad {
  replay::ShardOptions sending;       // its SLO, windows and graces are set here
  bool same = false;                  // every window gets the same part of the trace
  std::optional<int64_t> max_lag_ns;  // of the client's own p99; default: see below
  // Of the server that is measured, where it is known: CPU time and memory so far.
  std::function<std::optional<ServerUse>()> server_use;
  std::function<std::optional<double>()> pressure;  // as cpu_pressure()
  std::function<int64_t()> own_cpu_ns;              // of this thread
};

// A window is not valid when the client could not do its part: the words of mlq-replay's verdict. Its lag is
// counted without waits for connections and for the cap on requests in flight, which the server causes; by
// default its p99 may be 1 ms, a quarter of the mean gap or a quarter of the objective's statistic, whichever
// is longest. Requests that wait for the cap, time out or are given up say that the server is slow, and stay
// valid.
//
// `settle`: takes the trace's own time; of a trace of episodes whose windows have no length of their own,
// each window is one whole episode, and what settles is the episode's beginning, sent once more.
class ReplaySource final : public WindowSource, private http::ClientEvents {
 public:
  using MakeEngine = std::function<std::unique_ptr<http::ClientEngine>(http::ClientEvents&)>;

  // `clock` must outlive the source. `form` is prepared.
  ReplaySource(ReplayLoad load, Objective objective, LoadTrace trace, std::unique_ptr<replay::Template> form,
               replay::AnswerRules rules, const Clock& clock, const MakeEngine& make_engine);
  ~ReplaySource() override;

  Window measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) override;
  std::optional<Upcoming> upcoming(const WindowPlan& plan) override;
  // After a window that was cut short: one request is sent, whose answer says that the server has worked
  // through what was before it.
  void quiesce(int64_t timeout_ns) override;

  // The engine, for what is done before the first window.
  http::ClientEngine& engine() { return *engine_; }
  const LoadTrace& trace() const { return trace_; }

 private:
  struct Running;
  struct Planned {
    Stretch stretch;
    std::optional<int64_t> length_ns;  // none: until enough is known
  };
  Planned next_stretch(const WindowPlan& plan) const;
  void move_on(const Planned& planned, const WindowRequests& requests, int64_t elapsed_ns);

  void on_send(uint32_t tag, int64_t now_ns, const http::SendInfo& info) override;
  void on_sent(uint32_t tag, int64_t now_ns) override;
  void on_header(uint32_t tag, std::string_view line, int64_t now_ns) override;
  bool on_body(uint32_t tag, std::string_view piece, int64_t now_ns) override;
  void on_done(uint32_t tag, int64_t now_ns, const http::TransferEnd& end, bool reused) override;

  ReplayLoad load_;
  Objective objective_;
  LoadTrace trace_;
  std::unique_ptr<replay::Template> form_;
  replay::AnswerRules rules_;
  const Clock& clock_;
  std::unique_ptr<http::ClientEngine> engine_;
  http::ClientEvents* events_ = nullptr;  // of the window that runs
  uint64_t next_ = 0;                     // the arrival that the next window begins with,
  int64_t origin_ns_ = 0;                 //   and the trace time
  bool cut_short_ = false;                // the last window left requests at the server
};

}  // namespace mlq::tune
