#include "lib/serve/model/model_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/serve/model/replies.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"
#include "lib/serve/protocol/values.h"

namespace mlq::serve::model {
namespace {

constexpr ReplicaId kReplica = 0;  // all instances together
constexpr uint64_t kQueueBytes = uint64_t{256} << 20;
constexpr uint64_t kAnySize = uint64_t{1} << 40;
constexpr int64_t kLongestTimeoutNs = 60'000'000'000;
constexpr int64_t kNoTimeoutNs = 86'400'000'000'000;
constexpr size_t kTricklePieces = 16;
constexpr std::string_view kVersion = "1";

SchedulerKnobs scheduler_knobs(const ServeKnobs& knobs) {
  SchedulerKnobs out;
  out.controller = ControllerKind::fixed;
  out.max_rows = knobs.max_rows;
  out.delay_mode = DelayMode::fixed;
  out.delay_ns = knobs.delay_ns;
  out.concurrency = knobs.instances;
  out.max_batch_bytes = kQueueBytes;
  out.admit = false;
  out.max_queue_rows = knobs.queue_rows;
  out.max_queue_bytes = kQueueBytes;
  return out;
}

std::optional<uint64_t> header_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

ModelServer::ModelServer(http::Reactor& reactor, ModelServerOptions options, ModelMaker maker)
    : reactor_(reactor),
      options_(std::move(options)),
      maker_(std::move(maker)),
      table_(serve_knob_table(options_.backend, options_.cores)),
      rows_(table_.rows()),
      scheduler_(scheduler_knobs(options_.knobs), options_.seed) {
  scheduler_.add_replica(http::Reactor::now_ns(), kReplica, true);
  start_slot(maker_.make());
  set_slots();
}

ModelServer::~ModelServer() = default;

// Requests ------------------------------------------------------------------------------------------------

void ModelServer::handle(http::Request& request, const http::Reply& reply) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (path == "/predict") {
    if (request.method == "POST") return accept(request, reply, Dialect::plain);
    return send_plain(reply, {405, error_body("this path takes POST"), {}, 0});
  }
  const Route route = parse_route(request.method, request.target);
  const auto known = [&] {
    if (is_model(route)) return true;
    send_plain(reply, {404, error_body("there is no such model; there is " + options_.name), {}, 0});
    return false;
  };
  switch (route.kind) {
    case RouteKind::none:
      return send_plain(reply, {404, error_body("there is no such path"), {}, 0});
    case RouteKind::wrong_method:
      return send_plain(reply, {405, error_body("this path does not take this method"), {}, 0});
    case RouteKind::live:
      return send_plain(reply, {});
    case RouteKind::ready:
      return send_plain(reply, draining_ ? Plain{503, error_body("draining"), "draining", 0} : Plain{});
    case RouteKind::server:
      return send_plain(reply, {200, server_metadata(options_.program_version), {}, 0});
    case RouteKind::model:
      if (known()) send_plain(reply, {200, model_metadata(options_.name, maker_.info()), {}, 0}, true);
      return;
    case RouteKind::model_ready:
      if (known())
        send_plain(reply, draining_ ? Plain{503, error_body("draining"), "draining", 0} : Plain{}, true);
      return;
    case RouteKind::model_v1:
      if (known()) send_plain(reply, {200, v1_status(options_.name, !draining_), {}, 0}, true);
      return;
    case RouteKind::infer:
      if (known()) accept(request, reply, Dialect::v2);
      return;
    case RouteKind::predict:
      if (known()) accept(request, reply, Dialect::v1);
      return;
  }
}

bool ModelServer::is_model(const Route& route) const {
  return route.model == options_.name && (route.version.empty() || route.version == kVersion);
}

void ModelServer::accept(http::Request& request, const http::Reply& reply, Dialect dialect) {
  stats_.arrived();
  auto job = std::make_unique<Job>(reply, std::move(request.body));
  job->gen = gen_;
  job->first_byte_ns = request.first_byte_ns;
  job->arrival_ns = request.arrival_ns;
  if (!request.header("content-encoding").empty())
    return fail(*job, {415, error_body("Content-Encoding is not supported; send the body as it is"), {}, 0});
  size_t width = 0;
  auto refused = parse(request, dialect, *job);
  if (!refused) refused = read(*job, width);
  if (refused) return fail(*job, {refused->status, error_body(refused->message), {}, 0});
  if (const std::string_view own = request.header("x-mlq-timeout"); !own.empty()) {
    try {
      const int64_t timeout_ns = parse_duration(own);
      if (job->request.timeout_ns == 0 || timeout_ns < job->request.timeout_ns)
        job->request.timeout_ns = timeout_ns;
    } catch (const Error& error) {
      return fail(*job, {400, error_body(fmt::format("x-mlq-timeout: {}", error.what())), {}, 0});
    }
  }
  enqueue(std::move(job), width);
}

std::optional<Refusal> ModelServer::parse(const http::Request& request, Dialect dialect, Job& job) const {
  Rules rules;
  rules.max_rows = rules.max_batch_bytes = kAnySize;
  switch (dialect) {
    case Dialect::v1:
      return parse_v1(job.body, rules, job.request);
    case Dialect::plain:
      return parse_plain(job.body, {"/rows", "/answers"}, rules, job.request);
    case Dialect::v2:
      break;
  }
  std::optional<uint64_t> json_bytes;
  if (const std::string_view text = request.header("inference-header-content-length"); !text.empty()) {
    json_bytes = header_number(text);
    if (!json_bytes) return Refusal{400, "Inference-Header-Content-Length: it must be a number"};
    if (*json_bytes == 0) return Refusal{400, "Inference-Header-Content-Length: raw bodies are not taken"};
  }
  return parse_v2(job.body, json_bytes, rules, job.request);
}

// The numbers of the request, and how many there are in a row.
std::optional<Refusal> ModelServer::read(Job& job, size_t& width) const {
  const ModelInfo& info = maker_.info();
  if (job.request.dialect == Dialect::v2) {
    if (job.request.inputs.size() != 1 || job.request.inputs[0].name != info.input)
      return Refusal{400, fmt::format("inputs: there must be one, named \"{}\"", info.input)};
    const InputTensor& input = job.request.inputs[0];
    if (input.shape.rank < 2)
      return Refusal{400, fmt::format("input \"{}\": shape: it must be [rows, values..]", info.input)};
    if (auto refused = read_values(input, job.values)) return refused;
    job.rows = input.shape.dims[0];
    width = job.rows == 0 ? 0 : job.values.size() / job.rows;
  } else {
    if (job.request.rows == 0) return Refusal{400, "there are no rows of equal form in it"};
    if (auto refused = read_rows(job.request, job.values, width)) return refused;
    job.rows = job.request.rows;
  }
  if (job.rows == 0 || width == 0) return Refusal{400, "there is no row in it"};
  if (info.features() != 0 && width != info.features())
    return Refusal{400, fmt::format("a row has {} values; the model takes {}", width, info.features())};
  if (job.rows > std::numeric_limits<uint32_t>::max()) return Refusal{400, "too many rows"};
  return std::nullopt;
}

void ModelServer::enqueue(std::unique_ptr<Job> job, size_t width) {
  const uint64_t token = next_token_++;
  job->faults = draw_faults(options_.knobs, options_.seed, token - 1);
  const int64_t timeout_ns =
      job->request.timeout_ns > 0 ? std::min(job->request.timeout_ns, kLongestTimeoutNs) : kNoTimeoutNs;
  // A deadline of a day in place of none: a queue that is long is long, and not shed from.
  const serve::Request request{.token = token,
                               .key = width,
                               .rows = static_cast<uint32_t>(job->rows),
                               .bytes = job->values.size() * sizeof(double),
                               .arrived_ns = job->first_byte_ns,
                               .deadline_ns = job->first_byte_ns + timeout_ns,
                               .level = job->request.level};
  const Verdict verdict = scheduler_.arrive(http::Reactor::now_ns(), request);
  if (verdict.rejection != Rejection::none)
    return fail(*job, {503, error_body("the queue is full"), "queue_full", verdict.retry_after_ns});
  job->reply.on_gone([this, token] { client_gone(token); });
  jobs_.emplace(token, std::move(job));
  step_soon();
}

void ModelServer::client_gone(uint64_t token) {
  const auto found = jobs_.find(token);
  if (found == jobs_.end()) return;
  note_end(*found->second, 499, {}, http::Reactor::now_ns());
  found->second->gone = true;
  if (scheduler_.cancel(token)) jobs_.erase(found);  // else its slice will be discarded
}

// Batches -------------------------------------------------------------------------------------------------

// Once for all requests that are there now.
void ModelServer::step_soon() {
  if (step_posted_) return;
  step_posted_ = true;
  reactor_.post([this] {
    step_posted_ = false;
    step();
  });
}

void ModelServer::step() {
  actions_.clear();
  scheduler_.step(http::Reactor::now_ns(), actions_);
  for (const Shed& shed : actions_.sheds) {
    const auto node = jobs_.extract(shed.token);
    if (!node.empty()) fail(*node.mapped(), {503, error_body("it waited for too long"), "deadline", 0});
  }
  for (const Dispatch& each : actions_.dispatches) dispatch(each);
  const auto next = scheduler_.next_wake();
  if (!next || (wake_ns_ && *wake_ns_ <= *next)) return;
  wake_ns_ = *next;
  reactor_.call_at(*next, [this, at = *next] {
    if (wake_ns_ == at) wake_ns_.reset();
    step();
  });
}

void ModelServer::dispatch(const Dispatch& each) {
  const auto idle = std::find_if(slots_.begin(), slots_.end(),
                                 [](const auto& slot) { return !slot.second.busy && !slot.second.retiring; });
  const auto work = std::make_shared<Work>();
  work->batch = each.batch;
  work->rows = each.rows;
  work->conditions = {next_batch_++, options_.seed, options_.knobs.intra_threads, options_.knobs};
  const int64_t now_ns = http::Reactor::now_ns();
  for (const uint64_t token : actions_.tokens_of(each)) {
    Job& job = *jobs_.at(token);
    job.queue_ns = now_ns - job.arrival_ns;
    work->tokens.push_back(token);
    work->values.insert(work->values.end(), job.values.begin(), job.values.end());
    std::vector<double>().swap(job.values);
  }
  idle->second.busy = true;
  idle->second.instance->start(work);
}

void ModelServer::start_slot(std::shared_ptr<Model> first) {
  const uint64_t id = next_slot_++;
  slots_[id].instance = std::make_unique<Instance>(
      std::move(first), [this] { return maker_.make(); },
      [this, id](std::shared_ptr<Work> work) {
        reactor_.post([this, id, work = std::move(work)] { batch_done(id, *work); });
      });
}

// As many as the knobs say; one that is at work ends with its batch.
void ModelServer::set_slots() {
  size_t wanted = options_.knobs.instances;
  for (auto at = slots_.begin(); at != slots_.end();) {
    Slot& slot = at->second;
    const bool keep = wanted > 0;
    if (keep) --wanted;
    slot.retiring = !keep;
    at = keep || slot.busy ? std::next(at) : slots_.erase(at);
  }
  for (; wanted > 0; --wanted) start_slot(nullptr);
}

void ModelServer::batch_done(uint64_t id, Work& work) {
  const auto slot = slots_.find(id);
  slot->second.busy = false;
  if (slot->second.retiring) slots_.erase(slot);
  const bool failed = !work.answer.error.empty();
  scheduler_.batch_done(http::Reactor::now_ns(), work.batch,
                        failed ? BatchOutcome::failed : BatchOutcome::clean, work.latency_ns);
  stats_.batch(kReplica, static_cast<uint32_t>(work.rows), work.latency_ns,
               failed ? BatchOutcome::failed : BatchOutcome::clean);
  size_t first_row = 0;
  for (const uint64_t token : work.tokens) {
    const auto node = jobs_.extract(token);
    Job& job = *node.mapped();
    if (!job.gone) answer(job, work, first_row);
    first_row += job.rows;
  }
  step_soon();
}

// Answers -------------------------------------------------------------------------------------------------

void ModelServer::answer(Job& job, const Work& work, size_t first_row) {
  if (job.faults.reset) {
    note_end(job, 499, {}, http::Reactor::now_ns());
    return job.reply.reset();
  }
  if (!work.answer.error.empty()) return fail(job, {500, error_body(work.answer.error), "internal", 0});
  if (job.faults.error) return fail(job, {500, error_body("as told by error_share"), "internal", 0});
  InferenceReply reply(maker_.info(), work.answer, first_row, job.rows);
  const auto refused = reply.write(job.request, job.faults, options_.name, kVersion);
  if (refused) return fail(job, {refused->status, error_body(refused->message), {}, 0});
  const std::string headers = gen_header(job.gen) + reply.headers();
  finish(job,
         {.status = 200, .content_type = reply.content_type(), .headers = headers, .body = reply.body()});
}

void ModelServer::fail(Job& job, const Plain& answer) {
  const std::string headers = gen_header(job.gen) + reason_headers(answer.reason, answer.retry_after_ns);
  finish(
      job,
      {.status = answer.status, .content_type = "application/json", .headers = headers, .body = answer.body},
      answer.reason);
}

void ModelServer::finish(Job& job, const http::Response& response, std::string_view reason) {
  const auto ended = std::make_shared<Job>(job.reply, std::string());
  ended->gen = job.gen;
  ended->first_byte_ns = job.first_byte_ns;
  ended->queue_ns = job.queue_ns;
  job.reply.on_sent([this, ended, status = response.status, reason](int64_t now_ns) {
    note_end(*ended, status, reason, now_ns);
  });
  if (job.faults.trickle && options_.knobs.trickle_ns > 0) return trickle(job, response);
  job.reply.send(response);
}

// In pieces, the last of them trickle_ns after the first.
void ModelServer::trickle(Job& job, const http::Response& response) {
  http::Response head = response;
  head.body = {};
  job.reply.start(head);
  const std::string_view body = response.body;
  const size_t piece = std::max<size_t>(1, (body.size() + kTricklePieces - 1) / kTricklePieces);
  const int64_t now_ns = http::Reactor::now_ns();
  const size_t count = std::max<size_t>(1, (body.size() + piece - 1) / piece);
  for (size_t k = 0; k < count; ++k) {
    const int64_t at_ns = now_ns + options_.knobs.trickle_ns * static_cast<int64_t>(k) /
                                       static_cast<int64_t>(std::max<size_t>(count - 1, 1));
    std::string text(body.substr(std::min(body.size(), k * piece), piece));
    reactor_.call_at(at_ns, [reply = job.reply, text = std::move(text), last = k + 1 == count] {
      reply.write(text);
      if (last) reply.finish();
    });
  }
}

void ModelServer::note_end(const Job& job, int status, std::string_view reason, int64_t now_ns) {
  ++requests_;
  stats_.ended({.status = status,
                .reason = reason,
                .gen_admitted = job.gen,
                .gen = gen_,
                .latency_ns = now_ns - job.first_byte_ns,
                .queue_ns = job.queue_ns.value_or(-1),
                .good = status == 200});
}

std::string ModelServer::gen_header(uint64_t admitted) const {
  if (admitted == gen_) return fmt::format("x-mlq-gen: {}\r\n", gen_);
  return fmt::format("x-mlq-gen: {}-{}\r\n", admitted, gen_);
}

void ModelServer::send_plain(const http::Reply& reply, const Plain& answer, bool of_model) const {
  const std::string headers =
      (of_model ? gen_header(gen_) : std::string()) + reason_headers(answer.reason, answer.retry_after_ns);
  reply.send({.status = answer.status,
              .content_type = answer.body.empty() ? std::string_view() : "application/json",
              .headers = headers,
              .body = answer.body});
}

// The operator's side -------------------------------------------------------------------------------------

void ModelServer::apply(const std::vector<KnobValue>& values, std::string_view by) {
  const std::vector<KnobValue> before = knob_values();
  options_.knobs = table_.options(values);
  ++gen_;
  scheduler_.set_knobs(scheduler_knobs(options_.knobs));
  set_slots();
  step_soon();
  if (!on_knob) return;
  for (size_t k = 0; k < values.size(); ++k) {
    if (values[k] != before[k]) on_knob({gen_, rows_.rows()[k].name, values[k], before[k], std::string(by)});
  }
}

void ModelServer::describe(jsonl::Buffer& out) const {
  const Gauges now = gauges();
  out.raw(fmt::format(R"(,"backend":"{}","queued_rows":{},"instances":{},"instances_busy":{},"requests":{})",
                      backend_info(options_.backend).name, now.queued_rows, now.instances, now.busy,
                      requests_));
}

Gauges ModelServer::gauges() const {
  const SchedulerFigures figures = scheduler_.figures(http::Reactor::now_ns());
  Gauges now{.gen = gen_, .queued_rows = figures.queued_rows};
  for (const auto& [id, slot] : slots_) {
    now.busy += slot.busy ? 1 : 0;
    now.instances += slot.retiring ? 0 : 1;
  }
  return now;
}

std::optional<records::ServeWindow> ModelServer::take_window(int64_t t_ns, int64_t window_ns) {
  records::ServeWindow window = stats_.take_window(t_ns, window_ns);
  if (window.requests == 0 && window.rate_per_s == 0) return std::nullopt;
  window.model = options_.name;
  window.gen = gen_;
  window.target_rows = options_.knobs.max_rows;
  window.inflight = gauges().busy;
  return window;
}

std::string ModelServer::metrics() const {
  MetricsText text("mlq_model_");
  const ModelStats::Named named{options_.name, &stats_};
  ModelStats::write(std::span(&named, 1), text);
  const Gauges now = gauges();
  const auto gauge = [&](std::string_view family, std::string_view help, uint64_t value) {
    text.family(family, "gauge", help);
    text.sample({{"model", options_.name}}, value);
  };
  gauge("queued_rows", "Rows that wait.", now.queued_rows);
  gauge("instances", "Instances.", now.instances);
  gauge("instances_busy", "Instances at work.", now.busy);
  gauge("knob_generation", "Generation of the knobs.", now.gen);
  return text.text();
}

}  // namespace mlq::serve::model
