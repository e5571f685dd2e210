#include "lib/tune/measure/replay_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "lib/base/error.h"
#include "lib/replay/summary.h"
#include "lib/tune/measure/tally.h"

namespace mlq::tune {
namespace {

constexpr int64_t kLookEvery = 500'000'000;
constexpr size_t kMostLookedAt = 16'384;  // requests, so that a look does not hold up sending
constexpr int64_t kLeastMaxLag = 1'000'000;
// A search sees through as much, and ends for nothing where others work on the machine too.
constexpr double kLagShare = 0.25;
constexpr int64_t kSuspended = 1'000'000'000;
constexpr double kBusy = 0.8;                // of a core: the thread cannot keep its times any more
constexpr int64_t kLeastBusy = 100'000'000;  // of a window: the share of a core says nothing of a shorter one

// Calls back at given times, from within the wait of the send loop.
class LookingEngine final : public http::ClientEngine {
 public:
  // `look(now)` returns when it wants to be called next.
  using Look = std::function<int64_t(int64_t now_ns)>;
  LookingEngine(http::ClientEngine& engine, const Clock& clock, int64_t first_ns, Look look)
      : engine_(engine), clock_(clock), next_ns_(first_ns), look_(std::move(look)) {}

  void submit(uint32_t tag, const http::ClientRequest& request) override { engine_.submit(tag, request); }
  void cancel(uint32_t tag) override { engine_.cancel(tag); }
  void poll(int64_t until_ns) override {
    const int64_t until = std::min(until_ns, next_ns_);
    const int64_t before = clock_.now_ns();
    engine_.poll(until);
    const int64_t now = clock_.now_ns();
    if (now - std::max(until, before) > kSuspended) suspended_ns_ = now - std::max(until, before);
    if (now >= next_ns_) next_ns_ = look_(now);
  }
  int64_t suspended_ns() const { return suspended_ns_; }

 private:
  http::ClientEngine& engine_;
  const Clock& clock_;
  int64_t next_ns_;
  Look look_;
  int64_t suspended_ns_ = 0;
};

Sample::Kind kind_of(replay::Outcome outcome, bool bounded) {
  if (outcome == replay::Outcome::ok) return Sample::Kind::ok;
  if (!replay::is_unanswered(outcome)) return Sample::Kind::error;
  return bounded ? Sample::Kind::censored : Sample::Kind::dropped;
}

}  // namespace

// One window while it runs. All times from the start of its sending.
struct ReplaySource::Running final : replay::ResultSink {
  Running(ReplaySource& source, const Planned& planned, const WindowPlan& plan_, const WindowWatch& watch_,
          const StopFlag& stop_)
      : owner(source),
        plan(plan_),
        watch(watch_),
        stop(stop_),
        length_ns(planned.length_ns),
        settle_ns(planned.stretch.settle_ns),
        requests(source.trace_, *source.form_, planned.stretch, samples),
        start_ns(source.clock_.now_ns()) {}

  ReplaySource& owner;
  const WindowPlan& plan;
  const WindowWatch& watch;
  const StopFlag& stop;
  const std::optional<int64_t> length_ns;
  const int64_t settle_ns;
  std::vector<Sample> samples;
  WindowRequests requests;
  const int64_t start_ns;

  StopFlag halt;
  std::optional<std::string> aborted;
  int64_t cut_ns = 0;  // when an open or aborted window was ended
  uint64_t answered = 0, connected = 0;
  std::string gen;  // the only one seen
  bool gens_differ = false;
  std::string last_fault;
  stats::Histogram lags;
  std::vector<double> in_flight;  // at the looks
  std::optional<ServerUse> use_before;

