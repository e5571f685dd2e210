#include "lib/replay/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/random.h"
#include "lib/replay/deadlines.h"
#include "lib/replay/lag_drift.h"

namespace mlq::replay {
namespace {

// The stop flag and the plan are looked at no less often than this.
constexpr int64_t kLongestSleep = 50'000'000;
// While the plan is empty but not ended.
constexpr int64_t kStarvedSleep = 200'000;

Outcome outcome_of(http::Fault fault) {
  using http::Fault;
  switch (fault) {
    case Fault::none:
      return Outcome::ok;
    case Fault::dns:
      return Outcome::dns;
    case Fault::refused:
    case Fault::fd_limit:
    case Fault::ports:
      return Outcome::connect_refused;
    case Fault::connect_timeout:
      return Outcome::connect_timeout;
    case Fault::tls:
      return Outcome::tls;
    case Fault::send_reset:
      return Outcome::send_reset;
    case Fault::reset:
      return Outcome::reset;
    case Fault::truncated:
      return Outcome::truncated;
    case Fault::protocol:
    case Fault::aborted:
    case Fault::internal:
      return Outcome::protocol;
  }
  return Outcome::protocol;
}

// RFC 9110, section 9.2.2.
bool is_idempotent(std::string_view method) {
  constexpr std::string_view words[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(std::begin(words), std::end(words), method) != std::end(words);
}

struct Flight {
  Planned planned;
  records::Result result;
  std::optional<Answer> answer;  // made with the first use of the slot, kept
  int64_t submit_ns = 0;         // all times here from the start of the trace
  std::optional<int64_t> last_body_ns;
  bool waited = false;  // for the cap
  bool warm = false;
  bool in_use = false;
};

}  // namespace

struct Shard::State {
  State(const ShardOptions& o, const AnswerRules& r, const Clock& c, PlanSource& p, ResultSink& s,
        const StopFlag& f)
      : options(o),
        rules(r),
        clock(c),
        plan(p),
        sink(s),
        stop(f),
        total(o.timeout_ns),
        first_byte(o.first_byte_timeout_ns),
        idle(o.idle_timeout_ns) {
    if (o.windows) windows.emplace(*o.windows);
  }

  const ShardOptions& options;
  const AnswerRules& rules;
  const Clock& clock;
  PlanSource& plan;
  ResultSink& sink;
  const StopFlag& stop;
  http::ClientEngine* engine = nullptr;
  int64_t start_ns = 0;

  std::vector<Flight> flights;
  std::vector<uint32_t> spare;
  uint32_t inflight = 0;
  int64_t sent = 0;  // of those in flight
  int64_t sent_since = 0;
  std::optional<Windows> windows;
  DeadlineList total, first_byte, idle;
  LagDrift drift;
  ShardReport report;
  uint64_t closed_told = 0;

  bool starving = false;
  int64_t capped_until = -1;  // when a request that was due last met the cap
  bool sending = true;
  int64_t give_up_ns = 0;  // once sending is over

