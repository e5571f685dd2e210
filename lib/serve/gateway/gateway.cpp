#include "lib/serve/gateway/gateway.h"

#include <sys/random.h>

#include <algorithm>

#include <fmt/format.h>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/io.h"

namespace mlq::serve {
namespace {

constexpr int64_t kTickNs = 20'000'000;
constexpr int64_t kWindowNs = 1'000'000'000;
constexpr int64_t kMostCrossing = 4096;
constexpr int64_t kLastGraceNs = 1'000'000'000;  // for answers that are being written

RequestIds make_ids(const std::optional<std::pair<uint64_t, uint64_t>>& keys) {
  if (keys) return {keys->first, keys->second};
  uint64_t drawn[2] = {};
  if (::getrandom(drawn, sizeof drawn, 0) != sizeof drawn)
    throw environment_error("the system has no random numbers for request ids");
  return {drawn[0], drawn[1]};
}

// Knobs that the configuration says otherwise than before; what only PATCH has touched stays.
std::vector<KnobValue> knobs_after(const ServedModel& served, const ModelConfig& config) {
  std::vector<KnobValue> values = served.knob_values();
  const std::vector<KnobValue> defaults = model_knob_rows().defaults();
  const auto rows = model_knob_rows().rows();
  for (size_t k = 0; k < values.size(); ++k) {
    const auto was = served.config().knobs.find(rows[k].name);
    const auto is = config.knobs.find(rows[k].name);
    const bool had = was != served.config().knobs.end(), has = is != config.knobs.end();
    if (has && (!had || was->second != is->second)) values[k] = is->second;
    if (had && !has) values[k] = defaults[k];
  }
  return values;
}

}  // namespace

Gateway::Gateway(GatewayOptions options, std::function<void(const std::string&)> notice)
    : options_(std::move(options)),
      notice_(std::move(notice)),
      ids_(make_ids(options_.id_keys)),
      start_ns_(http::Reactor::now_ns()) {
  if (!options_.state_dir.empty()) state_ = std::make_unique<State>(options_.state_dir, notice_);
  for (uint32_t k = 0; k < options_.threads; ++k) {
    reactors_.push_back(std::make_unique<http::Reactor>());
    fronts_.push_back(std::make_unique<Front>(*this, *reactors_[k], k));
  }
  listen();
}

Gateway::~Gateway() { *alive_ = false; }

void Gateway::listen() {
  http::ServerOptions options = options_.listen.server_options();
  options.reuse_port = options_.threads > 1 && options_.listen.unix_path.empty();
  options.max_header_bytes = static_cast<uint32_t>(options_.max_header_bytes);
  options.max_target_bytes = 8 * 1024;
  options.max_body_bytes = options_.max_body_bytes;
  options.max_connections = std::max<uint32_t>(1, options_.max_connections / options_.threads);
  options.header_timeout_ns = options_.header_timeout_ns;
  options.idle_timeout_ns = options_.idle_timeout_ns;
  options.min_body_rate = options_.min_body_rate;
  options.send_timeout_ns = options_.idle_timeout_ns;
  // A Unix socket has one listener; the first reactor takes all its connections.
  const size_t listeners = options_.listen.unix_path.empty() ? options_.threads : 1;
  for (size_t k = 0; k < listeners; ++k) {
    servers_.push_back(std::make_unique<http::Server>(
        *reactors_[k], options, [front = fronts_[k].get()](http::Request& request, const http::Reply& reply) {
          front->handle(request, reply);
        }));
    options.port = servers_.front()->port();
  }
  if (!options_.admin) return;
  http::ServerOptions admin = options_.admin->server_options();
  admin.max_header_bytes = 16 * 1024;
  admin.max_body_bytes = uint64_t{1} << 20;
  admin.max_connections = 256;
  admin.header_timeout_ns = options_.header_timeout_ns;
  admin.idle_timeout_ns = options_.idle_timeout_ns;
  admin.min_body_rate = options_.min_body_rate;
  admin_server_ = std::make_unique<http::Server>(
      *reactors_.front(), admin,
      [this](http::Request& request, const http::Reply& reply) { admin_->handle(request, reply); });
}

// Between threads
// ---------------------------------------------------------------------------------------------

void Gateway::on_owner(std::function<void()> task, uint32_t front) {
  if (front == 0) return task();
  reactors_.front()->post(std::move(task));
}

void Gateway::on_front(uint32_t front, std::function<void()> task) {
  if (front == 0) return task();
  reactors_[front]->post(std::move(task));
}

bool Gateway::submit(const std::string& name, std::unique_ptr<Call> call) {
  const uint32_t front = call->front;
  if (front == 0) {
    if (ServedModel* served = model(name)) {
      ++requests_;
      served->submit(std::move(call));
      return true;
    }
    return false;
  }
  if (crossing_.fetch_add(1, std::memory_order_relaxed) >= kMostCrossing) {
    crossing_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  const std::shared_ptr<Call> shared = std::move(call);
  reactors_.front()->post([this, name, shared] {
    crossing_.fetch_sub(1, std::memory_order_relaxed);
    ServedModel* served = model(name);
    if (served == nullptr) {
      const std::string body = admin_error(404, "the model was taken away").body;
      return answer(*shared, {404, "application/json", {}, {body}});
    }
    ++requests_;
    served->submit(std::make_unique<Call>(std::move(*shared)));
  });
  return true;
}

void Gateway::gone(const std::string& name, uint64_t token) {
  on_owner(
      [this, name, token] {
        if (ServedModel* served = model(name)) served->gone(token);
      },
      static_cast<uint32_t>(token >> 56));
}

void Gateway::sent(const std::string& name, uint64_t token, int64_t now_ns) {
  on_owner(
      [this, name, token, now_ns] {
        if (ServedModel* served = model(name)) served->sent(token, now_ns);
      },
      static_cast<uint32_t>(token >> 56));
}

void Gateway::answer(const Call& call, const Answer& answer) {
  if (call.front == 0) return fronts_.front()->answer(call.token, answer);
  std::string body;
  for (const std::string_view piece : answer.pieces) body += piece;
  reactors_[call.front]->post([front = fronts_[call.front].get(), token = call.token, status = answer.status,
                               type = std::string(answer.content_type), headers = std::string(answer.headers),
                               body = std::move(body)] {
    front->answer(token, {status, type, headers, {body}});
  });
}

void Gateway::publish(std::shared_ptr<const ModelFace> face) {
  for (uint32_t k = 0; k < fronts_.size(); ++k)
    on_front(k, [front = fronts_[k].get(), face] { front->publish(face); });
}

void Gateway::ask_metadata(uint32_t front, const std::string& name, const std::string& version,
                           uint64_t token) {
  on_owner(
      [this, front, name, version, token] {
        const auto deliver = [this, front, token](int status, std::string_view body) {
          Call address;
          address.token = token;
          address.front = front;
          answer(address, {status, "application/json", {}, {body}});
        };
        if (ServedModel* served = model(name)) return served->ask_metadata(version, deliver);
        deliver(404, admin_error(404, "the model was taken away").body);
      },
      front);
}

// Models
// ------------------------------------------------------------------------------------------------------

ServedModel* Gateway::model(std::string_view name) {
  const auto at = models_.find(name);
  return at == models_.end() ? nullptr : at->second.get();
}

// The configuration, and what was set at run time before the last start.
void Gateway::add_model(const ModelConfig& config) {
  std::vector<KnobValue> values = knob_values(config);
  uint64_t gen = 1;
  if (const auto last = last_gen_.find(config.name); last != last_gen_.end()) gen = last->second + 1;
  const SavedModel* saved = nullptr;
  if (state_) {
    const auto at = state_->saved().find(config.name);
    if (at != state_->saved().end()) saved = &at->second;
  }
  if (saved != nullptr) {
    gen = std::max(gen, saved->gen + 1);
    std::vector<KnobValue> with = values;
    const auto rows = model_knob_rows().rows();
    for (size_t k = 0; k < rows.size(); ++k)
      if (const auto set = saved->knobs.find(rows[k].name); set != saved->knobs.end()) with[k] = set->second;
    if (const auto refusal = model_knob_rows().check(with))
      notice_(
          fmt::format("{}: the knobs that were kept do not fit any more: {}", config.name, refusal->message));
    else
      values = std::move(with);
  }
  const auto added =
      models_.emplace(config.name, std::make_unique<ServedModel>(*this, config, std::move(values), gen,
                                                                 options_.seed, options_.full_headers));
  if (saved != nullptr) added.first->second->recall(saved->added, saved->latency);
}

void Gateway::remove_model(const std::string& name) {
  const auto at = models_.find(name);
  at->second->end_calls();
  last_gen_[name] = at->second->gen();
  good_ += at->second->stats().good();
  for (uint32_t k = 0; k < fronts_.size(); ++k)
    on_front(k, [front = fronts_[k].get(), name] { front->withdraw(name); });
  models_.erase(at);
  if (state_) state_->forget(name);
}

void Gateway::keep_knobs(std::string_view name, const std::vector<KnobValue>& values) {
  if (!state_) return;
  const ServedModel& served = *model(name);
  const std::vector<KnobValue> configured = knob_values(served.config());
  const auto rows = model_knob_rows().rows();
  std::map<std::string, KnobValue> set;
  for (size_t k = 0; k < values.size(); ++k)
    if (values[k] != configured[k]) set.emplace(rows[k].name, values[k]);
  state_->keep_knobs(name, served.gen() + 1, set);
}

void Gateway::keep_replicas(ServedModel& served) {
  if (state_) state_->keep_replicas(served.name(), served.added_replicas());
}

void Gateway::take_snapshot() {
  if (!state_) return;
  for (const auto& [name, served] : models_) state_->set_latency(name, served->latency_states());
  state_->snapshot();
}

bool Gateway::take_memory(uint64_t bytes) {
  if (memory_used_ + bytes > options_.memory_bytes) return false;
  memory_used_ += bytes;
  return true;
}

void Gateway::ended() {
  if (draining_) end_when_idle();
}

size_t Gateway::calls() const {
  size_t sum = 0;
  for (const auto& [name, served] : models_) sum += served->calls();
  return sum;
}

std::string Gateway::reload() {
  if (!options_.reread) return "there is no configuration file";
  ServeConfig fresh;
  try {
    fresh = options_.reread();
    for (const ModelConfig& config : fresh.models) check_model(config);
  } catch (const Error& error) {
    return error.what();
  }
  std::vector<std::string> gone;
  for (const auto& [name, served] : models_)
    if (std::ranges::find(fresh.models, name, &ModelConfig::name) == fresh.models.end()) gone.push_back(name);
  for (const std::string& name : gone) remove_model(name);
  try {
    for (const ModelConfig& config : fresh.models) put_model(config, "reload");
  } catch (const Error& error) {  // the disk: knobs could not be kept
    return error.what();
  }
  return {};
}

// Throws an input Error, before anything has changed, if put_model() cannot be.
void Gateway::check_model(const ModelConfig& config) {
  knob_values(config);
  const ServedModel* served = model(config.name);
  if (served == nullptr) return;
  if (config.dialect != served->config().dialect)
    throw input_error("{}: the dialect of a model cannot change; take it away first", config.name);
  if (const auto refusal = model_knob_rows().check(knobs_after(*served, config)))
    throw input_error("{}: {}", config.name, refusal->message);
}

// True: it was not there.
bool Gateway::put_model(const ModelConfig& config, std::string_view by) {
  ServedModel* served = model(config.name);
  if (served == nullptr) {
    add_model(config);
    return true;
  }
  if (served->config() == config) return false;
  const std::vector<KnobValue> values = knobs_after(*served, config);
  served->reconfigure(config);
  if (values != served->knob_values()) served->apply(values, by);
  return false;
}

// Life
// --------------------------------------------------------------------------------------------------------

GatewayOutcome Gateway::run(records::Run run, records::Writer& writer, const StopFlag& stop,
                            std::atomic<bool>* reload) {
  stop_ = &stop;
  reload_ = reload;
  run.url = servers_.front()->url();
  run.start_unix_ns = unix_now_ns();
  writer.keep_interrupted();  // a signal is how a server ends
  writer.run(run);
  writer.flush();
  start_ns_ = http::Reactor::now_ns();
  emitter_ = std::make_unique<Emitter>(writer, options_.emit);
  start_admin();
  for (const ModelConfig& config : options_.config.models) add_model(config);
  emitter_->emit(records::Listen{"data", servers_.front()->url()});
  if (admin_server_) emitter_->emit(records::Listen{"admin", admin_server_->url()});
  emitter_->flush();
  next_window_ns_ = start_ns_ + kWindowNs;
  tick();
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> failures(reactors_.size());
  const auto turn = [&](size_t k) {
    try {
      reactors_[k]->run();
    } catch (...) {
      failures[k] = std::current_exception();
      reactors_.front()->stop(0);
    }
  };
  for (size_t k = 1; k < reactors_.size(); ++k) threads.emplace_back(turn, k);
  turn(0);
  for (size_t k = 1; k < reactors_.size(); ++k) reactors_[k]->stop(0);
  for (std::thread& thread : threads) thread.join();
  GatewayOutcome outcome;
  outcome.interrupted = interrupted_;
  outcome.requests = requests_;
  for (const auto& [name, served] : models_) outcome.good += served->stats().good();
  outcome.good += good_;
  outcome.lost_requests = lost_;
  const int64_t now = http::Reactor::now_ns();
  for (const auto& [name, served] : models_)
    served->emit_window(next_window_ns_ - kWindowNs - start_ns_,
                        std::max<int64_t>(now - (next_window_ns_ - kWindowNs), 1));
  emitter_->stop();
  take_snapshot();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  if (emitter_->failure()) std::rethrow_exception(emitter_->failure());
  records::End end;
  if (interrupted_) end.interrupted = true;
  end.requests = outcome.requests;
  end.good = outcome.good;
  end.lost_requests = outcome.lost_requests;
  writer.end(end);
  return outcome;
}

// Fifty times a second: signals, windows, the end.
void Gateway::tick() {
  const int64_t now = http::Reactor::now_ns();
  if (now >= next_window_ns_) {
    const int64_t from = next_window_ns_ - kWindowNs;
    for (const auto& [name, served] : models_) served->emit_window(from - start_ns_, now - from);
    next_window_ns_ = now + kWindowNs;
  }
  if (*stop_ && !draining_) {
    interrupted_ = true;
    begin_drain();
  }
  if (options_.for_ns > 0 && now - start_ns_ >= options_.for_ns && !draining_) begin_drain();
  tell_of_failure();
  if (reload_ != nullptr && reload_->exchange(false)) {
    if (const std::string why = reload(); !why.empty()) {
      notice_(fmt::format("the configuration stays as it was: {}", why));
      emitter_->emit(records::ServeFault{now - start_ns_, std::nullopt, std::nullopt, "reload", why});
    }
  }
  if (draining_) end_when_idle();
  reactor().call_at(now + kTickNs, [this, alive = alive_] {
    if (*alive) tick();
  });
}

// The exit status says it too, but a server may go on for weeks until then.
void Gateway::tell_of_failure() {
  if (told_of_failure_) return;
  const std::exception_ptr failure = emitter_->failure();
  if (!failure) return;
  told_of_failure_ = true;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    notice_(fmt::format("{}; records are lost from here on, and the server goes on", error.what()));
  }
}

void Gateway::begin_drain() {
  draining_ = true;
  drain_from_ns_ = http::Reactor::now_ns();
}

void Gateway::end_when_idle() {
  const int64_t waited = http::Reactor::now_ns() - drain_from_ns_;
  if (!closed_ && waited >= options_.grace_ns) {
    closed_ = true;
    for (size_t k = 0; k < servers_.size(); ++k)
      on_front(static_cast<uint32_t>(k), [server = servers_[k].get()] { server->stop_accepting(); });
  }
  if (!closed_) return;
  const size_t left = calls() + static_cast<size_t>(std::max<int64_t>(crossing_, 0));
  if (left > 0 && waited < options_.grace_ns + options_.drain_timeout_ns) return;
  lost_ = left;
  reactor().stop(left > 0 ? 0 : kLastGraceNs);
}

}  // namespace mlq::serve
