#include "lib/serve/schedule/scheduler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lib/serve/schedule/codel_guard.h"
#include "lib/serve/schedule/edf_queue.h"
#include "lib/serve/schedule/lane.h"
#include "lib/serve/schedule/measures.h"

namespace mlq::serve {
namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();
constexpr uint64_t kBatchesToSettle = 32, kBatchesAfterDrift = 8;
constexpr int64_t kProbeEveryNs = 1'000'000'000;
constexpr int64_t kRetryUnknownNs = 100'000'000, kRetryNoReplicaNs = 1'000'000'000, kLeastRetryNs = 1'000'000;
constexpr double kHoldUtilisation = 0.9, kHoldLoad = 0.85;

}  // namespace

void Actions::clear() {
  dispatches.clear();
  tokens.clear();
  sheds.clear();
  controller_events.clear();
}

struct Scheduler::Impl {
  // A key by what it is, since positions in the queue move.
  struct KeyName {
    uint64_t id;
    bool alone, group;
    bool operator==(const KeyName&) const = default;
  };
  static KeyName name_of(const EdfQueue::Key& key) { return {key.id, key.alone, key.group}; }

  Impl(const SchedulerKnobs& given, uint64_t seed) : knobs(given), replicas(seed, given.retry_share) {}

  double overhead_ns() const {
    const auto seen = static_cast<double>(overhead.p99_ns());
    return knobs.slo_ns == 0 ? seen : std::min(seen, static_cast<double>(knobs.slo_ns) / 2);
  }
  double budget_ns() const {
    return knobs.slo_ns == 0 ? kForever : std::max(0.0, static_cast<double>(knobs.slo_ns) - overhead_ns());
  }
  double slack_ns(int64_t now_ns, int64_t deadline_ns) const {
    return deadline_ns == kNoDeadline ? kForever : static_cast<double>(deadline_ns - now_ns) - overhead_ns();
  }
  // A replica that cannot keep the budget at all is no reason to keep what none can answer in time, as long
  // as another one can.
  double bound(const Lane& lane, double rows) const {
    const double budget = budget_ns();
    if (!lane.hopeless(budget)) return lane.bound_ns(rows, knobs, budget);
    bool hope = false;
    each_serving(
        [&](const Lane& other) { hope = hope || (!other.model().empty() && !other.hopeless(budget)); });
    return hope ? lane.model().mean_ns(rows) : lane.bound_ns(rows, knobs, budget);
  }
  uint32_t target(const Lane& lane) const { return lane.target(knobs, budget_ns()); }
  Lane* find(ReplicaId id) {
    for (Lane& lane : lanes)
      if (lane.id() == id) return &lane;
    return nullptr;
  }
  const Lane* find(ReplicaId id) const { return const_cast<Impl*>(this)->find(id); }
  template <class Visit>
  void each_serving(Visit&& visit) const {
    for (const Lane& lane : lanes)
      if (replicas.serving(lane.id())) visit(lane);
  }

  double capacity(int64_t now_ns) const;
  bool settled() const;
  bool waited_too_long(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key);
  bool comes_late(int64_t now_ns, const Request& request, Verdict& verdict) const;
  bool nothing_sent_lately(int64_t now_ns) const;
  double rows_ahead(const Request& request, int64_t cutoff_ns) const;
  int64_t time_to_room(int64_t now_ns) const;

  void expire(int64_t now_ns, Actions& actions);
  void shed_all(Actions& actions);
  bool has_free_slot() const;
  std::optional<size_t> first_key() const;
  uint32_t size_for(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key) const;
  double batch_rows(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key) const;
  Lane* choose(int64_t now_ns, const EdfQueue::Key& key, bool& probe);
  bool can_make_it_elsewhere(int64_t now_ns, const Lane& lane, const Request& head) const;
  bool drop_head(int64_t now_ns, const Lane& lane, size_t key, Actions& actions);
  std::optional<int64_t> hold_until(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key,
                                    uint32_t size) const;
  std::optional<int64_t> hold_for_slot(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key,
                                       uint32_t size) const;
  void dispatch(int64_t now_ns, Lane& lane, size_t key, uint32_t size, Actions& actions);
  bool serve_one(int64_t now_ns, Actions& actions);
  void tell_news(Lane& lane, bool drift);
  void wake_at(int64_t at_ns) { wake_ns = std::min(wake_ns.value_or(INT64_MAX), at_ns); }

