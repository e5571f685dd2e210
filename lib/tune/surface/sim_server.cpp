#include "lib/tune/surface/sim_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/base/units.h"
#include "lib/serve/gateway/route.h"

namespace mlq::tune {
namespace {

using serve::KnobValue;
using serve::RouteKind;

constexpr size_t kGenerationsKept = 16;
constexpr std::string_view kModel = "sim";
constexpr std::string_view kVersion = "1";
constexpr uint32_t kLieStream = 1;  // of Purpose::surface_noise

serve::Knob knob_of(const Axis& axis) {
  if (axis.type == KnobType::integer)
    return serve::int_knob(axis.name, std::get<int64_t>(axis.values.front()),
                           std::get<int64_t>(axis.values.back()), axis.doc);
  return serve::list_knob(axis.name, axis.values, axis.doc);
}

std::vector<KnobValue> values_at(const Space& space, PointId point) {
  std::vector<KnobValue> values;
  for (size_t k = 0; k < space.dims(); ++k) values.push_back(space.value(point, k));
  return values;
}

serve::KnobRows knob_rows(const Space& space, PointId start) {
  std::vector<serve::Knob> rows;
  for (const Axis& axis : space.axes()) rows.push_back(knob_of(axis));
  return {std::move(rows), {}, values_at(space, start)};
}

void send(const http::Reply& reply, int status, std::string_view body, std::string_view headers = {}) {
  reply.send({.status = status, .content_type = "application/json", .headers = headers, .body = body});
}

}  // namespace

SimServer::SimServer(http::Reactor& reactor, SimServerOptions options)
    : reactor_(reactor),
      options_(std::move(options)),
      rows_(knob_rows(space(), options_.start.value_or(space().middle()))),
      admin_({"mlq-tune", options_.version, {}, false},
             {[this] { return std::vector<serve::AdminModel*>{this}; }, [this] { return metrics(); },
              [](const http::Request&, const std::string&, const http::Reply&) { return false; }}),
      start_ns_(http::Reactor::now_ns()),
      point_(options_.start.value_or(space().middle())),
      station_(model(0),
               {[this](uint64_t batch) { return service_noise(options_.seed, batch, model(0).sigma); },
                [this](const Station::Served& s) { served(s); },
                [this](uint32_t, double cpu_ns) { cpu_s_ += cpu_ns * 1e-9; }}) {}

// Requests ------------------------------------------------------------------------------------------------

void SimServer::handle(http::Request& request, const http::Reply& reply) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (path == "/metrics" || path.starts_with("/admin/")) {
    if (request.method == "PATCH" && refuse_change(request, reply)) return;
    return admin_.handle(request, reply);
  }
  const serve::Route route = serve::parse_route(request.method, request.target);
  const bool known = route.model == kModel && (route.version.empty() || route.version == kVersion);
  switch (route.kind) {
    case RouteKind::live:
    case RouteKind::ready:
      return send(reply, 200, {});
    case RouteKind::server:
      return send(reply, 200,
                  fmt::format(R"({{"name":"mlq-tune simulate","version":"{}"}})", options_.version));
    case RouteKind::model:
      if (!known) break;
      return send(reply, 200,
                  R"({"name":"sim","versions":["1"],"platform":"mlq_simulated",)"
                  R"("inputs":[{"name":"input","datatype":"FP32","shape":[-1,1]}],)"
                  R"("outputs":[{"name":"output","datatype":"INT64","shape":[1]}]})",
                  gen_header(gen_));
    case RouteKind::model_ready:
      if (!known) break;
      return send(reply, 200, {}, gen_header(gen_));
    case RouteKind::infer:
      if (!known) break;
      return infer(reply);
    case RouteKind::wrong_method:
      return send(reply, 405, R"({"error":"this path does not take this method"})");
    default:
      break;
  }
  send(reply, 404, R"({"error":"there is no such path; there is POST /v2/models/sim/infer"})");
}

void SimServer::infer(const http::Reply& reply) {
  ++requests_;
  if (holds(options_.faults.crash_on, point_)) {
    reply.reset();
    return crash();
  }
  const int64_t now = t_ns();
  if (!drifted_ && options_.faults.drift != 1 && now >= options_.faults.drift_ns) {
    drifted_ = true;
    station_.set_model(model(now));
  }
  station_.advance(now);
  if (!station_.arrive(now, requests_)) {
    ++counts(gen_).refused;
    return send(reply, 503, R"({"error":"the queue is full"})",
                gen_header(gen_) + "x-mlq-reason: queue_full\r\nRetry-After: 1\r\n");
  }
  jobs_.emplace(requests_, Job{reply, gen_});
  run_due();
}

void SimServer::served(const Station::Served& served) {
  const auto node = jobs_.extract(served.id);
  if (node.empty()) return;
  const Job& job = node.mapped();
  counts(job.gen).latency.add(served.ended_ns - served.arrived_ns);
  if (!job.reply.open()) return;
  ++good_;
  send(job.reply, 200,
       R"({"model_name":"sim","model_version":"1",)"
       R"("outputs":[{"name":"output","datatype":"INT64","shape":[1],"data":[0]}]})",
       gen_header(job.gen));
}

