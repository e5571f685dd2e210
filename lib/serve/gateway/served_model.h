// One model of mlq-serve: its queue, its replicas and their connections, its knobs. Everything belongs to one
// thread, that of the reactor it is given.
//
// A call comes in by submit() and goes out by one Host::answer(); between them it is queued, sent up in a
// batch, perhaps again (another replica, half of a batch), and its slice of the reply cut out. Decisions are
// the scheduler's (schedule/scheduler.h), texts the protocol's (protocol/merge.h, split.h); this class moves
// the bytes and keeps the books.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/http/client_pool.h"
#include "lib/http/reactor.h"
#include "lib/serve/control/admin.h"
#include "lib/serve/gateway/cache.h"
#include "lib/serve/gateway/call.h"
#include "lib/serve/gateway/config.h"
#include "lib/serve/gateway/emitter.h"
#include "lib/serve/gateway/metadata.h"
#include "lib/serve/gateway/model_stats.h"
#include "lib/serve/gateway/request_id.h"
#include "lib/serve/gateway/single_flight.h"
#include "lib/serve/protocol/merge.h"
#include "lib/serve/protocol/split.h"
#include "lib/serve/schedule/scheduler.h"

namespace mlq::serve {

// What a model needs of the server around it. Calls from the model's thread.
class ModelHost {
 public:
  virtual ~ModelHost() = default;
  virtual http::Reactor& reactor() = 0;
  virtual Emitter& emitter() = 0;
  virtual const RequestIds& request_ids() const = 0;
  virtual int64_t start_ns() const = 0;  // t_ns = 0 of the records
  virtual bool closed() const = 0;       // what comes is refused: the server goes down
  // False: the budget of --memory is used up. Otherwise the bytes are taken until given back.
  virtual bool take_memory(uint64_t bytes) = 0;
  virtual void give_memory(uint64_t bytes) = 0;
  // Answers the client of a call; Host calls sent() or gone() of the model once the answer is on its way.
  virtual void answer(const Call& call, const Answer& answer) = 0;
  // The fronts take the new face.
  virtual void publish(std::shared_ptr<const ModelFace> face) = 0;
  // Called when a call has ended for good.
  virtual void ended() = 0;
  // Before new knobs hold. An environment Error: they cannot be kept, and do not.
  virtual void keep_knobs(std::string_view model, const std::vector<KnobValue>& values) = 0;
};

struct ReplicaFacts {
  ReplicaId id = 0;
  ReplicaState state = ReplicaState::up;
  bool serving = false;
  uint32_t inflight = 0;
};

class ServedModel : public AdminModel {
 public:
  // Starts its health checks. `values`: the knobs at the start; `gen` their generation.
  ServedModel(ModelHost& host, ModelConfig config, std::vector<KnobValue> values, uint64_t gen, uint64_t seed,
              bool full_headers);
  ~ServedModel() override;

  // From a front.
  void submit(std::unique_ptr<Call> call);
  void gone(uint64_t token);                  // the client has gone
  void sent(uint64_t token, int64_t now_ns);  // the last byte of its answer has been handed to the kernel
  // Metadata as the replicas gave them, not older than 10 s: status and body.
  void ask_metadata(std::string_view version, std::function<void(int status, std::string_view body)> answer);

  void clear_cache() { cache_.clear(); }
  uint64_t cache_bytes() const { return cache_.bytes(); }

  bool ready() const;  // a replica serves
  size_t calls() const { return calls_.size(); }
  const ModelConfig& config() const { return config_; }
  const ModelStats& stats() const { return stats_; }
  SchedulerFigures figures() const;
  std::vector<ReplicaFacts> replica_facts() const;
  void emit_window(int64_t t_ns, int64_t window_ns);