  SchedulerKnobs knobs;
  ReplicaSet replicas;
  std::vector<Lane> lanes;
  EdfQueue queue;
  ArrivalRate rate;
  OverheadWindow overhead;
  CodelGuard codel;
  std::vector<ControllerEvent> news;
  uint64_t next_batch = 1;
  std::optional<int64_t> held_since_ns;
  std::optional<int64_t> wake_ns;
  std::vector<KeyName> passed_over;  // in this step
  std::vector<ReplicaCandidate> candidates;
  std::vector<Lane*> candidate_lanes;
};

// Rows per ns of all serving replicas; those not yet measured count as the mean of the others.
double Scheduler::Impl::capacity(int64_t now_ns) const {
  double sum = 0, measured = 0, unmeasured = 0;
  each_serving([&](const Lane& lane) {
    sum += lane.capacity(now_ns, knobs, budget_ns());
    (lane.model().empty() ? unmeasured : measured) += 1;
  });
  return measured == 0 ? 0 : sum * (1 + unmeasured / measured);
}

// Whether enough is known to refuse work for it.
bool Scheduler::Impl::settled() const {
  uint64_t batches = 0;
  bool drifting = false;
  each_serving([&](const Lane& lane) {
    batches += lane.model().batches();
    if (lane.model().drifts() > 0 && lane.model().batches_since_drift() < kBatchesAfterDrift) drifting = true;
  });
  return !drifting && batches >= kBatchesToSettle;
}

// Rows that wait, go before the request, and have a deadline not before `cutoff_ns`: the others will be
// dropped.
double Scheduler::Impl::rows_ahead(const Request& request, int64_t cutoff_ns) const {
  uint64_t rows = 0;
  Request from = request, to = request;
  from.deadline_ns = cutoff_ns;
  from.arrived_ns = INT64_MIN;
  for (uint8_t level = 1; level <= request.level; ++level) {
    from.level = to.level = level;
    if (level < request.level) to.deadline_ns = to.arrived_ns = INT64_MAX;
    const uint64_t before = queue.rows_before(from), until = queue.rows_before(to);
    rows += until - std::min(until, before);
    to = request;
  }
  return static_cast<double>(rows);
}

// The earliest finish to be expected, after Gujarati et al., Clockwork, OSDI'20: the next slot, the full
// batches of those that go before it, its own batch. Requests that will be dropped for being late do not
// count, else a queue of lost ones would keep out those that could still make it.
bool Scheduler::Impl::comes_late(int64_t now_ns, const Request& request, Verdict& verdict) const {
  const double rate_of_work = capacity(now_ns);
  if (rate_of_work <= 0 || nothing_sent_lately(now_ns)) return false;
  double slot_ns = kForever, size = 1;
  each_serving([&](const Lane& lane) {
    if (lane.overdue(now_ns)) return;
    slot_ns = std::min(slot_ns, lane.next_slot_ns(now_ns, knobs));
    size = std::max<double>(size, target(lane));
  });
  const auto own_ns = [&](double rows) {
    double least_ns = kForever;
    each_serving([&](const Lane& lane) {
      if (!lane.overdue(now_ns)) least_ns = std::min(least_ns, bound(lane, rows));
    });
    return least_ns;
  };
  double ahead = static_cast<double>(queue.rows_before(request));
  if (ahead >= size)
    ahead = rows_ahead(request, now_ns + static_cast<int64_t>(overhead_ns() + slot_ns + own_ns(size)));
  const double waves = std::floor(ahead / size);
  const double rest = std::min(size, ahead - waves * size + request.rows);
  const double late_ns = slot_ns + waves * size / rate_of_work +
                         own_ns(std::max<double>(rest, request.rows)) - slack_ns(now_ns, request.deadline_ns);
  if (late_ns <= 0) return false;
  verdict = {.rejection = Rejection::late,
             .retry_after_ns = std::max(kLeastRetryNs, static_cast<int64_t>(late_ns))};
  return true;
}