  int64_t now() const { return clock.now_ns() - start_ns; }
  uint32_t take_slot();
  void free_slot(uint32_t slot);
  void count_sent(int64_t now_ns, int change);
  void submit(Planned&& planned, bool warm);
  http::ClientRequest request_of(const Planned& planned) const;
  bool send_due();
  void at_cap();
  void begin_record(const Planned& planned, records::Result& result) const;
  void account(const Planned& planned, records::Result&& result, Outcome outcome,
               std::span<const uint64_t> gaps);
  void close(uint32_t slot, Outcome outcome, std::string note);
  void give_up(uint32_t slot, Outcome outcome, std::string note);
  void expire(DeadlineList& list, Outcome outcome, const char* note);
  void plan_window(const Planned& planned);
  void hand_on_windows(bool last);
  void stop_sending(Outcome outcome, int64_t grace_ns);
  void send_or_stop();
  void finish();
  int64_t next_wake(int64_t now_ns);
  void loop();
};

uint32_t Shard::State::take_slot() {
  if (spare.empty()) {
    flights.emplace_back();
    return static_cast<uint32_t>(flights.size() - 1);
  }
  const uint32_t slot = spare.back();
  spare.pop_back();
  return slot;
}

// `change` of those that are sent and not answered.
void Shard::State::count_sent(int64_t now_ns, int change) {
  report.inflight_ns += (now_ns - std::exchange(sent_since, now_ns)) * sent;
  sent += change;
}

void Shard::State::free_slot(uint32_t slot) {
  total.remove(slot);
  first_byte.remove(slot);
  idle.remove(slot);
  Flight& flight = flights[slot];
  flight.in_use = false;
  flight.planned = {};
  --inflight;
  spare.push_back(slot);
}

http::ClientRequest Shard::State::request_of(const Planned& planned) const {
  http::ClientRequest request;
  request.method = planned.method;
  request.target = planned.target;
  request.body = planned.body;
  request.may_resend = options.retry || is_idempotent(planned.method);
  if (options.tag) request.headers.push_back(fmt::format("x-mlq-index: {}", planned.i));
  if (options.send_deadline && planned.deadline_ns) {
    request.headers.push_back(fmt::format("x-mlq-timeout: {}", *planned.deadline_ns));
  }
  return request;
}

void Shard::State::begin_record(const Planned& planned, records::Result& result) const {
  result = {};
  result.i = planned.i;
  if (options.shard != 0) result.shard = options.shard;
  result.klass = planned.klass;
  result.conversation = planned.conversation;
  result.key = planned.key;
  result.episode = planned.episode;
  result.deadline_ns = planned.deadline_ns;
  if (planned.t_ns != planned.due_ns) result.t_ns = planned.t_ns;
  result.due_ns = planned.due_ns;
}

void Shard::State::submit(Planned&& planned, bool warm) {
  const uint32_t slot = take_slot();
  Flight& flight = flights[slot];
  flight.planned = std::move(planned);
  begin_record(flight.planned, flight.result);
  if (!flight.answer) flight.answer.emplace(rules);
  flight.answer->begin();
  flight.last_body_ns.reset();
  flight.submit_ns = now();
  flight.warm = warm;
  flight.in_use = true;
  flight.waited = flight.planned.due_ns <= capped_until;
  report.inflight_max = std::max<uint64_t>(report.inflight_max, ++inflight);
  total.begin(slot, flight.submit_ns);
  first_byte.begin(slot, flight.submit_ns);
  engine->submit(slot, request_of(flight.planned));
}

// One request is over: judged, counted, handed on.
void Shard::State::account(const Planned& planned, records::Result&& result, Outcome outcome,
                           std::span<const uint64_t> gaps) {
  result.outcome = outcome_name(outcome);
  result.slo_ok = is_good(result, options.slo);
  ++report.planned;
  report.i_digest += mix64(planned.i);
  if (result.due_ns >= options.warmup_ns) report.accounts.add(result, gaps);
  if (windows) windows->add(result, gaps);
  if (options.keep_gaps && !gaps.empty()) {
    constexpr size_t most = 4096;
    result.itl_ns.emplace(gaps.begin(), gaps.begin() + static_cast<ptrdiff_t>(std::min(gaps.size(), most)));
  }
  sink.result(std::move(result));
}

void Shard::State::close(uint32_t slot, Outcome outcome, std::string note) {
  Flight& flight = flights[slot];
  if (!flight.warm) {
    records::Result& r = flight.result;
    if (!note.empty()) r.note = std::move(note);
    if (r.send_ns) {
      count_sent(r.last_ns.value_or(now()), -1);
      r.lag_ns = *r.send_ns - r.due_ns;
      const int64_t connecting = r.connect_ns.value_or(0);
      const int64_t capped = flight.waited ? flight.submit_ns - r.due_ns : 0;
      if (connecting + capped > 0) r.queue_ns = connecting + capped;
    }
    account(flight.planned, std::move(r), outcome, flight.answer->gaps());
  }
  free_slot(slot);
}

// A request in flight that will not be waited for any longer: what is known is a lower bound.
void Shard::State::give_up(uint32_t slot, Outcome outcome, std::string note) {
  engine->cancel(slot);
  Flight& flight = flights[slot];
  flight.answer->partial(flight.result);
  flight.result.latency_ns = now() - flight.result.due_ns;
  close(slot, outcome, std::move(note));
}

void Shard::State::expire(DeadlineList& list, Outcome outcome, const char* note) {
  const int64_t at = now();
  while (const std::optional<uint32_t> slot = list.expired(at)) give_up(*slot, outcome, note);
}

// The next request is due and the cap is reached.
void Shard::State::at_cap() {
  report.cap_hit = true;
  if (options.on_cap == OnCap::queue) {
    capped_until = now();
    return;
  }
  if (options.on_cap == OnCap::abort) {
    report.aborted = true;
    return;
  }
  const Planned planned = std::move(*plan.next());
  plan.pop();
  records::Result result;
  begin_record(planned, result);
  plan_window(planned);
  account(planned, std::move(result), Outcome::dropped_cap, {});
}

// Sends everything that is due, reading the clock anew for each. False once the plan is exhausted.
bool Shard::State::send_due() {
  while (true) {
    const bool ended = plan.ended();
    Planned* const next = plan.next();
    const int64_t at = now();
    if (next == nullptr) {
      starving = !ended;
      return !ended;
    }
    if (std::exchange(starving, false) && next->due_ns < at) report.starved = true;
    if (next->due_ns > at) return true;
    if (inflight >= options.max_inflight) {
      at_cap();
      if (options.on_cap == OnCap::drop) continue;
      return true;
    }
    report.last_due_ns = std::max(report.last_due_ns, next->due_ns);
    plan_window(*next);
    Planned planned = std::move(*next);
    plan.pop();
    submit(std::move(planned), false);
  }
}

void Shard::State::plan_window(const Planned& planned) {
  if (windows) windows->due(planned.i, planned.due_ns, planned.klass.value_or(""));
}

// `last`: every request has its result.
void Shard::State::hand_on_windows(bool last) {
  if (!windows) return;
  const Planned* const next = sending ? plan.next() : nullptr;
  if (next != nullptr) {
    windows->advance(next->due_ns, next->i);
  } else if (!sending) {
    windows->end(std::max(report.end_ns, report.last_due_ns));
  }
  ClosedWindows closed = windows->take(last ? INT64_MAX : now());
  if (closed.windows.empty() && closed.closed_below == closed_told) return;
  closed_told = closed.closed_below;
  sink.windows(std::move(closed));
}

// Nothing more is sent: what was due and was not sent gets `outcome`, what was not yet due counts as unsent.
// As everywhere, a request has left the plan before its result is told.
void Shard::State::stop_sending(Outcome outcome, int64_t grace_ns) {
  const int64_t at = now();
  sending = false;
  report.end_ns = at;
  give_up_ns = at + grace_ns;
  while (Planned* const next = plan.next()) {
    const Planned planned = std::move(*next);
    plan.pop();
    if (planned.due_ns > at) {
      ++report.unsent;
      continue;
    }
    records::Result result;
    begin_record(planned, result);
    plan_window(planned);
    account(planned, std::move(result), outcome, {});
  }
}

int64_t Shard::State::next_wake(int64_t now_ns) {
  int64_t wake = now_ns + kLongestSleep;
  wake = std::min({wake, total.next_ns(), first_byte.next_ns(), idle.next_ns()});
  if (!sending) return std::min(wake, give_up_ns);
  const Planned* const next = plan.next();
  if (next == nullptr) return std::min(wake, now_ns + kStarvedSleep);
  // What waits for the cap is woken by an answer; what fell due since send_due() looked must not sleep.
  if (next->due_ns > now_ns || inflight < options.max_inflight) wake = std::min(wake, next->due_ns);
  return wake;
}

void Shard::State::finish() {
  const Outcome outcome = report.interrupted || report.aborted ? Outcome::cancelled : Outcome::censored;
  for (uint32_t slot = 0; slot < flights.size(); ++slot) {
    if (flights[slot].in_use) give_up(slot, outcome, "in flight when the run ended");
  }
  hand_on_windows(true);
  report.lag_drift_ns_per_min = drift.ns_per_min();
}

void Shard::State::send_or_stop() {
  const bool plan_left = send_due();
  if (!plan_left) {
    sending = false;
    report.end_ns = plan.last_due_ns();
    give_up_ns = plan.last_due_ns() + options.grace_ns;
  } else if (stop || report.aborted) {
    report.interrupted = static_cast<bool>(stop);
    stop_sending(Outcome::cancelled, std::min(options.grace_ns, options.stop_grace_ns));
  } else if (plan.ended() && now() > plan.last_due_ns() + options.grace_ns) {
    stop_sending(Outcome::censored, 0);  // the cap held back what was due long ago
  }
}

void Shard::State::loop() {
  while (true) {
    if (sending) {
      send_or_stop();
    } else if (stop && !report.interrupted) {
      report.interrupted = true;
      give_up_ns = std::min(give_up_ns, now() + options.stop_grace_ns);
    }
    expire(total, Outcome::total_timeout, "no whole answer within --timeout");
    expire(first_byte, Outcome::first_byte_timeout, "no byte within --first-byte-timeout");
    expire(idle, Outcome::idle_timeout, "no further byte within --idle-timeout");
    const int64_t at = now();
    if (!sending && (inflight == 0 || at >= give_up_ns)) return finish();
    hand_on_windows(false);
    engine->poll(start_ns + next_wake(now()));
  }
}

Shard::Shard(const ShardOptions& options, const AnswerRules& rules, const Clock& clock, PlanSource& plan,
             ResultSink& sink, const StopFlag& stop)
    : state_(std::make_unique<State>(options, rules, clock, plan, sink, stop)) {}
Shard::~Shard() = default;

void Shard::warm_up(http::ClientEngine& engine, uint64_t count, int64_t until_ns) {
  State& s = *state_;
  s.engine = &engine;
  const Planned* const first = s.plan.next();
  for (uint64_t sent = 0;
       first != nullptr && (sent < count || s.inflight > 0) && s.clock.now_ns() < until_ns;) {
    for (; sent < count && s.inflight < std::min<uint32_t>(s.options.max_inflight, 64); ++sent) {
      s.submit(Planned(*first), true);
    }
    engine.poll(until_ns);
  }
  for (uint32_t slot = 0; slot < s.flights.size(); ++slot) {
    if (!s.flights[slot].in_use) continue;
    engine.cancel(slot);
    s.free_slot(slot);
  }
  s.report.inflight_max = 0;
}

ShardReport Shard::run(http::ClientEngine& engine, int64_t start_ns) {
  state_->engine = &engine;
  state_->start_ns = start_ns;
  state_->loop();
  return std::move(state_->report);
}

void Shard::on_send(uint32_t tag, int64_t now_ns, const http::SendInfo& info) {
  State& s = *state_;
  Flight& flight = s.flights[tag];
  records::Result& r = flight.result;
  if (flight.warm) return;
  if (!r.send_ns) s.count_sent(now_ns - s.start_ns, +1);
  r.send_ns = now_ns - s.start_ns;
  r.connect_ns = *r.send_ns - flight.submit_ns;  // dropped in the end if the connection was there
  if (info.local_port != 0) r.conn = info.local_port;
  if (info.attempt != 1) r.attempt = info.attempt;
  r.up_bytes = flight.planned.body.size();
  s.drift.add(r.due_ns, *r.send_ns - r.due_ns);
}

void Shard::on_sent(uint32_t tag, int64_t now_ns) {
  state_->flights[tag].result.sent_ns = now_ns - state_->start_ns;
}

void Shard::on_header(uint32_t tag, std::string_view line, int64_t now_ns) {
  State& s = *state_;
  Flight& flight = s.flights[tag];
  const int64_t at = now_ns - s.start_ns;
  if (!flight.result.first_ns) {
    flight.result.first_ns = at;
    s.first_byte.remove(tag);
  }
  s.idle.begin(tag, at);
  flight.answer->header(line);
}

bool Shard::on_body(uint32_t tag, std::string_view piece, int64_t now_ns) {
  State& s = *state_;
  Flight& flight = s.flights[tag];
  flight.last_body_ns = now_ns - s.start_ns;
  s.idle.begin(tag, *flight.last_body_ns);
  return flight.answer->body(piece, *flight.last_body_ns);
}

void Shard::on_done(uint32_t tag, int64_t now_ns, const http::TransferEnd& end, bool reused) {
  State& s = *state_;
  Flight& flight = s.flights[tag];
  records::Result& r = flight.result;
  if (flight.warm) return s.free_slot(tag);
  if (end.fault == http::Fault::fd_limit) s.report.fd_limit = true;
  if (end.fault == http::Fault::ports) s.report.ports = true;
  const int64_t at = now_ns - s.start_ns;
  if (r.send_ns) r.reused = reused;
  if (reused) r.connect_ns.reset();
  if (end.fault != http::Fault::none) {
    flight.answer->partial(r);
    const Outcome outcome = outcome_of(end.fault);
    if (is_unanswered(outcome)) r.latency_ns = at - r.due_ns;
    return s.close(tag, outcome, end.note);
  }
  r.last_ns = flight.last_body_ns.value_or(at);
  r.latency_ns = *r.last_ns - r.due_ns;
  if (r.send_ns) r.service_ns = *r.last_ns - *r.send_ns;
  s.report.last_answer_ns = std::max(s.report.last_answer_ns, *r.last_ns);
  const Outcome outcome = flight.answer->finish(r);
  s.close(tag, outcome, "");
}

}  // namespace mlq::replay
