// The replicas of a model: health, warm-up, metadata.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lib/serve/gateway/served_model_impl.h"

namespace mlq::serve {
namespace {

constexpr int64_t kHealthEveryNs = 1'000'000'000;
constexpr int64_t kHealthTimeoutNs = 500'000'000;
constexpr int64_t kWarmTimeoutNs = 10'000'000'000;
constexpr int64_t kMetadataAgeNs = 10'000'000'000;
// Batches (64 at most), health checks, metadata.
constexpr uint32_t kConnections = 80;

http::ClientPoolOptions pool_options() {
  http::ClientPoolOptions options;
  options.max_connections = kConnections;
  return options;
}

}  // namespace

ServedModel::ReplicaLink::ReplicaLink(ServedModel& model, ReplicaId number, const std::string& where)
    : id(number), url(where), pool(model.host_.reactor(), http::parse_url(where), pool_options()) {}

ServedModel::ReplicaLink* ServedModel::link(ReplicaId id) {
  for (const auto& link : links_)
    if (link->id == id) return link.get();
  return nullptr;
}

ReplicaId ServedModel::add_replica(const std::string& url, bool ready) {
  const ReplicaId id = next_replica_++;
  links_.push_back(std::make_unique<ReplicaLink>(*this, id, url));
  scheduler_.add_replica(now_ns(), id, ready);
  report_replicas();
  return id;
}

bool ServedModel::remove_replica(ReplicaId id) {
  ReplicaLink* gone = link(id);
  if (gone == nullptr) return false;
  scheduler_.remove_replica(now_ns(), id);
  report_replicas();  // while its URL is known
  std::erase_if(links_, [&](const auto& link) { return link.get() == gone; });
  pump_soon();
  return true;
}

bool ServedModel::drain_replica(ReplicaId id, bool drain) {
  if (link(id) == nullptr) return false;
  if (drain)
    scheduler_.replicas().drain(now_ns(), id);
  else
    scheduler_.replicas().undrain(now_ns(), id);
  report_replicas();
  pump_soon();
  return true;
}

bool ServedModel::replica_busy(ReplicaId id) const {
  return scheduler_.replica_figures(id).batches_in_flight > 0;
}

std::optional<ReplicaId> ServedModel::replica_of(std::string_view url) const {
  for (const auto& link : links_)
    if (link->url == url) return link->id;
  return std::nullopt;
}

bool ServedModel::ready() const { return scheduler_.replicas().serving_count() > 0; }

// A replica that is no longer in the configuration serves until another one does, so that nobody finds the
// model without one.
void ServedModel::drain_leaving() {
  const bool replaced = std::ranges::any_of(
      links_, [&](const auto& link) { return !link->leaving && scheduler_.replicas().serving(link->id); });
  if (!replaced) return;
  for (const auto& link : links_)
    if (link->leaving && !std::exchange(link->draining, true)) drain_replica(link->id, true);
}

void ServedModel::remove_drained() {
  std::vector<ReplicaId> drained;
  for (const auto& link : links_)
    if (link->draining && !replica_busy(link->id)) drained.push_back(link->id);
  for (const ReplicaId id : drained) remove_replica(id);
}

// Every second, all of them at once.
void ServedModel::check_health() {
  const int64_t now = now_ns();
  remove_drained();
  for (const auto& owned : links_) {
    ReplicaLink& replica = *owned;
    if (replica.checking) continue;
    replica.checking = true;
    const ReplicaId id = replica.id;
    http::UpstreamRequest request;
    request.method = "GET";
    request.target = "/v2/health/ready";
    replica.pool.send(request, now + kHealthTimeoutNs, [this, id](http::UpstreamReply& reply) {
      ReplicaLink* asked = link(id);
      if (asked == nullptr) return;
      if (reply.fault != http::UpstreamFault::none || reply.status != 404)
        return health_answer(id, reply.fault == http::UpstreamFault::none && reply.status < 300);
      // A container without that route: it is well if it takes connections.
      asked->pool.connect_only(now_ns() + kHealthTimeoutNs,
                               [this, id](std::string_view error) { health_answer(id, error.empty()); });
    });
  }
  scheduler_.replicas().advance(now);
  report_replicas();
  if (alone_until_ns_ != 0 && now >= alone_until_ns_) {
    alone_until_ns_ = 0;
    if (config_.dialect == Dialect::v2) learn_metadata();  // perhaps it is another model now
    decide_batchable();
  }
  host_.reactor().call_at(now + kHealthEveryNs, [this, alive = alive_] {
    if (*alive) check_health();
  });
}

void ServedModel::health_answer(ReplicaId id, bool good) {
  ReplicaLink* replica = link(id);
  if (replica == nullptr) return;
  replica->checking = false;
  replica->answered = good;
  scheduler_.replicas().health(now_ns(), id, good);
  if (good && !metadata_.known && config_.dialect == Dialect::v2) learn_metadata();
  if (scheduler_.replicas().wants_warm(id)) warm(*replica);
  drain_leaving();
  report_replicas();
  pump_soon();
}

// One request after another until the replica has given as many good answers as it needs.
void ServedModel::warm(ReplicaLink& replica) {
  if (replica.warming) return;
  replica.warming = true;
  const ReplicaId id = replica.id;
  http::UpstreamRequest request;
  std::shared_ptr<const std::string> body;
  std::string_view piece;
  Call call;
  call.parsed.dialect = config_.dialect;
  const std::string target = config_.warm_row ? target_of(call) : "/v2/health/ready";
  request.target = target;
  if (config_.warm_row) {
    body = std::make_shared<const std::string>(*config_.warm_row);
    piece = *body;
    request.body = {&piece, 1};
    request.owner = body;
    request.headers = "Content-Type: application/json\r\n";
  } else {
    request.method = "GET";
  }
  replica.pool.send(request, now_ns() + kWarmTimeoutNs, [this, id](http::UpstreamReply& reply) {
    ReplicaLink* warmed = link(id);
    if (warmed == nullptr) return;
    warmed->warming = false;
    // Without a row to ask for, a container that has no health route has done what it can.
    const bool good = reply.fault == http::UpstreamFault::none &&
                      (reply.status < 300 || (!config_.warm_row && reply.status == 404));
    scheduler_.replicas().warm_answer(now_ns(), id, good);
    if (good && scheduler_.replicas().wants_warm(id)) warm(*warmed);
    drain_leaving();
    report_replicas();
    pump_soon();
  });
}

void ServedModel::learn_metadata() {
  for (const auto& owned : links_) {
    if (!owned->answered) continue;
    http::UpstreamRequest request;
    request.method = "GET";
    const std::string target = "/v2/models/" + config_.upstream_name;
    request.target = target;
    owned->pool.send(request, now_ns() + kHealthTimeoutNs, [this](http::UpstreamReply& reply) {
      if (reply.fault == http::UpstreamFault::none && reply.status == 200) metadata_answer(reply);
    });
    return;
  }
}

void ServedModel::metadata_answer(http::UpstreamReply& reply) {
  Metadata fresh = read_metadata(reply.body);
  if (!fresh.known) {
    constexpr std::string_view kUnreadable = "the replicas' metadata cannot be read";
    if (metadata_.known || metadata_.why_not == kUnreadable) return;
    metadata_.why_not = kUnreadable;
    fault("upstream", std::nullopt, "metadata: not an object with inputs and outputs");
  } else {
    metadata_ = std::move(fresh);
    metadata_.at_ns = now_ns();
  }
  decide_batchable();
}

// What the configuration, the metadata and the replies say.
void ServedModel::decide_batchable() {
  bool may = config_.batchable == Batchable::yes;
  std::string why_not;
  if (config_.batchable == Batchable::no) {
    why_not = "the configuration says so";
  } else if (config_.batchable == Batchable::automatic) {
    may = metadata_.known && metadata_.open_rows;
    why_not = config_.dialect == Dialect::v2 ? metadata_.why_not
                                             : R"(this dialect has no metadata; say "batchable": "yes")";
  }
  if (may && !config_.idempotent) {
    may = false;
    why_not = "it is not idempotent";
  }
  if (may && alone_until_ns_ != 0) {
    may = false;
    why_not = split_failure_;
  }
  if (may) why_not.clear();
  if (may == batchable_ && why_not == why_alone_) return;
  batchable_ = may;
  why_alone_ = std::move(why_not);
  host_.emitter().emit(records::ServedModel{t_ns(), config_.name, std::string(dialect_name(config_.dialect)),
                                            batchable_,
                                            batchable_ ? std::nullopt : std::optional(why_alone_)});
  publish();
}

void ServedModel::ask_metadata(std::string_view version,
                               std::function<void(int status, std::string_view body)> answer) {
  if (version.empty() && metadata_.known && now_ns() - metadata_.at_ns < kMetadataAgeNs)
    return answer(200, metadata_.text);
  std::string target = "/v2/models/" + config_.upstream_name;
  if (!version.empty()) target += fmt::format("/versions/{}", version);
  for (const auto& owned : links_) {
    if (!scheduler_.replicas().serving(owned->id)) continue;
    http::UpstreamRequest request;
    request.method = "GET";
    request.target = target;
    owned->pool.send(request, now_ns() + kHealthTimeoutNs,
                     [this, answer, whole = version.empty()](http::UpstreamReply& reply) {
                       if (reply.fault != http::UpstreamFault::none)
                         return answer(502, admin_error(502, reply.error).body);
                       if (whole && reply.status == 200) metadata_answer(reply);
                       answer(reply.status, reply.body);
                     });
    return;
  }
  answer(503, admin_error(503, "no replica of the model is there").body);
}

void ServedModel::report_replicas() {
  std::vector<ReplicaChange> changes;
  scheduler_.replicas().take_changes(changes);
  if (changes.empty()) return;
  for (const ReplicaChange& change : changes) {
    const ReplicaLink* replica = link(change.replica);
    host_.emitter().emit(
        records::Replica{t_ns(), config_.name, change.replica, replica == nullptr ? "" : replica->url,
                         std::string(replica_state_name(change.state)),
                         change.reason.empty() ? std::nullopt : std::optional(std::string(change.reason))});
  }
  publish();
}

void ServedModel::publish() {
  auto face = std::make_shared<ModelFace>();
  face->name = config_.name;
  face->dialect = config_.dialect;
  face->batch_params = config_.batch_params;
  face->forward_headers = config_.forward_headers;
  face->path = config_.path;
  face->rows_pointer = config_.rows_pointer;
  face->answers_pointer = config_.answers_pointer;
  face->relay = config_.relay;
  for (const auto& link : links_)
    if (scheduler_.replicas().serving(link->id)) face->relay_urls.push_back(link->url);
  face->ready = ready();
  face->rules.batchable = batchable_;
  face->rules.batch_params = face->batch_params;
  face->rules.max_rows = knobs_.max_rows;
  face->rules.max_batch_bytes = knobs_.max_batch_bytes;
  face->wants_cache_text = knobs_.cache_bytes > 0 || knobs_.coalesce;
  host_.publish(std::move(face));
}

std::vector<std::string> ServedModel::added_replicas() const {
  std::vector<std::string> out;
  for (const auto& link : links_)
    if (std::ranges::find(config_.replicas, link->url) == config_.replicas.end()) out.push_back(link->url);
  return out;
}

std::map<std::string, LatencyState> ServedModel::latency_states() const {
  std::map<std::string, LatencyState> out;
  for (const auto& link : links_) out.emplace(link->url, scheduler_.latency_state(link->id));
  return out;
}

void ServedModel::recall(const std::vector<std::string>& added,
                         const std::map<std::string, LatencyState>& latency) {
  for (const std::string& url : added)
    if (!replica_of(url)) add_replica(url, false);
  for (const auto& link : links_)
    if (const auto known = latency.find(link->url); known != latency.end() && known->second.largest_rows > 0)
      scheduler_.restore_latency(link->id, known->second);
}

void ServedModel::reconfigure(const ModelConfig& config) {
  for (const std::string& url : config_.replicas) {
    const bool stays = std::ranges::find(config.replicas, url) != config.replicas.end();
    const auto id = replica_of(url);
    if (!id || stays) continue;
    link(*id)->leaving = true;
  }
  for (const std::string& url : config.replicas) {
    const auto id = replica_of(url);
    if (!id) {
      add_replica(url, false);
    } else if (std::exchange(link(*id)->leaving, false) && std::exchange(link(*id)->draining, false)) {
      drain_replica(*id, false);
    }
  }
  drain_leaving();
  remove_drained();
  config_ = config;
  alone_until_ns_ = 0;  // who configures a model anew wants it tried again
  decide_batchable();
  publish();
}

}  // namespace mlq::serve