// A prediction that lets nothing through would never be corrected: one request a second goes whatever it
// says.
bool Scheduler::Impl::nothing_sent_lately(int64_t now_ns) const {
  bool nothing = true;
  each_serving([&](const Lane& lane) { nothing = nothing && now_ns - lane.last_sent_ns() >= kProbeEveryNs; });
  return nothing;
}

// Until half of what waits is served.
int64_t Scheduler::Impl::time_to_room(int64_t now_ns) const {
  const double rate_of_work = capacity(now_ns);
  if (rate_of_work <= 0) return kRetryUnknownNs;
  return std::max(kLeastRetryNs, static_cast<int64_t>(static_cast<double>(queue.rows()) / 2 / rate_of_work));
}

void Scheduler::Impl::expire(int64_t now_ns, Actions& actions) {
  if (knobs.drop_rule == DropRule::none) return;
  while (const auto expired = queue.pop_expired(now_ns))
    actions.sheds.push_back({expired->token, ShedReason::deadline});
  if (queue.earliest_deadline() != kNoDeadline) wake_at(queue.earliest_deadline() + 1);
}

void Scheduler::Impl::shed_all(Actions& actions) {
  while (!queue.keys().empty()) actions.sheds.push_back({queue.pop(0).request.token, ShedReason::no_replica});
}

bool Scheduler::Impl::has_free_slot() const {
  bool free = false;
  each_serving([&](const Lane& lane) { free = free || lane.free_slots(knobs) > 0; });
  return free;
}

// The key, of those not passed over, whose head goes first.
std::optional<size_t> Scheduler::Impl::first_key() const {
  std::optional<size_t> best;
  const auto& keys = queue.keys();
  for (size_t k = 0; k < keys.size(); ++k) {
    if (std::find(passed_over.begin(), passed_over.end(), name_of(keys[k])) != passed_over.end()) continue;
    if (!best || goes_before(queue.head(keys[k]), queue.head(keys[*best]))) best = k;
  }
  return best;
}

// What a batch of that key may hold in that replica. A trial of a larger size may push late heads aside, but
// only for as many rows as can still make it then.
uint32_t Scheduler::Impl::size_for(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key) const {
  const double weight = replicas.weight(now_ns, lane.id());
  if (weight < 1) return std::max(1u, static_cast<uint32_t>(weight * target(lane)));
  const uint64_t queued = queue.rows(key);
  const uint32_t usual = lane.next_size(knobs, budget_ns(), queued);
  const uint32_t trial = lane.trial_size(knobs, budget_ns());
  if (trial == 0 || queued <= std::min(usual, trial)) return usual;
  if (trial < usual) return trial;
  const double finish_ns =
      overhead_ns() + bound(lane, static_cast<double>(std::min<uint64_t>(trial, queued)));
  const uint64_t in_time = queue.rows_due_from(key, now_ns + static_cast<int64_t>(finish_ns));
  return std::max(usual, static_cast<uint32_t>(std::min<uint64_t>(trial, in_time)));
}

// How large a batch of that key would be in that replica.
double Scheduler::Impl::batch_rows(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key) const {
  const Request& head = queue.head(key);
  if (key.alone) return head.rows;
  double rows = std::min<double>(static_cast<double>(queue.rows(key)), size_for(now_ns, lane, key));
  if (head.bytes > 0)
    rows = std::min(rows,
                    static_cast<double>(knobs.max_batch_bytes) / static_cast<double>(head.bytes) * head.rows);
  return std::max<double>(rows, head.rows);
}

