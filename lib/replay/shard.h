// One sending thread: takes requests from the plan, hands them to an engine when they are due, and accounts
// for what becomes of each. Clock, engine and plan are arguments, so that it runs on a virtual clock as well.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/http/client.h"
#include "lib/records/load.h"
#include "lib/replay/accounts.h"
#include "lib/replay/answer.h"
#include "lib/replay/plan.h"
#include "lib/replay/windows.h"
#include "lib/stats/slo.h"

namespace mlq::replay {

enum class OnCap { queue, drop, abort };

struct ShardOptions {
  uint32_t max_inflight = 1024;
  OnCap on_cap = OnCap::queue;
  std::optional<int64_t> first_byte_timeout_ns;  // from the send
  std::optional<int64_t> idle_timeout_ns;        // since the last byte of the answer
  int64_t timeout_ns = 60'000'000'000;           // from the send to the last byte
  int64_t grace_ns = 30'000'000'000;             // after the last due time
  int64_t stop_grace_ns = 5'000'000'000;         // after a request to stop
  int64_t warmup_ns = 0;                         // requests due before are not in the totals
  std::vector<stats::SloTerm> slo;
  std::optional<WindowOptions> windows;
  bool tag = false;            // x-mlq-index: i
  bool send_deadline = false;  // x-mlq-timeout: deadline_ns, as decimal ns
  bool retry = false;          // methods that are not idempotent may be sent again too
  bool keep_gaps = false;      // result.itl_ns
  uint32_t shard = 0;          // for result.shard; 0 is left out
};

// Where results go as they come. Called by the sending thread; must not wait.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual void result(records::Result&& result) = 0;
  // What Windows::take() has given.
  virtual void windows(ClosedWindows&& closed) = 0;
};

// What a thread says of itself at the end, beside its accounts.
struct ShardReport {
  Accounts accounts;
  uint64_t planned = 0;   // requests that it accounts for
  uint64_t i_digest = 0;  // sum of mix64(i) over them
  uint64_t unsent = 0;    // arrivals not yet due when a signal came
  int64_t last_due_ns = 0;
  int64_t end_ns = 0;  // when nothing more was to be sent, on the clock of the trace
  int64_t last_answer_ns = 0;
  int64_t inflight_ns = 0;  // requests in flight, integrated
  uint64_t inflight_max = 0;
  std::optional<double> lag_drift_ns_per_min;
  bool starved = false;  // a request came from the trace after it was due
  bool cap_hit = false;
  bool fd_limit = false;
  bool ports = false;
  bool aborted = false;  // OnCap::abort
  bool interrupted = false;
};

class Shard final : private http::ClientEvents {
 public:
  // All references must outlive the shard. The engine is made for this shard's events: see events().
  Shard(const ShardOptions& options, const AnswerRules& rules, const Clock& clock, PlanSource& plan,
        ResultSink& sink, const StopFlag& stop);
  ~Shard() override;

  // What the engine is to be given.
  http::ClientEvents& events() { return *this; }
  // Sends the first request of the plan `count` times before the start, without accounting for it, and waits
  // for the answers until `until_ns`.
  void warm_up(http::ClientEngine& engine, uint64_t count, int64_t until_ns);
  // Sends the plan; due times count from `start_ns` on the clock. Blocks until every request has an outcome.
  ShardReport run(http::ClientEngine& engine, int64_t start_ns);

 private:
  struct State;
  void on_send(uint32_t tag, int64_t now_ns, const http::SendInfo& info) override;
  void on_sent(uint32_t tag, int64_t now_ns) override;
  void on_header(uint32_t tag, std::string_view line, int64_t now_ns) override;
  bool on_body(uint32_t tag, std::string_view piece, int64_t now_ns) override;
  void on_done(uint32_t tag, int64_t now_ns, const http::TransferEnd& end, bool reused) override;

  std::unique_ptr<State> state_;
};

}  // namespace mlq::replay
