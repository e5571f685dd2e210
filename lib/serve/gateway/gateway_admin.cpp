// The admin routes that are mlq-serve's own, and its metrics.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/serve/gateway/gateway.h"

namespace mlq::serve {
namespace {

constexpr std::string_view kModels = "/admin/v1/models/";
constexpr size_t kMostUnsentEvents = size_t{4} << 20;

AdminAnswer done(int status = 200) { return {status, R"({"ok":true})", {}}; }

}  // namespace

void Gateway::start_admin() {
  if (!options_.admin) return;
  admin_ = std::make_unique<Admin>(
      AdminOptions{"mlq-serve", options_.version, options_.admin_token, !options_.admin->unix_path.empty()},
      Admin::Hooks{[this] {
                     std::vector<AdminModel*> all;
                     for (const auto& [name, served] : models_) all.push_back(served.get());
                     return all;
                   },
                   [this] { return metrics(); },
                   [this](const http::Request& request, const std::string& path, const http::Reply& reply) {
                     return admin_route(request, path, reply);
                   }});
}

bool Gateway::admin_route(const http::Request& request, const std::string& path, const http::Reply& reply) {
  if (path == "/admin/v1/events" && request.method == "GET") return stream_events(reply);
  if (path == "/admin/v1/drain" && request.method == "POST") {
    if (!draining_) begin_drain();
    Admin::send(reply, done());
    return true;
  }
  if (path == "/admin/v1/reload" && request.method == "POST") {
    const std::string why = reload();
    Admin::send(reply, why.empty() ? done() : admin_error(422, why));
    return true;
  }
  if (path == "/admin/v1/snapshot" && request.method == "POST") {
    AdminAnswer answer = done();
    if (!state_) {
      answer = admin_error(409, "there is no --state-dir");
    } else {
      try {
        take_snapshot();
      } catch (const Error& failed) {
        answer = admin_error(507, failed.what());
      }
    }
    Admin::send(reply, answer);
    return true;
  }
  if (!path.starts_with(kModels)) return false;
  const std::string_view rest = std::string_view(path).substr(kModels.size());
  const std::string_view name = rest.substr(0, rest.find('/'));
  if (name.size() == rest.size()) {
    if (request.method != "PUT" && request.method != "DELETE") return false;
    Admin::send(reply, model_write(request, name));
    return true;
  }
  const std::string_view what = rest.substr(name.size() + 1);
  if (what == "cache" && request.method == "DELETE") {
    ServedModel* served = model(name);
    if (served != nullptr) served->clear_cache();
    Admin::send(reply,
                served == nullptr ? admin_error(404, fmt::format("there is no model \"{}\"", name)) : done());
    return true;
  }
  if (!what.starts_with("replicas/")) return false;
  ServedModel* served = model(name);
  Admin::send(reply, served == nullptr ? admin_error(404, fmt::format("there is no model \"{}\"", name))
                                       : replica_write(request, *served, what.substr(9)));
  return true;
}

AdminAnswer Gateway::model_write(const http::Request& request, std::string_view name) {
  ServedModel* served = model(name);
  if (request.method == "DELETE") {
    if (served == nullptr) return admin_error(404, fmt::format("there is no model \"{}\"", name));
    if (served->calls() > 0)
      return admin_error(
          409, fmt::format("{} requests are under way; send them elsewhere first", served->calls()));
    remove_model(std::string(name));
    return done();
  }
  try {
    const ModelConfig config = parse_model_config(request.body, name);
    check_model(config);
    return done(put_model(config, "admin") ? 201 : 200);
  } catch (const Error& error) {
    return admin_error(422, error.what());
  }
}

// replicas (PUT with {"url":..}), replicas/N (DELETE), replicas/N/drain and undrain (POST).
AdminAnswer Gateway::replica_write(const http::Request& request, ServedModel& served, std::string_view what) {
  const std::string_view number = what.substr(0, what.find('/'));
  const std::string_view verb = what.substr(std::min(what.size(), number.size()));
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
  const bool is_number = !number.empty() && error == std::errc() && end == number.data() + number.size();
  if (request.method == "PUT" && number == "new" && verb.empty()) {
    jsonl::OwnedObject body(request.body);
    const jsonl::Value* url = body.ok() ? body.parser().find("url") : nullptr;
    if (url == nullptr || url->kind != jsonl::Kind::string)
      return admin_error(400, "{\"url\": \"..\"} is wanted");
    try {
      if (http::parse_url(url->text).tls()) return admin_error(422, "there is no TLS here");
    } catch (const Error& wrong) {
      return admin_error(422, wrong.what());
    }
    if (served.replica_of(url->text)) return admin_error(409, "that URL is a replica already");
    const ReplicaId added = served.add_replica(std::string(url->text), false);
    try {
      keep_replicas(served);
    } catch (const Error& failed) {
      served.remove_replica(added);
      return admin_error(507, failed.what());
    }
    return {201, fmt::format("{{\"replica\":{}}}", added), {}};
  }
  const AdminAnswer missing = admin_error(404, fmt::format("there is no replica \"{}\"", number));
  if (!is_number) return missing;
  if (request.method == "DELETE" && verb.empty()) {
    if (served.replica_busy(id)) return admin_error(409, "batches are in flight there; drain it first");
    if (!served.remove_replica(id)) return missing;
    try {
      keep_replicas(served);
    } catch (const Error& failed) {
      return admin_error(507, failed.what());
    }
    return done();
  }
  if (request.method == "POST" && (verb == "/drain" || verb == "/undrain"))
    return served.drain_replica(id, verb == "/drain") ? done() : missing;
  return admin_error(405, "PUT new, DELETE, POST drain and POST undrain are what there is for replicas");
}

// The record stream; a reader that is too slow loses records and is told how many.
bool Gateway::stream_events(const http::Reply& reply) {
  reply.start({200, "application/x-ndjson"});
  const auto lost = std::make_shared<uint64_t>(0);
  emitter_->listen([this, reply, lost, alive = alive_](std::string_view lines) {
    if (!*alive) return false;
    // From the emitter's thread to the one that the reply belongs to.
    reactor().post([this, reply, lost, text = std::string(lines)] {
      if (!reply.open()) return;
      if (reply.unsent_bytes() > kMostUnsentEvents) {
        *lost += static_cast<uint64_t>(std::ranges::count(text, '\n'));
        return;
      }
      if (*lost > 0)
        reply.write(fmt::format("{{\"type\":\"lost\",\"t_ns\":{},\"records\":{}}}\n",
                                http::Reactor::now_ns() - start_ns_, std::exchange(*lost, 0)));
      reply.write(text);
    });
    return true;
  });
  return true;
}

std::string Gateway::metrics() const {
  MetricsText out("mlq_serve_");
  std::vector<ModelStats::Named> stats;
  for (const auto& [name, served] : models_) stats.emplace_back(name, &served->stats());
  ModelStats::write(stats, out);
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, "gauge", help);
    for (const auto& [model, served] : models_)
      out.sample({{"model", model}}, static_cast<double>(value(*served)));
  };
  gauge("fit_alpha_seconds_per_row", "Slope of the latency line.",
        [](const ServedModel& m) { return m.figures().alpha_ns_per_row * 1e-9; });
  gauge("fit_beta_seconds", "Its intercept.",
        [](const ServedModel& m) { return m.figures().beta_ns * 1e-9; });
  gauge("fit_over_share", "Share of the last batches that took longer than predicted.",
        [](const ServedModel& m) { return m.figures().share_over; });
  gauge("target_rows", "Size that the controller aims at.",
        [](const ServedModel& m) { return m.figures().target_rows; });
  gauge("queue_rows", "Rows waiting.", [](const ServedModel& m) { return m.figures().queued_rows; });
  gauge("cache_bytes", "Size of the cache.", [](const ServedModel& m) { return m.cache_bytes(); });
  gauge("knob_generation", "Generation of the knobs.", [](const ServedModel& m) { return m.gen(); });
  const auto replicas = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, "gauge", help);
    for (const auto& [model, served] : models_)
      for (const ReplicaFacts& r : served->replica_facts())
        out.sample({{"model", model}, {"replica", fmt::format("{}", r.id)}}, value(r));
  };
  replicas("replica_up", "Whether it takes work.",
           [](const ReplicaFacts& r) { return r.serving ? 1.0 : 0.0; });
  replicas("replica_ejected", "Whether it is put aside.",
           [](const ReplicaFacts& r) { return r.state == ReplicaState::ejected ? 1.0 : 0.0; });
  replicas("replica_inflight", "Batches in flight there.",
           [](const ReplicaFacts& r) { return static_cast<double>(r.inflight); });
  out.family("records_lost_total", "counter", "Records that the reader of standard output was too slow for.");
  out.sample({}, emitter_->lost());
  out.family("memory_bytes", "gauge", "Bodies of requests, as --memory counts them.");
  out.sample({}, static_cast<double>(memory_used_));
  return out.text();
}

}  // namespace mlq::serve