// Of a head without a deadline. A wait is no sign of overload as long as too little is known, or the next
// batch tries a size that may turn out better; and the overload is over if the next batch takes all that
// waits.
bool Scheduler::Impl::waited_too_long(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key) {
  const double rows = batch_rows(now_ns, lane, key);
  const uint32_t trial = lane.trial_size(knobs, budget_ns());
  if (!settled() || (!key.alone && trial >= target(lane) && 2 * rows > trial)) return false;
  const bool leaves_some = static_cast<double>(queue.rows()) > rows;
  const double target_ns =
      leaves_some ? std::max(CodelGuard::kLeastTargetNs, 2 * lane.model().mean_ns(target(lane))) : kForever;
  return codel.shed(now_ns, now_ns - queue.head(key).arrived_ns, target_ns);
}

bool Scheduler::Impl::can_make_it_elsewhere(int64_t now_ns, const Lane& lane, const Request& head) const {
  const double slack = slack_ns(now_ns, head.deadline_ns);
  bool can = false;
  each_serving([&](const Lane& other) {
    if (other.id() == lane.id() || other.model().empty() || other.overdue(now_ns)) return;
    can = can || other.next_slot_ns(now_ns, knobs) + bound(other, head.rows) <= slack;
  });
  return can;
}

// The replica for a key's next batch. Absent: the free ones are too slow for its head, which another one
// could still serve in time, or are the one to be avoided. A replica left out for being slow gets one request
// a second, so that it is noticed when it recovers.
Lane* Scheduler::Impl::choose(int64_t now_ns, const EdfQueue::Key& key, bool& probe) {
  const Request& head = queue.head(key);
  candidates.clear();
  candidate_lanes.clear();
  for (Lane& lane : lanes) {
    if (!replicas.serving(lane.id()) || lane.free_slots(knobs) == 0) continue;
    if (key.avoid == lane.id() && replicas.serving_count() > 1) continue;
    if (bound(lane, head.rows) > slack_ns(now_ns, head.deadline_ns) &&
        can_make_it_elsewhere(now_ns, lane, head)) {
      if (now_ns - lane.last_sent_ns() < kProbeEveryNs) continue;
      probe = true;
      return &lane;
    }
    candidates.push_back(
        {lane.id(), lane.remaining_ns(now_ns, knobs) + lane.model().mean_ns(batch_rows(now_ns, lane, key))});
    candidate_lanes.push_back(&lane);
  }
  return candidates.empty() ? nullptr : candidate_lanes[replicas.choose(now_ns, candidates)];
}

// Sheds the head of a key if the rules say so. One that was held back for others to join it is not shed
// because they came: it goes with as many of them as it can.
bool Scheduler::Impl::drop_head(int64_t now_ns, const Lane& lane, size_t position, Actions& actions) {
  const EdfQueue::Key& key = queue.keys()[position];
  const Request& head = queue.head(key);
  if (head.deadline_ns == kNoDeadline) {
    if (!waited_too_long(now_ns, lane, key)) return false;
    actions.sheds.push_back({queue.pop(position).request.token, ShedReason::codel});
    return true;
  }
  if (knobs.drop_rule == DropRule::none) return false;
  double least_ns = kForever;
  each_serving([&](const Lane& other) {
    if (other.id() != lane.id() && other.overdue(now_ns)) return;
    const bool window = knobs.drop_rule == DropRule::window && !held_since_ns;
    const double rows = window ? batch_rows(now_ns, other, key) : head.rows;
    least_ns = std::min(least_ns, bound(other, rows));
  });
  if (least_ns <= slack_ns(now_ns, head.deadline_ns) || nothing_sent_lately(now_ns)) return false;
  actions.sheds.push_back({queue.pop(position).request.token, ShedReason::deadline});
  return true;
}