  void result(records::Result&& r) override;
  void windows(replay::ClosedWindows&&) override {}
  int64_t look(int64_t now_ns);
  void abort(std::string word, int64_t at_ns);
  Extent extent(int64_t now) const;
  Window so_far(int64_t at_ns) const;
  void note_generation(const records::Result& r);
  void use_of_server(Window& out) const;
  void verdict(const replay::ShardReport& report, int64_t cpu_ns, int64_t wall_ns, Window& out) const;
};

void ReplaySource::Running::note_generation(const records::Result& r) {
  if (!r.gen) return;
  if (gen.empty()) gen = *r.gen;
  gens_differ = gens_differ || gen != *r.gen;
}

void ReplaySource::Running::result(records::Result&& r) {
  const auto outcome = *replay::outcome_named(r.outcome);
  if (r.send_ns) {
    ++connected;
    lags.record(std::max<int64_t>(*r.lag_ns - r.queue_ns.value_or(0), 0));
  } else if (r.note) {
    last_fault = *r.note;
  }
  if (r.due_ns < settle_ns) return;
  Sample& sample = samples.at(r.i - requests.first_counted());
  // What was not sent in its turn has waited at least until now.
  if (!r.latency_ns && (outcome == replay::Outcome::cancelled || outcome == replay::Outcome::censored))
    r.latency_ns = owner.clock_.now_ns() - start_ns - r.due_ns;
  sample.kind = kind_of(outcome, r.latency_ns.has_value());
  sample.latency_ns = r.latency_ns.value_or(0);
  sample.good = r.slo_ok.value_or(false);
  if (!plan.gen.empty() && r.gen && *r.gen != plan.gen) sample.kind = Sample::Kind::discarded;
  const bool counts = sample.kind != Sample::Kind::discarded;
  if (counts) note_generation(r);
  answered += counts && replay::is_answered(outcome) ? 1 : 0;
}

void ReplaySource::Running::abort(std::string word, int64_t at_ns) {
  if (aborted) return;
  aborted = std::move(word);
  cut_ns = at_ns;
  requests.end_at(at_ns);
  halt.request(stop ? stop.signal() : SIGTERM);
}

// The window counts up to `now`, or to its own end if that came before.
Extent ReplaySource::Running::extent(int64_t now) const {
  int64_t window = std::max<int64_t>(now - settle_ns, 0);
  if (length_ns) window = std::min(window, *length_ns);
  if (cut_ns > 0) window = std::min(window, std::max<int64_t>(cut_ns - settle_ns, 0));
  return {window, std::max<int64_t>(now - settle_ns - window, 0)};
}

Window ReplaySource::Running::so_far(int64_t at_ns) const {
  std::vector<Sample> known = samples;
  for (Sample& s : known) {
    if (s.kind == Sample::Kind::pending) s.latency_ns = at_ns - settle_ns - s.due_ns;
  }
  requests.append_waiting(at_ns, known);
  Window out;
  tally(known, extent(at_ns), owner.objective_, out, kMostLookedAt);
  return out;
}

int64_t ReplaySource::Running::look(int64_t now_ns) {
  const int64_t at = now_ns - start_ns;
  const int64_t next = now_ns + kLookEvery;
  if (stop) abort("signal", at);
  if (at < settle_ns) return std::min(next, start_ns + settle_ns);
  if (!use_before && owner.load_.server_use) use_before = owner.load_.server_use();
  const Window seen = so_far(at);
  const bool sending = cut_ns == 0 && (!length_ns || at < settle_ns + *length_ns);
  if (sending) in_flight.push_back(static_cast<double>(*seen.inflight));
  if (!aborted && watch.look && at > settle_ns) {
    if (auto word = watch.look(seen)) abort(std::move(*word), at);
  }
  if (sending && !aborted && !length_ns && at > settle_ns) {
    const bool enough = answered >= plan.enough && at - settle_ns >= plan.least_ns;
    if (enough || at - settle_ns >= plan.most_ns) {
      cut_ns = at;
      requests.end_at(at);
    }
  }
  return next;
}

void ReplaySource::Running::use_of_server(Window& out) const {
  if (!use_before) return;
  const auto after = owner.load_.server_use();
  if (!after) return;
  out.memory_bytes = after->memory_bytes;
  const uint64_t served = out.ok + out.errors;
  if (served > 0 && after->cpu_ns >= use_before->cpu_ns)
    out.cpu_ns_per_request = (after->cpu_ns - use_before->cpu_ns) / static_cast<int64_t>(served);
}

void ReplaySource::Running::verdict(const replay::ShardReport& report, int64_t cpu_ns, int64_t wall_ns,
                                    Window& out) const {
  replay::RunFacts facts;
  int64_t most = kLeastMaxLag;
  if (out.rate_per_s && *out.rate_per_s > 0)
    most = std::max(most, static_cast<int64_t>(kLagShare * 1e9 / *out.rate_per_s));
  if (out.stat_ns) most = std::max(most, static_cast<int64_t>(std::min(kLagShare * *out.stat_ns, 1e15)));
  const auto p99 = lags.quantile({99, 100});
  most = owner.load_.max_lag_ns.value_or(most);
  facts.lag = p99 && *p99 > most;
  // A thread that is busy, but never late beside what it measures, has measured well: an overloaded server
  // leaves thousands of requests open, and that is the server's figure.
  const bool late = !p99 || !out.stat_ns || static_cast<double>(*p99) > kLagShare * *out.stat_ns;
  facts.shard_cpu =
      late && wall_ns >= kLeastBusy && static_cast<double>(cpu_ns) > kBusy * static_cast<double>(wall_ns);
  facts.fd_limit = report.fd_limit;
  facts.ports = report.ports;
  std::string why;
  for (const std::string_view word : replay::doubts({}, facts))
    why += fmt::format("{}{}", why.empty() ? "" : ",", word);
  if (why.empty()) return;
  out.valid = false;
  out.note = "the load could not be sent as it should have been: " + why;
  if (facts.lag)
    *out.note += fmt::format(" (p99 {}, of at most {}; is this machine busy? --max-lag allows more)",
                             format_duration(*p99 / 1000 * 1000), format_duration(most / 1000 * 1000));
}

ReplaySource::ReplaySource(ReplayLoad load, Objective objective, LoadTrace trace,
                           std::unique_ptr<replay::Template> form, replay::AnswerRules rules,
                           const Clock& clock, const MakeEngine& make_engine)
    : load_(std::move(load)),
      objective_(std::move(objective)),
      trace_(std::move(trace)),
      form_(std::move(form)),
      rules_(std::move(rules)),
      clock_(clock),
      engine_(make_engine(*this)) {
  load_.sending.slo = objective_.request_terms();
  load_.sending.windows.reset();
  load_.sending.warmup_ns = 0;
  load_.sending.grace_ns = load_.sending.timeout_ns;
  load_.sending.stop_grace_ns = 0;
}
ReplaySource::~ReplaySource() = default;

ReplaySource::Planned ReplaySource::next_stretch(const WindowPlan& plan) const {
  Planned out;
  Stretch& s = out.stretch;
  s.settle_ns = plan.settle_ns;
  s.first = load_.same ? 0 : next_;
  s.origin_ns = load_.same ? 0 : origin_ns_;
  if (plan.requests) {
    const uint64_t counted = std::max(s.first, trace_.first_from(s.origin_ns + s.settle_ns));
    s.end = counted + std::max<uint64_t>(*plan.requests, 1);
    out.length_ns = trace_.due_ns(s.end) - s.origin_ns - s.settle_ns;
  } else if (plan.length_ns) {
    out.length_ns = plan.length_ns;
    s.until_ns = s.settle_ns + *plan.length_ns;
  } else if (trace_.has_episodes()) {
    s.lead_in = true;
    s.end = trace_.episode_end(s.first);
    s.origin_ns = trace_.due_ns(s.first);
    out.length_ns = trace_.due_ns(s.end) - s.origin_ns;
  }
  return out;
}

std::optional<WindowSource::Upcoming> ReplaySource::upcoming(const WindowPlan& plan) {
  const Planned planned = next_stretch(plan);
  const int64_t settled = planned.stretch.lead_in ? 0 : planned.stretch.settle_ns;
  const int64_t from = planned.stretch.origin_ns + settled;
  if (planned.length_ns) return trace_.describe(from, from + *planned.length_ns);
  const int64_t time_of_enough = trace_.due_ns(trace_.first_from(from) + plan.enough) - from;
  return trace_.describe(from, from + std::clamp(time_of_enough, plan.least_ns, plan.most_ns));
}

void ReplaySource::move_on(const Planned& planned, const WindowRequests& requests, int64_t elapsed_ns) {
  if (load_.same) return;
  const Stretch& s = planned.stretch;
  if (s.lead_in) {
    next_ = s.end;
    origin_ns_ = trace_.due_ns(next_);
    return;
  }
  next_ = requests.position();
  origin_ns_ = std::min(s.origin_ns + elapsed_ns, trace_.due_ns(next_));
}

Window ReplaySource::measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) {
  const Planned planned = next_stretch(plan);
  Running run(*this, planned, plan, watch, stop);
  replay::Shard shard(load_.sending, rules_, clock_, run.requests, run, run.halt);
  events_ = &shard.events();
  LookingEngine looking(*engine_, clock_, run.start_ns + std::min(run.settle_ns, kLookEvery),
                        [&run](int64_t now) { return run.look(now); });
  const int64_t cpu = load_.own_cpu_ns ? load_.own_cpu_ns() : 0;
  if (run.settle_ns == 0 && load_.server_use) run.use_before = load_.server_use();
  const replay::ShardReport report = shard.run(looking, run.start_ns);
  events_ = nullptr;
  const int64_t wall = clock_.now_ns() - run.start_ns;
  if (stop && !run.aborted) run.aborted = "signal";
  cut_short_ = report.interrupted;

  Window out;
  // Of a window whose end is known, what follows the last answer is part of it.
  const int64_t end = std::max(wall, run.length_ns && !run.aborted ? run.settle_ns + *run.length_ns : 0);
  const int64_t last = std::max(report.last_answer_ns, run.settle_ns);
  Extent extent = run.extent(end);
  extent.drain_ns = std::max<int64_t>(last - run.settle_ns - extent.window_ns, 0);
  move_on(planned, run.requests, run.settle_ns + extent.window_ns);
  tally(run.samples, extent, objective_, out);
  out.inflight.reset();
  out.inflight_slope_per_s = slope_per_s(run.in_flight, kLookEvery);
  if (run.in_flight.size() < 3) out.inflight_slope_per_s.reset();
  out.segment = trace_.segment(run.requests.first_counted());
  if (!plan.gen.empty()) out.gen = plan.gen;
  if (plan.gen.empty() && !run.gen.empty() && !run.gens_differ) out.gen = run.gen;
  if (load_.pressure) out.psi_cpu_share = load_.pressure();
  run.use_of_server(out);
  run.verdict(report, load_.own_cpu_ns ? load_.own_cpu_ns() - cpu : 0, wall, out);

  const bool wrapped = run.requests.position() / trace_.size() != planned.stretch.first / trace_.size();
  const auto note = [&out](std::string_view text) {
    out.note = out.note ? fmt::format("{}; {}", *out.note, text) : std::string(text);
  };
  if (wrapped && run.requests.position() % trace_.size() != 0)
    note("the trace was at its end and began anew");
  if (run.aborted) {
    out.outcome = "aborted";
    out.aborted = run.aborted;
  } else if (looking.suspended_ns() > 0) {
    out.outcome = "void";
    out.note = fmt::format("the machine stood still for {}", format_duration(looking.suspended_ns()));
    out.valid = false;
  } else if (!out.valid) {
    out.outcome = "void";
  } else if (out.requests == 0) {
    out.outcome = "void";
    note(out.discarded ? "every request was served by another generation" : "no request was due in it");
  } else if (run.connected == 0) {
    out.outcome = "failed";
    out.note = "no request could be sent: " + run.last_fault;
  }
  return out;
}

