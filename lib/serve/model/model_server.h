// The server of mlq-model: requests in, batches through instances, answers out.
//
//   GET  /v2/health/live, /v2/health/ready, /v2, /v2/models/M[/versions/1][/ready], /v1/models/M
//   POST /v2/models/M[/versions/1]/infer      Open Inference Protocol, JSON and binary
//   POST /v1/models/M:predict                 {"instances":[..]} -> {"predictions":[..]}
//   POST /predict                             {"rows":[..]} -> {"answers":[..]}
//
// v1 and the plain route answer with the model's first output. Requests of all clients share batches by the
// scheduler with the controller `fixed`: its one replica has a slot an instance. Bounds: queue_rows and 256
// MiB of values wait, what is over gets 503 `queue_full`; a request whose own timeout passes in the queue,
// 503 `deadline`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/http/reactor.h"
#include "lib/http/server.h"
#include "lib/serve/control/admin.h"
#include "lib/serve/gateway/model_stats.h"
#include "lib/serve/gateway/route.h"
#include "lib/serve/model/instance.h"
#include "lib/serve/model/load.h"
#include "lib/serve/model/reply_faults.h"
#include "lib/serve/model/serve_knobs.h"
#include "lib/serve/schedule/scheduler.h"

namespace mlq::serve::model {

struct ModelServerOptions {
  std::string name;  // of the model, in requests
  std::string program_version;
  Backend backend = Backend::noop;
  uint64_t seed = 1;
  ServeKnobs knobs;
  unsigned cores = 1;
};

// The present state.
struct Gauges {
  uint64_t gen = 0;
  uint64_t queued_rows = 0;
  uint32_t busy = 0;  // instances
  uint32_t instances = 0;
};

// What a knob was and is, for a record.
struct KnobMove {
  uint64_t gen = 0;
  std::string name;
  KnobValue value, before;
  std::string by;
};

// Belongs to the reactor's thread, and must not outlive the reactor.
class ModelServer final : public AdminModel {
 public:
  // Makes the model of the first instance. Errors as ModelMaker::make.
  ModelServer(http::Reactor& reactor, ModelServerOptions options, ModelMaker maker);
  ~ModelServer() override;

  // The handler of the data listener.
  void handle(http::Request& request, const http::Reply& reply);
  // Ready turns 503; what is there is still answered.
  void drain() { draining_ = true; }
  // Requests that have no answer yet.
  uint64_t unanswered() const { return jobs_.size(); }

  Gauges gauges() const;
  uint64_t requests() const { return requests_; }  // that ended
  uint64_t good() const { return stats_.good(); }
  // The window since the last call; none if nothing came and nothing ended in it.
  std::optional<records::ServeWindow> take_window(int64_t t_ns, int64_t window_ns);
  // With mlq_model_ in front.
  std::string metrics() const;
  std::function<void(const KnobMove&)> on_knob;

  std::string_view name() const override { return options_.name; }
  const KnobRows& knobs() const override { return rows_; }
  std::vector<KnobValue> knob_values() const override { return table_.values(options_.knobs); }
  uint64_t gen() const override { return gen_; }
  int64_t settle_ns() const override { return 0; }  // a fixed size has nothing to learn
  void apply(const std::vector<KnobValue>& values, std::string_view by) override;
  void describe(jsonl::Buffer& out) const override;

 private:
  // A request that waits or is worked on.
  struct Job {
    Job(http::Reply r, std::string b) : reply(std::move(r)), body(std::move(b)) {}
    http::Reply reply;
    std::string body;
    ParsedRequest request;
    FaultDraws faults;
    size_t rows = 0;
    std::vector<double> values;
    uint64_t gen = 0;  // when it came
    int64_t first_byte_ns = 0;
    int64_t arrival_ns = 0;
    std::optional<int64_t> queue_ns;
    bool gone = false;  // the client
  };
  struct Slot {
    std::unique_ptr<Instance> instance;
    bool busy = false;
    bool retiring = false;  // ends with its batch
  };
  // An answer that is no inference's.
  struct Plain {
    int status = 200;
    std::string body;
    std::string_view reason;  // x-mlq-reason
    int64_t retry_after_ns = 0;
  };

  void accept(http::Request& request, const http::Reply& reply, Dialect dialect);
  std::optional<Refusal> parse(const http::Request& request, Dialect dialect, Job& job) const;
  std::optional<Refusal> read(Job& job, size_t& width) const;
  void enqueue(std::unique_ptr<Job> job, size_t width);
  void step_soon();
  void step();
  void dispatch(const Dispatch& dispatch);
  void start_slot(std::shared_ptr<Model> first);
  void set_slots();
  void batch_done(uint64_t slot, Work& work);
  void answer(Job& job, const Work& work, size_t first_row);
  void fail(Job& job, const Plain& answer);
  void finish(Job& job, const http::Response& response, std::string_view reason = {});
  void trickle(Job& job, const http::Response& response);
  void note_end(const Job& job, int status, std::string_view reason, int64_t now_ns);
  std::string gen_header(uint64_t admitted) const;
  void send_plain(const http::Reply& reply, const Plain& answer, bool of_model = false) const;
  std::string metadata() const;
  bool is_model(const Route& route) const;
  void client_gone(uint64_t token);

  http::Reactor& reactor_;
  ModelServerOptions options_;
  ModelMaker maker_;
  const KnobTable<ServeKnobs> table_;
  const KnobRows rows_;
  const std::vector<std::string> batch_params_;
  Scheduler scheduler_;
  ModelStats stats_;
  uint64_t requests_ = 0;
  uint64_t gen_ = 1;
  bool draining_ = false;
  bool step_posted_ = false;
  std::optional<int64_t> wake_ns_;  // of the timer that is set
  uint64_t next_token_ = 1;
  uint64_t next_batch_ = 0;
  uint64_t next_slot_ = 0;
  Actions actions_;
  std::unordered_map<uint64_t, std::unique_ptr<Job>> jobs_;  // by token
  std::map<uint64_t, Slot> slots_;
};

}  // namespace mlq::serve::model