// The last free slot of several waits until it is worth using: need rows keep the slots busy for 0.9 of the
// time.
std::optional<int64_t> Scheduler::Impl::hold_for_slot(int64_t now_ns, const Lane& lane,
                                                      const EdfQueue::Key& key, uint32_t size) const {
  uint32_t slots = 0, free = 0;
  each_serving([&](const Lane& other) {
    slots += other.slots(knobs);
    free += other.free_slots(knobs);
  });
  if (slots < 2 || free != 1 || lane.model().empty()) return std::nullopt;
  const double arrivals = rate.rows_per_ns(now_ns), share = arrivals / slots;
  const double room = kHoldUtilisation - share * lane.model().alpha();
  if (arrivals <= 0 || room <= 0 || arrivals >= kHoldLoad * capacity(now_ns)) return std::nullopt;
  const double need = std::min<double>(std::ceil(share * lane.model().beta() / room), size);
  if (static_cast<double>(queue.rows(key)) >= need) return std::nullopt;
  const Request& head = queue.head(key);
  const double latest = static_cast<double>(now_ns) + slack_ns(now_ns, head.deadline_ns) - bound(lane, need);
  return static_cast<int64_t>(std::min(static_cast<double>(head.arrived_ns) + need / arrivals, latest));
}

std::optional<int64_t> Scheduler::Impl::hold_until(int64_t now_ns, const Lane& lane, const EdfQueue::Key& key,
                                                   uint32_t size) const {
  if (key.alone || key.group) return std::nullopt;
  std::optional<int64_t> until;
  if (knobs.delay_mode == DelayMode::automatic) {
    until = hold_for_slot(now_ns, lane, key, size);
  } else if (knobs.delay_ns > 0 && queue.rows(key) < size) {
    const Request& head = queue.head(key);
    const double latest = static_cast<double>(now_ns) + slack_ns(now_ns, head.deadline_ns) -
                          bound(lane, static_cast<double>(queue.rows(key)));
    until = static_cast<int64_t>(std::min(static_cast<double>(head.arrived_ns + knobs.delay_ns), latest));
  }
  return until && *until > now_ns ? until : std::nullopt;
}

void Scheduler::Impl::dispatch(int64_t now_ns, Lane& lane, size_t position, uint32_t size, Actions& actions) {
  const uint64_t queued = queue.rows(queue.keys()[position]);
  const bool alone = queue.keys()[position].alone;
  Dispatch batch{.batch = next_batch++,
                 .replica = lane.id(),
                 .first = static_cast<uint32_t>(actions.tokens.size()),
                 .target_rows = target(lane),
                 .hold_ns = held_since_ns ? now_ns - *held_since_ns : 0};
  const Request& head = queue.head(queue.keys()[position]);
  double slack = slack_ns(now_ns, head.deadline_ns);
  // A head that is late anyway sets no limit.
  if (bound(lane, head.rows) > slack) slack = kForever;
  uint64_t bytes = 0;
  for (bool gone = false; !gone && !(alone && batch.requests == 1);) {
    const Request& next = queue.head(queue.keys()[position]);
    if (batch.requests > 0) {
      if (batch.rows + next.rows > size || bytes + next.bytes > knobs.max_batch_bytes) break;
      slack = std::min(slack, slack_ns(now_ns, next.deadline_ns));
      if (slack < kForever && bound(lane, batch.rows + next.rows) > slack) break;
    }
    const EdfQueue::Popped popped = queue.pop(position);
    gone = popped.gone;
    batch.rows += popped.request.rows;
    bytes += popped.request.bytes;
    ++batch.requests;
    actions.tokens.push_back(popped.request.token);
  }
  batch.predicted_ns = static_cast<int64_t>(bound(lane, batch.rows));
  lane.send({.batch = batch.batch,
             .rows = batch.rows,
             .target_rows = size,
             .sent_ns = now_ns,
             .predicted_ns = static_cast<double>(batch.predicted_ns),
             .full = queued >= size});
  lane.note_sent(now_ns);
  held_since_ns.reset();
  actions.dispatches.push_back(batch);
}