void ReplaySource::quiesce(int64_t timeout_ns) {
  if (!std::exchange(cut_short_, false)) return;
  std::vector<Sample> none;
  struct Nowhere final : replay::ResultSink {
    void result(records::Result&&) override {}
    void windows(replay::ClosedWindows&&) override {}
  } nowhere;
  Stretch one;
  one.first = next_;
  one.origin_ns = trace_.due_ns(next_);
  one.end = next_ + 1;
  WindowRequests requests(trace_, *form_, one, none);
  StopFlag stop;
  replay::Shard shard(load_.sending, rules_, clock_, requests, nowhere, stop);
  events_ = &shard.events();
  shard.warm_up(*engine_, 1, clock_.now_ns() + timeout_ns);
  events_ = nullptr;
}

void ReplaySource::on_send(uint32_t tag, int64_t now_ns, const http::SendInfo& info) {
  if (events_ != nullptr) events_->on_send(tag, now_ns, info);
}
void ReplaySource::on_sent(uint32_t tag, int64_t now_ns) {
  if (events_ != nullptr) events_->on_sent(tag, now_ns);
}
void ReplaySource::on_header(uint32_t tag, std::string_view line, int64_t now_ns) {
  if (events_ != nullptr) events_->on_header(tag, line, now_ns);
}
bool ReplaySource::on_body(uint32_t tag, std::string_view piece, int64_t now_ns) {
  return events_ == nullptr || events_->on_body(tag, piece, now_ns);
}
void ReplaySource::on_done(uint32_t tag, int64_t now_ns, const http::TransferEnd& end, bool reused) {
  if (events_ != nullptr) events_->on_done(tag, now_ns, end, reused);
}

}  // namespace mlq::tune