  // Replicas: add returns its number. The rest return false if there is none of that number.
  ReplicaId add_replica(const std::string& url, bool ready);
  bool remove_replica(ReplicaId id);
  bool drain_replica(ReplicaId id, bool drain);
  bool replica_busy(ReplicaId id) const;
  std::optional<ReplicaId> replica_of(std::string_view url) const;
  // What is kept over a restart: replicas beside those of the configuration, latencies by URL.
  std::vector<std::string> added_replicas() const;
  std::map<std::string, LatencyState> latency_states() const;
  void recall(const std::vector<std::string>& added, const std::map<std::string, LatencyState>& latency);
  // The parts of a new configuration that can change while it runs; replicas are added and removed, the
  // latter when one that stays serves and their batches have come back.
  void reconfigure(const ModelConfig& config);
  // Before it is taken away: those who still wait are told so, and the books are closed.
  void end_calls();

  // AdminModel
  std::string_view name() const override { return config_.name; }
  const KnobRows& knobs() const override { return model_knob_rows(); }
  std::vector<KnobValue> knob_values() const override { return values_; }
  uint64_t gen() const override { return gen_; }
  int64_t settle_ns() const override;
  void apply(const std::vector<KnobValue>& values, std::string_view by) override;
  void describe(jsonl::Buffer& out) const override;

 private:
  struct ReplicaLink;
  struct Flight;

  bool answer_from_cache(Call& call);
  bool follow(Call& call);
  void enqueue(Call& call);
  void settle_flight(Call& call, std::string_view content_type, std::string_view body,
                     std::optional<uint64_t> json_bytes);
  void release_followers(Call& call);
  void hand_over(Call& call);
  void pump_soon();
  void pump();
  void carry_out();
  void arm();
  void launch(const Dispatch& dispatch);
  void landed(const std::shared_ptr<Flight>& flight, http::UpstreamReply& reply);
  std::optional<Split> cut(Flight& flight, const http::UpstreamReply& reply);
  BatchOutcome take_failure(Flight& flight, const http::UpstreamReply& reply);
  BatchOutcome take_unsplit(Flight& flight);
  void hand_out(Flight& flight, const Split& parts, std::string_view type, std::string_view gen);
  BatchOutcome take_error(Flight& flight, const http::UpstreamReply& reply);
  BatchOutcome take_fault(Flight& flight, const http::UpstreamReply& reply);
  void again(std::span<Call* const> calls, std::optional<ReplicaId> avoid);
  std::string target_of(const Call& call) const;

  void refuse(Call& call, int status, std::string_view reason, std::string_view message,
              int64_t retry_after_ns = 0);
  void answer(Call& call, Answer answer, std::string_view reason, std::string_view more_headers);
  void finish(Call& call, int64_t now_ns, int status);
  void release_key(Call& call);

  void check_health();
  void drain_leaving();
  void remove_drained();
  void health_answer(ReplicaId id, bool good);
  void warm(ReplicaLink& link);
  void learn_metadata();
  void metadata_answer(http::UpstreamReply& reply);
  void decide_batchable();
  void tell_knob(size_t k, const KnobValue& value, const KnobValue& before, std::string_view by);
  void report_replicas();
  void publish();
  void fault(std::string_view kind, std::optional<ReplicaId> replica, std::string note);
  int64_t t_ns() const;
  ReplicaLink* link(ReplicaId id);

  ModelHost& host_;
  ModelConfig config_;
  std::vector<KnobValue> values_;
  ModelKnobs knobs_;
  uint64_t gen_;
  const bool full_headers_;
  Scheduler scheduler_;
  Actions actions_;
  ModelStats stats_;
  ReplyCache cache_;
  SingleFlight flights_;

  std::unordered_map<uint64_t, std::unique_ptr<Call>> calls_;
  // Batch keys of requests that wait or fly, by their text.
  struct LiveKey {
    uint64_t id = 0;
    uint64_t uses = 0;
  };
  std::unordered_map<std::string, LiveKey> keys_;
  uint64_t next_key_ = 1;
  uint64_t next_upstream_ = 0;

  std::vector<std::unique_ptr<ReplicaLink>> links_;
  ReplicaId next_replica_ = 0;
  Metadata metadata_;
  bool batchable_ = false;
  std::string why_alone_;
  // After a reply that could not be split.
  std::string split_failure_;
  int split_failures_ = 0;
  int64_t alone_until_ns_ = 0;  // 0: no such reply, or tried again since

  bool pump_posted_ = false;
  int64_t armed_ns_ = kNoDeadline;
  // Callbacks that may come after the end look here.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mlq::serve