// One decision: something left the queue, or a key was passed over. False: there is nothing left to decide.
bool Scheduler::Impl::serve_one(int64_t now_ns, Actions& actions) {
  const auto position = has_free_slot() ? first_key() : std::nullopt;
  if (!position) return false;
  const EdfQueue::Key& key = queue.keys()[*position];
  bool probe = false;
  Lane* lane = choose(now_ns, key, probe);
  if (lane == nullptr) {
    passed_over.push_back(name_of(key));
    return true;
  }
  if (!probe && drop_head(now_ns, *lane, *position, actions)) return true;
  uint32_t size = 1;
  if (!probe) {
    size = size_for(now_ns, *lane, key);
    if (const auto until = hold_until(now_ns, *lane, key, size)) {
      if (!held_since_ns) held_since_ns = now_ns;
      passed_over.push_back(name_of(key));
      wake_at(*until);
      return true;
    }
  }
  dispatch(now_ns, *lane, *position, size, actions);
  return true;
}

void Scheduler::Impl::tell_news(Lane& lane, bool drift) {
  const Lane::News happened = lane.take_news(knobs, budget_ns());
  const auto tell = [&](bool yes, ControllerEventKind kind) {
    if (!yes) return;
    news.push_back(
        {lane.id(), kind, target(lane), lane.model().alpha(), lane.model().beta(), lane.share_over()});
  };
  tell(drift, ControllerEventKind::drift);
  tell(happened.grew, ControllerEventKind::grow);
  tell(happened.shrank, ControllerEventKind::shrink);
  tell(happened.infeasible, ControllerEventKind::slo_infeasible);
}

Scheduler::Scheduler(const SchedulerKnobs& knobs, uint64_t seed)
    : impl_(std::make_unique<Impl>(knobs, seed)) {}
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;

ReplicaSet& Scheduler::replicas() { return impl_->replicas; }
const ReplicaSet& Scheduler::replicas() const { return impl_->replicas; }
const SchedulerKnobs& Scheduler::knobs() const { return impl_->knobs; }

void Scheduler::add_replica(int64_t now_ns, ReplicaId id, bool ready) {
  impl_->replicas.add(now_ns, id, ready);
  if (impl_->find(id) == nullptr) impl_->lanes.emplace_back(id, impl_->knobs.controller);
}

void Scheduler::remove_replica(int64_t now_ns, ReplicaId id) {
  impl_->replicas.remove(now_ns, id);
  std::erase_if(impl_->lanes, [&](const Lane& lane) { return lane.id() == id; });
}

Verdict Scheduler::arrive(int64_t now_ns, const Request& request) {
  Impl& s = *impl_;
  s.replicas.request_seen();
  s.overhead.advance(now_ns);
  s.rate.add(now_ns, request.rows);
  if (s.replicas.serving_count() == 0)
    return {.rejection = Rejection::no_replica, .retry_after_ns = kRetryNoReplicaNs};
  // An empty queue takes any request: else one above the bound could never be served.
  if (s.queue.size() > 0 && (s.queue.rows() + request.rows > s.knobs.max_queue_rows ||
                             s.queue.bytes() + request.bytes > s.knobs.max_queue_bytes))
    return {.rejection = Rejection::queue_full, .retry_after_ns = s.time_to_room(now_ns)};
  Verdict verdict;
  if (request.deadline_ns != kNoDeadline && s.knobs.admit && s.settled() &&
      s.comes_late(now_ns, request, verdict))
    return verdict;
  verdict.alone = s.queue.push(request);
  return verdict;
}

void Scheduler::requeue(int64_t, uint64_t group, std::span<const Request> requests,
                        std::optional<ReplicaId> avoid) {
  for (const Request& request : requests) impl_->queue.push_again(group, request, avoid);
}

bool Scheduler::cancel(uint64_t token) { return impl_->queue.cancel(token).has_value(); }

