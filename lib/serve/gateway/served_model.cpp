// Calls and flights; replicas are in served_model_replicas.cpp, what an operator sees in
// served_model_admin.cpp.
#include "lib/serve/gateway/served_model.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "lib/serve/gateway/default_output.h"
#include "lib/serve/gateway/reply_id.h"
#include "lib/serve/gateway/served_model_impl.h"

namespace mlq::serve {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kBinary = "application/octet-stream";
// How long requests go one by one after a reply that could not be split: 10 s, twice that each time, 85 min
// at most.
constexpr int64_t kAloneNs = 10'000'000'000;
constexpr int kAloneDoublings = 9;

std::string_view outcome_name(BatchOutcome outcome) {
  constexpr std::string_view kNames[] = {"clean", "rejected", "failed", "abandoned"};
  return kNames[static_cast<size_t>(outcome)];
}

bool sampled(uint64_t token, double share) {
  const uint64_t mixed = token * 0x9e3779b97f4a7c15u;
  return static_cast<double>(mixed >> 11) * 0x1p-53 < share;
}

std::string json_bytes_header(const std::optional<uint64_t>& bytes) {
  return bytes ? fmt::format("Inference-Header-Content-Length: {}\r\n", *bytes) : std::string();
}

std::optional<uint64_t> json_bytes_of(const http::UpstreamReply& reply) {
  const std::string_view text = reply.header("inference-header-content-length");
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string upstream_gen_header(const http::UpstreamReply& reply) {
  const std::string_view gen = reply.header("x-mlq-gen");
  return gen.empty() ? std::string() : fmt::format("x-mlq-upstream-gen: {}\r\n", gen);
}

}  // namespace

ServedModel::ServedModel(ModelHost& host, ModelConfig config, std::vector<KnobValue> values, uint64_t gen,
                         uint64_t seed, bool full_headers)
    : host_(host),
      config_(std::move(config)),
      values_(std::move(values)),
      knobs_(model_knob_table().options(values_)),
      gen_(gen),
      full_headers_(full_headers),
      scheduler_(knobs_, seed),
      cache_(knobs_.cache_bytes, knobs_.cache_policy, knobs_.cache_ttl_ns) {
  metadata_.why_not = "no replica has told its metadata yet";
  for (const std::string& url : config_.replicas) add_replica(url, true);
  decide_batchable();
  const std::vector<KnobValue> defaults = knobs().defaults(), configured = serve::knob_values(config_);
  for (size_t k = 0; k < values_.size(); ++k)
    if (values_[k] != defaults[k])
      tell_knob(k, values_[k], defaults[k], values_[k] == configured[k] ? "start" : "state");
  check_health();
}

ServedModel::~ServedModel() { *alive_ = false; }

int64_t ServedModel::t_ns() const { return now_ns() - host_.start_ns(); }

// In
// ----------------------------------------------------------------------------------------------------------

void ServedModel::submit(std::unique_ptr<Call> owned) {
  Call& call = *owned;
  calls_.emplace(call.token, std::move(owned));
  call.gen_admitted = gen_;
  stats_.arrived();
  if (host_.emitter().choice().arrival) {
    records::Arrival arrival;
    arrival.t_ns = call.first_byte_ns - host_.start_ns();
    arrival.klass = config_.name;
    if (call.parsed.rows > 0) arrival.rows = static_cast<uint32_t>(call.parsed.rows);
    arrival.size_bytes = call.body.size();
    host_.emitter().emit(arrival);
  }
  if (call.timeout_ns)
    call.deadline_ns = call.first_byte_ns + *call.timeout_ns;
  else if (knobs_.slo_ns > 0)
    call.deadline_ns = call.first_byte_ns + knobs_.slo_ns;
  if (host_.closed()) return refuse(call, 503, "draining", "the server is going down", 1'000'000'000);
  if (!host_.take_memory(call.body.size())) {
    call.body.clear();  // nothing to give back
    return refuse(call, 503, "memory", "the server's memory is used up", 100'000'000);
  }
  if (!call.cache_text.empty() && (answer_from_cache(call) || follow(call))) return;
  enqueue(call);
}

// The answer is there, and is given.
bool ServedModel::answer_from_cache(Call& call) {
  if (knobs_.cache_bytes == 0 || call.cache_bypass) return false;
  call.cache = "miss";
  if (!call.cache_refresh) {
    if (const auto hit = cache_.find(now_ns(), call.cache_text)) {
      call.cache = "hit";
      const auto [body, json_bytes] = with_id(*hit, call.parsed);
      answer(call, {200, hit->content_type, {}, {body}}, {}, json_bytes_header(json_bytes));
      return true;
    }
  }
  stats_.miss();
  return false;
}

// An equal request is under way, and will answer this one too.
bool ServedModel::follow(Call& call) {
  if (!knobs_.coalesce || call.cache_bypass || call.cache_refresh) return false;
  const SingleFlight::Role role = flights_.join(call.cache_text, call.token);
  call.leader = role == SingleFlight::Role::leader;
  call.coalesced = role == SingleFlight::Role::follower;
  return call.coalesced;
}

// What others wait for has come.
void ServedModel::settle_flight(Call& call, std::string_view content_type, std::string_view body,
                                std::optional<uint64_t> json_bytes) {
  if (call.cache_text.empty() || call.cache_bypass) return;
  if (!call.leader && knobs_.cache_bytes == 0) return;
  const auto reply = without_id(call.parsed, content_type, body, json_bytes);
  if (reply && call.leader) {
    call.leader = false;
    std::vector<uint64_t> followers;
    flights_.end(call.cache_text, followers);
    for (const uint64_t token : followers) {
      const auto at = calls_.find(token);
      if (at == calls_.end()) continue;
      Call& follower = *at->second;
      follower.cache = "coalesced";
      const auto [text, bytes] = with_id(*reply, follower.parsed);
      answer(follower, {200, content_type, {}, {text}}, {}, json_bytes_header(bytes));
    }
  }
  if (reply && knobs_.cache_bytes > 0) cache_.store(now_ns(), call.cache_text, *reply);
}

// The call that others wait for has failed: each makes its own.
void ServedModel::release_followers(Call& call) {
  if (!call.leader) return;
  call.leader = false;
  std::vector<uint64_t> followers;
  flights_.end(call.cache_text, followers);
  for (const uint64_t token : followers) {
    const auto at = calls_.find(token);
    if (at == calls_.end()) continue;
    at->second->coalesced = false;
    enqueue(*at->second);
  }
}

// It will not be made: the next in line makes it.
void ServedModel::hand_over(Call& call) {
  if (!call.leader) return;
  call.leader = false;
  const auto next = flights_.hand_over(call.cache_text);
  if (!next) return;
  const auto at = calls_.find(*next);
  if (at == calls_.end()) return;
  at->second->coalesced = false;
  at->second->leader = true;
  // Not from here: under overload it may be refused too, and so on through all that follow.
  host_.reactor().post([this, token = *next, alive = alive_] {
    if (!*alive) return;
    const auto leader = calls_.find(token);
    if (leader != calls_.end()) enqueue(*leader->second);
  });
}

void ServedModel::enqueue(Call& call) {
  const int64_t now = now_ns();
  LiveKey& key = keys_[call.key.text];
  if (key.uses++ == 0) key.id = next_key_++;
  call.key_id = key.id;
  Request request;
  request.token = call.token;
  request.key = key.id;
  request.rows = static_cast<uint32_t>(std::clamp<uint64_t>(call.parsed.rows, 1, UINT32_MAX));
  request.bytes = call.body.size();
  request.arrived_ns = call.first_byte_ns;
  request.deadline_ns = call.deadline_ns;
  request.level = call.parsed.level;
  request.solo = !call.parsed.alone.empty() || !batchable_;
  const Verdict verdict = scheduler_.arrive(now, request);
  switch (verdict.rejection) {
    case Rejection::none:
      return pump_soon();
    case Rejection::queue_full:
      return refuse(call, 503, "queue_full", "the queue is full", verdict.retry_after_ns);
    case Rejection::late:
      return refuse(call, 429, "admit", "it would be answered after its deadline", verdict.retry_after_ns);
    case Rejection::no_replica:
      return refuse(call, 503, "no_replica", "no replica of the model is there", verdict.retry_after_ns);
  }
}

void ServedModel::gone(uint64_t token) {
  const auto at = calls_.find(token);
  if (at == calls_.end()) return;
  Call& call = *at->second;
  call.gone = true;
  if (call.flying && !call.answered) return;  // its slice will be discarded
  if (!call.answered && call.coalesced) flights_.leave(call.cache_text, token);
  if (!call.answered && !call.coalesced) scheduler_.cancel(token);
  hand_over(call);
  finish(call, now_ns(), 499);
}

void ServedModel::sent(uint64_t token, int64_t now) {
  const auto at = calls_.find(token);
  if (at == calls_.end() || !at->second->answered) return;
  Call& call = *at->second;
  if (call.landed_ns > 0)
    scheduler_.observe_overhead(now, (call.parsed_ns - call.first_byte_ns) + (now - call.landed_ns));
  finish(call, now, call.status);
}

// Through
// -----------------------------------------------------------------------------------------------------

// What comes in one turn of the loop is decided on together.
void ServedModel::pump_soon() {
  if (pump_posted_) return;
  pump_posted_ = true;
  host_.reactor().post([this, alive = alive_] {
    if (!*alive) return;
    pump_posted_ = false;
    pump();
  });
}

void ServedModel::pump() {
  actions_.clear();
  scheduler_.step(now_ns(), actions_);
  carry_out();
  report_replicas();
  arm();
}

void ServedModel::arm() {
  const auto wake = scheduler_.next_wake();
  if (!wake || *wake >= armed_ns_) return;
  armed_ns_ = *wake;
  host_.reactor().call_at(armed_ns_, [this, at = armed_ns_, alive = alive_] {
    if (!*alive || at != armed_ns_) return;  // a sooner one was set
    armed_ns_ = kNoDeadline;
    pump();
  });
}

void ServedModel::carry_out() {
  for (const Dispatch& dispatch : actions_.dispatches) launch(dispatch);
  for (const Shed& shed : actions_.sheds) {
    const auto at = calls_.find(shed.token);
    if (at == calls_.end()) continue;
    at->second->flying = false;
    switch (shed.reason) {
      case ShedReason::deadline:
        refuse(*at->second, 503, "deadline", "its deadline cannot be kept", 0);
        break;
      case ShedReason::codel:
        refuse(*at->second, 503, "codel", "the queue has been too long for too long", 100'000'000);
        break;
      case ShedReason::no_replica:
        refuse(*at->second, 503, "no_replica", "no replica of the model is there", 1'000'000'000);
        break;
    }
  }
  for (const ControllerEvent& e : actions_.controller_events) {
    constexpr std::string_view kNames[] = {"grow", "shrink", "drift", "slo_infeasible"};
    host_.emitter().emit(records::ControllerChange{
        t_ns(), config_.name, e.replica, std::string(kNames[static_cast<size_t>(e.kind)]), e.target_rows,
        e.alpha_ns_per_row, e.beta_ns, e.share_over});
  }
}

std::string ServedModel::target_of(const Call& call) const {
  switch (call.parsed.dialect) {
    case Dialect::v1:
      return fmt::format("/v1/models/{}:predict", config_.upstream_name);
    case Dialect::plain:
      return config_.path;
    case Dialect::v2:
      break;
  }
  if (call.version.empty()) return fmt::format("/v2/models/{}/infer", config_.upstream_name);
  return fmt::format("/v2/models/{}/versions/{}/infer", config_.upstream_name, call.version);
}

void ServedModel::launch(const Dispatch& dispatch) {
  const int64_t now = now_ns();
  auto flight = std::make_shared<Flight>();
  flight->dispatch = dispatch;
  flight->gen = gen_;
  flight->launched_ns = now;
  for (const uint64_t token : actions_.tokens_of(dispatch)) {
    Call& call = *calls_.at(token);
    call.flying = true;
    ++call.attempts;
    call.replica = dispatch.replica;
    call.batch_rows = dispatch.rows;
    if (call.dispatched_ns == 0) call.dispatched_ns = now;
    flight->calls.push_back(&call);
    flight->parsed.push_back(&call.parsed);
  }
  flight->upstream_id = fmt::format("mlq-{}", next_upstream_++);
  flight->merged = merge(flight->parsed, flight->upstream_id);
  const Call& first = *flight->calls.front();
  std::string headers;
  if (flight->merged.untouched) {
    headers = fmt::format("Content-Type: {}\r\n",
                          first.content_type.empty() ? kJson : std::string_view(first.content_type));
    headers += first.alone_headers;
  } else {
    headers = fmt::format("Content-Type: {}\r\n", flight->merged.json_bytes ? kBinary : kJson);
  }
  headers += json_bytes_header(flight->merged.json_bytes);
  headers += first.forward;
  const std::string target = target_of(first);
  const std::vector<std::string_view> pieces = flight->merged.body.pieces();
  http::UpstreamRequest request;
  request.target = target;
  request.headers = headers;
  request.body = pieces;
  request.owner = flight;
  request.may_resend = config_.idempotent && knobs_.retry_max > 0;
  ReplicaLink* replica = link(dispatch.replica);
  if (replica == nullptr) {  // taken away in this very turn
    http::UpstreamReply reply;
    reply.fault = http::UpstreamFault::refused;
    reply.error = "the replica was removed";
    return landed(flight, reply);
  }
  replica->pool.send(request, now + knobs_.upstream_timeout_ns,
                     [this, flight](http::UpstreamReply& reply) { landed(flight, reply); });
}

void ServedModel::landed(const std::shared_ptr<Flight>& flight, http::UpstreamReply& reply) {
  const int64_t now = now_ns();
  const Dispatch& d = flight->dispatch;
  const int64_t from = reply.first_write_ns > 0 ? reply.first_write_ns : flight->launched_ns;
  const int64_t latency = (reply.last_read_ns > 0 ? reply.last_read_ns : now) - from;
  int64_t queue_max = 0;
  for (Call* call : flight->calls) {
    call->landed_ns = now;
    queue_max = std::max(queue_max, flight->launched_ns - call->first_byte_ns);
  }
  const size_t requests = flight->calls.size();
  const uint64_t up_bytes = flight->merged.body.bytes();
  for (Call* call : flight->calls) call->flying = false;
  const std::optional<Split> parts = cut(*flight, reply);
  const BatchOutcome outcome = parts ? BatchOutcome::clean : take_failure(*flight, reply);
  scheduler_.batch_done(now, d.batch, outcome, latency);
  stats_.batch(d.replica, d.rows, latency, outcome);
  if (const double share = host_.emitter().choice().batch; share > 0 && sampled(d.batch, share)) {
    records::ServedBatch record;
    record.t_ns = flight->launched_ns - host_.start_ns();
    record.model = config_.name;
    record.replica = d.replica;
    record.gen = flight->gen;
    record.controller = knob_text(values_[0]);
    record.requests = static_cast<uint32_t>(requests);
    record.rows = d.rows;
    record.target_rows = d.target_rows;
    record.request_bytes = up_bytes;
    record.latency_ns = latency;
    if (d.predicted_ns > 0) record.predicted_ns = d.predicted_ns;
    record.queue_max_ns = queue_max;
    record.hold_ns = d.hold_ns;
    record.outcome = outcome_name(outcome);
    host_.emitter().emit(record);
  }
  if (!parts) return pump();
  // The headers stand in the connection, which the next batch takes.
  const std::string type(reply.header("content-type")), gen = upstream_gen_header(reply);
  pump();  // first, so that the replica does not wait while the clients are answered
  hand_out(*flight, *parts, type, gen);
}

// What each client gets of a reply, in the flight's order; none if the reply is not to be handed out.
std::optional<Split> ServedModel::cut(Flight& flight, const http::UpstreamReply& reply) {
  if (reply.fault != http::UpstreamFault::none || reply.status != 200) return std::nullopt;
  Split parts = split({reply.body, json_bytes_of(reply)}, flight.parsed, flight.upstream_id,
                      {config_.broadcast_outputs, metadata_.outputs});
  if (parts.failure.empty()) return parts;
  flight.split_failure = std::move(parts.failure);
  return std::nullopt;
}

BatchOutcome ServedModel::take_failure(Flight& flight, const http::UpstreamReply& reply) {
  if (reply.fault != http::UpstreamFault::none) return take_fault(flight, reply);
  if (reply.status == 200) return take_unsplit(flight);
  return take_error(flight, reply);
}

BatchOutcome ServedModel::take_unsplit(Flight& flight) {
  const std::string& why = flight.split_failure;
  stats_.split_failed();
  fault("split", flight.dispatch.replica, why);
  if (!config_.idempotent) {
    for (Call* call : flight.calls) refuse(*call, 502, "upstream_bad_reply", why);
    return BatchOutcome::rejected;
  }
  if (alone_until_ns_ == 0) {  // its rows are not rows, or it has said so once: no batches for now
    split_failure_ = why;
    alone_until_ns_ = now_ns() + (kAloneNs << std::min(split_failures_++, kAloneDoublings));
    decide_batchable();
  }
  for (Call* call : flight.calls) again(std::span<Call* const>(&call, 1), std::nullopt);
  return BatchOutcome::rejected;
}

void ServedModel::hand_out(Flight& flight, const Split& parts, std::string_view type, std::string_view gen) {
  const bool alone = flight.calls.size() == 1;  // as the container wrote it
  for (size_t k = 0; k < flight.calls.size(); ++k) {
    const ClientReply& part = parts.replies[k];
    const std::string_view typed = alone ? type : part.json_bytes ? kBinary : type.empty() ? kJson : type;
    Call& call = *flight.calls[k];
    const std::vector<std::string_view> pieces = part.body.pieces();
    if (!call.cache_text.empty()) {
      const std::string joined = pieces.size() == 1 ? std::string() : part.body.text();
      settle_flight(call, typed, pieces.size() == 1 ? pieces.front() : joined, part.json_bytes);
    }
    answer(call, {200, typed, {}, pieces}, {}, fmt::format("{}{}", gen, json_bytes_header(part.json_bytes)));
  }
}

// One row may have failed them all: halves are tried, so that it fails alone.
BatchOutcome ServedModel::take_error(Flight& flight, const http::UpstreamReply& reply) {
  const BatchOutcome outcome = reply.status >= 500 ? BatchOutcome::failed : BatchOutcome::rejected;
  const size_t requests = flight.calls.size();
  if (requests > 1 && reply.status >= 400 && config_.idempotent) {
    std::shared_ptr<Bisection> left = flight.calls.front()->bisection;
    if (!left) {
      left = std::make_shared<Bisection>();
      left->calls_left = 2 * std::bit_width(requests - 1) + 2;
      for (Call* call : flight.calls) call->bisection = left;
    }
    if (left->calls_left >= 2) {
      left->calls_left -= 2;
      const std::span<Call* const> calls(flight.calls);
      again(calls.first(requests / 2), std::nullopt);
      again(calls.subspan(requests / 2), std::nullopt);
      return outcome;
    }
  }
  const std::string more =
      fmt::format("x-mlq-upstream-status: {}\r\n{}", reply.status, json_bytes_header(json_bytes_of(reply)));
  for (Call* call : flight.calls)
    answer(*call, {reply.status, reply.header("content-type"), {}, {reply.body}}, "upstream_status", more);
  return outcome;
}

BatchOutcome ServedModel::take_fault(Flight& flight, const http::UpstreamReply& reply) {
  using enum http::UpstreamFault;
  const bool unsent = reply.fault == refused || reply.fault == resolve || reply.fault == busy;
  const bool reset = reply.fault == reset_before_reply || reply.fault == reset_mid_reply;
  const bool bad = reply.fault == too_large || reply.fault == malformed;
  fault("upstream", flight.dispatch.replica, fmt::format("{}: {}", http::name_of(reply.fault), reply.error));
  // What was never sent burdens nobody, and a flight that is made again is one call more, whatever its rows.
  const bool retry = unsent || (reset && config_.idempotent && scheduler_.replicas().take_retry());
  std::vector<Call*> retried;
  for (Call* call : flight.calls) {
    if (retry && call->retries < knobs_.retry_max && !call->gone) {
      ++call->retries;
      retried.push_back(call);
    } else if (reply.fault == timeout) {
      refuse(*call, 504, "upstream_timeout", "the replica did not answer in time");
    } else {
      refuse(*call, 502, bad ? "upstream_bad_reply" : "upstream_error", reply.error);
    }
  }
  again(retried, flight.dispatch.replica);
  return BatchOutcome::failed;
}

// Into the queue a second time, at their old place, together; those who have gone are let go.
void ServedModel::again(std::span<Call* const> calls, std::optional<ReplicaId> avoid) {
  std::vector<Request> requests;
  for (Call* call : calls) {
    if (call->gone) {
      finish(*call, now_ns(), 499);
      continue;
    }
    Request request;
    request.token = call->token;
    request.key = call->key_id;
    request.rows = static_cast<uint32_t>(std::clamp<uint64_t>(call->parsed.rows, 1, UINT32_MAX));
    request.bytes = call->body.size();
    request.arrived_ns = call->first_byte_ns;
    request.deadline_ns = call->deadline_ns;
    request.level = call->parsed.level;
    request.solo = !call->parsed.alone.empty();
    requests.push_back(request);
  }
  if (!requests.empty()) scheduler_.requeue(now_ns(), next_key_++, requests, avoid);
}

// Out
// ---------------------------------------------------------------------------------------------------------

void ServedModel::refuse(Call& call, int status, std::string_view reason, std::string_view message,
                         int64_t retry_after_ns) {
  std::string more;
  if (config_.default_output && status != 502) {
    if (const auto body = default_reply(call.parsed, config_.name, *config_.default_output, reason)) {
      call.defaulted = true;
      return answer(call, {static_cast<int>(knobs_.default_status), kJson, {}, {*body}}, reason,
                    fmt::format("x-mlq-default: {}\r\n", reason));
    }
  }
  if (status == 503 || status == 429) {
    const int64_t wait = std::max<int64_t>(retry_after_ns, 1);
    more = fmt::format("Retry-After: {}\r\nx-mlq-retry-after-ns: {}\r\n",
                       (wait + 999'999'999) / 1'000'000'000, wait);
  }
  const std::string body = admin_error(status, message).body;
  answer(call, {status, kJson, {}, {body}}, reason, more);
}

void ServedModel::answer(Call& call, Answer out, std::string_view reason, std::string_view more_headers) {
  if (call.attempts > 0)
    release_followers(call);
  else
    hand_over(call);
  if (call.gone) return finish(call, now_ns(), 499);
  call.answered = true;
  call.status = out.status;
  call.reason = reason;
  std::string headers = fmt::format("x-mlq-request-id: {}\r\n", host_.request_ids().of(call.token));
  headers += call.gen_admitted == gen_ ? fmt::format("x-mlq-gen: {}\r\n", gen_)
                                       : fmt::format("x-mlq-gen: {}-{}\r\n", call.gen_admitted, gen_);
  if (!reason.empty()) headers += fmt::format("x-mlq-reason: {}\r\n", reason);
  if (!call.cache.empty()) headers += fmt::format("x-mlq-cache: {}\r\n", call.cache);
  if (full_headers_ && call.dispatched_ns > 0)
    headers +=
        fmt::format("x-mlq-batch-rows: {}\r\nx-mlq-queue-ns: {}\r\nx-mlq-replica: {}\r\n", call.batch_rows,
                    call.dispatched_ns - call.first_byte_ns, call.replica.value_or(0));
  headers += more_headers;
  out.headers = headers;
  if (out.content_type.empty()) out.content_type = kJson;
  host_.answer(call, out);
}

void ServedModel::release_key(Call& call) {
  const auto at = keys_.find(call.key.text);
  if (call.key_id != 0 && at != keys_.end() && --at->second.uses == 0) keys_.erase(at);
}

// The books, and the end of the call.
void ServedModel::finish(Call& call, int64_t now, int status) {
  Ending ending;
  ending.status = status;
  ending.reason = call.reason;
  ending.gen_admitted = call.gen_admitted;
  ending.gen = gen_;
  ending.latency_ns = std::max<int64_t>(now - call.first_byte_ns, 0);
  if (call.dispatched_ns > 0) ending.queue_ns = std::max<int64_t>(call.dispatched_ns - call.first_byte_ns, 0);
  ending.has_deadline = call.deadline_ns != kNoDeadline;
  ending.defaulted = call.defaulted;
  ending.good = status >= 200 && status < 300 && !call.defaulted && now <= call.deadline_ns;
  ending.hit = call.cache == "hit";
  ending.coalesced = call.cache == "coalesced";
  stats_.ended(ending);
  if (const double share = host_.emitter().choice().request; share > 0 && sampled(call.token, share)) {
    records::ServedRequest record;
    record.t_ns = call.first_byte_ns - host_.start_ns();
    record.model = config_.name;
    record.request_id = host_.request_ids().of(call.token);
    record.gen_admitted = call.gen_admitted;
    record.gen = gen_;
    record.rows = static_cast<uint32_t>(call.parsed.rows);
    record.code = static_cast<uint32_t>(status);
    if (!call.reason.empty()) record.reason = call.reason;
    record.latency_ns = ending.latency_ns;
    if (ending.queue_ns >= 0) record.queue_ns = ending.queue_ns;
    if (ending.has_deadline) record.slack_ns = call.deadline_ns - now;
    record.good = ending.good;
    if (!call.cache.empty()) record.cache = call.cache;
    record.replica = call.replica;
    record.attempts = call.attempts;
    host_.emitter().emit(record);
  }
  release_key(call);
  host_.give_memory(call.body.size());
  calls_.erase(call.token);
  host_.ended();
}

void ServedModel::end_calls() {
  std::vector<uint64_t> tokens;
  for (const auto& [token, call] : calls_) tokens.push_back(token);
  for (const uint64_t token : tokens) {
    Call& call = *calls_.at(token);
    call.leader = false;  // who follows is told as well
    if (!call.answered && !call.gone)
      refuse(call, 503, "no_replica", "the model was taken away", 1'000'000'000);
    if (calls_.contains(token)) finish(call, now_ns(), call.answered ? call.status : 499);
  }
  for (const auto& link : links_) scheduler_.replicas().remove(now_ns(), link->id);
  report_replicas();
}

void ServedModel::fault(std::string_view kind, std::optional<ReplicaId> replica, std::string note) {
  host_.emitter().emit(
      records::ServeFault{t_ns(), config_.name, replica, std::string(kind), std::move(note)});
}

}  // namespace mlq::serve