void SimServer::run_due() {
  if (crashed_) return;
  station_.advance(t_ns());
  const int64_t next = station_.next_ns();
  if (next == INT64_MAX || next >= timer_ns_) return;
  timer_ns_ = next;
  reactor_.call_at(start_ns_ + next, [this, next] {
    if (timer_ns_ == next) timer_ns_ = INT64_MAX;
    run_due();
  });
}

void SimServer::crash() {
  crashed_ = true;
  for (auto& [id, job] : jobs_) job.reply.reset();
  jobs_.clear();
  reactor_.stop(0);
}

std::string SimServer::gen_header(uint64_t admitted) const {
  if (admitted == gen_) return fmt::format("x-mlq-gen: {}\r\n", gen_);
  return fmt::format("x-mlq-gen: {}-{}\r\n", admitted, gen_);
}

// Knobs ---------------------------------------------------------------------------------------------------

std::vector<KnobValue> SimServer::knob_values() const { return values_at(space(), point_); }

std::optional<PointId> SimServer::point_of(const std::vector<KnobValue>& values) const {
  Config config;
  for (size_t k = 0; k < values.size(); ++k) config.emplace_back(space().axes()[k].name, values[k]);
  return space().find(config);
}

bool SimServer::holds(const std::optional<Expression>& condition, PointId point) const {
  if (!condition) return false;
  return condition->holds([&](std::string_view name) -> std::optional<KnobValue> {
    for (size_t k = 0; k < space().dims(); ++k)
      if (space().axes()[k].name == name) return space().value(point, k);
    return std::nullopt;
  });
}

ServerModel SimServer::model(int64_t t_ns) const {
  ServerModel model = options_.preset.preset->at(options_.preset.levels.front(), point_);
  model.queue_limit = options_.queue_limit;
  if (options_.faults.drift != 1 && t_ns >= options_.faults.drift_ns) {
    model.base_ns *= options_.faults.drift;
    model.request_ns *= options_.faults.drift;
  }
  return model;
}

// True if the change was answered: a server that does not say beforehand what it cannot take.
bool SimServer::refuse_change(const http::Request& request, const http::Reply& reply) {
  if (!options_.faults.refuse) return false;
  std::vector<KnobValue> values = knob_values();
  if (rows_.patch(request.body, values)) return false;  // the admin interface says what is wrong
  const auto point = point_of(values);
  if (!point || !holds(options_.faults.refuse, *point)) return false;
  serve::Admin::send(reply, serve::admin_error(422, "the model did not load with these settings"));
  return true;
}

void SimServer::apply(const std::vector<KnobValue>& values, std::string_view by) {
  const auto point = point_of(values);
  if (!point) throw environment_error("these values are no point of the grid");
  run_due();
  ++gen_;
  ++changes_;
  const PointId before = point_;
  const double coin = RandomStream(options_.seed, Purpose::surface_noise).uniform(changes_, 0, kLieStream);
  if (coin >= options_.faults.lie) {
    point_ = *point;
    station_.set_model(model(t_ns()));
    run_due();
  }
  if (on_change) on_change(gen_, before, point_, std::string(by));
}

void SimServer::describe(jsonl::Buffer& out) const {
  out.raw(fmt::format(R"(,"backend":"simulated","waiting":{},"busy":{},"requests":{})", station_.waiting(),
                      station_.busy(), requests_));
}

// Metrics -------------------------------------------------------------------------------------------------

SimServer::GenCounts& SimServer::counts(uint64_t gen) {
  if (!counts_.contains(gen) && counts_.size() >= kGenerationsKept) counts_.erase(counts_.begin());
  return counts_[gen];
}

std::string SimServer::metrics() const {
  serve::MetricsText text("");
  const auto each = [&](auto sample) {
    for (const auto& [gen, counts] : counts_) sample(std::to_string(gen), counts);
  };
  text.family("mlq_sim_request_seconds", "histogram",
              "From a request's arrival to the end of its service, by the generation that admitted it.");
  each([&](const std::string& gen, const GenCounts& c) {
    text.sample({{"model", kModel}, {"gen", gen}}, c.latency);
  });
  text.family("mlq_sim_refused_total", "counter", "Requests that found the queue full.");
  each([&](const std::string& gen, const GenCounts& c) {
    text.sample({{"model", kModel}, {"gen", gen}}, c.refused);
  });
  text.family("process_cpu_seconds_total", "counter", "CPU time that the simulated server has used.");
  text.sample({}, cpu_s_);
  text.family("mlq_sim_waiting", "gauge", "Requests that wait.");
  text.sample({{"model", kModel}}, station_.waiting());
  text.family("mlq_sim_busy", "gauge", "Instances at work.");
  text.sample({{"model", kModel}}, station_.busy());
  text.family("mlq_sim_knob_generation", "gauge", "Generation of the knobs.");
  text.sample({{"model", kModel}}, gen_);
  return text.text();
}

void parse_drift(std::string_view text, SimFaults& faults) {
  const size_t at = text.find('@');
  if (at == text.npos) throw usage_error("\"{}\" must be FACTOR@TIME, as in 2@60s", text);
  faults.drift = parse_double(text.substr(0, at));
  if (!(faults.drift > 0)) throw usage_error("\"{}\": the factor must be above 0", text);
  faults.drift_ns = parse_duration(text.substr(at + 1));
}

}  // namespace mlq::tune