void Scheduler::batch_done(int64_t now_ns, uint64_t batch, BatchOutcome outcome, int64_t latency_ns) {
  Impl& s = *impl_;
  for (Lane& lane : s.lanes) {
    const auto flight = lane.land(batch);
    if (!flight) continue;
    double ratio = 1;
    if (outcome == BatchOutcome::clean) {
      const double latency = std::max(1.0, static_cast<double>(latency_ns));
      double usual = 0, others = 0;
      for (const Lane& other : s.lanes) {
        if (other.model().empty()) continue;
        usual += other.model().mean_ns(flight->rows);
        others += 1;
      }
      if (others > 0) ratio = latency * others / usual;
      const uint64_t drifts = lane.model().drifts();
      lane.observe(s.knobs, s.budget_ns(), *flight, latency);
      s.tell_news(lane, lane.model().drifts() != drifts);
    }
    s.replicas.batch_ended(now_ns, lane.id(), outcome, ratio);
    return;
  }
}

void Scheduler::observe_overhead(int64_t now_ns, int64_t overhead_ns) {
  impl_->overhead.add(now_ns, overhead_ns);
}

void Scheduler::set_knobs(const SchedulerKnobs& knobs) {
  Impl& s = *impl_;
  if (knobs.controller != s.knobs.controller)
    for (Lane& lane : s.lanes) lane.change_controller(knobs.controller);
  s.knobs = knobs;
  s.replicas.set_retry_share(knobs.retry_share);
}

void Scheduler::step(int64_t now_ns, Actions& actions) {
  Impl& s = *impl_;
  s.wake_ns.reset();
  s.replicas.advance(now_ns);
  s.overhead.advance(now_ns);
  if (s.replicas.serving_count() == 0) {
    s.shed_all(actions);
  } else {
    s.expire(now_ns, actions);
    s.passed_over.clear();
    while (s.serve_one(now_ns, actions)) {
    }
    if (s.passed_over.empty()) s.held_since_ns.reset();
  }
  if (const auto change = s.replicas.next_change_ns()) s.wake_at(*change);
  actions.controller_events.insert(actions.controller_events.end(), s.news.begin(), s.news.end());
  s.news.clear();
}

std::optional<int64_t> Scheduler::next_wake() const { return impl_->wake_ns; }

SchedulerFigures Scheduler::figures(int64_t now_ns) const {
  const Impl& s = *impl_;
  SchedulerFigures figures{.arrival_rows_per_s = 1e9 * s.rate.rows_per_ns(now_ns),
                           .queued_requests = s.queue.size(),
                           .queued_rows = s.queue.rows(),
                           .queued_bytes = s.queue.bytes()};
  const Lane* busiest = nullptr;
  for (const Lane& lane : s.lanes) {
    figures.target_rows = std::max(figures.target_rows, s.target(lane));
    figures.batches_in_flight += static_cast<uint32_t>(lane.flights().size());
    figures.rows_in_flight += lane.rows_in_flight();
    if (s.replicas.serving(lane.id())) figures.slots += lane.slots(s.knobs);
    if (busiest == nullptr || lane.model().batches() > busiest->model().batches()) busiest = &lane;
  }
  if (busiest == nullptr) return figures;
  figures.alpha_ns_per_row = busiest->model().alpha();
  figures.beta_ns = busiest->model().beta();
  figures.share_over = busiest->share_over();
  return figures;
}

ReplicaFigures Scheduler::replica_figures(ReplicaId id) const {
  const Lane* lane = impl_->find(id);
  if (lane == nullptr) return {};
  return {.target_rows = impl_->target(*lane),
          .alpha_ns_per_row = lane->model().alpha(),
          .beta_ns = lane->model().beta(),
          .share_over = lane->share_over(),
          .batches_in_flight = static_cast<uint32_t>(lane->flights().size()),
          .slots = lane->slots(impl_->knobs)};
}

LatencyState Scheduler::latency_state(ReplicaId id) const {
  const Lane* lane = impl_->find(id);
  return lane == nullptr ? LatencyState{} : lane->model().save();
}

void Scheduler::restore_latency(ReplicaId id, const LatencyState& state) {
  if (Lane* lane = impl_->find(id)) lane->restore(state);
}

}  // namespace mlq::serve
