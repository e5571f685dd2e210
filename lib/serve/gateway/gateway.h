// mlq-serve as a whole: listeners, fronts, models, the admin interface, and the life of the server.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/stop.h"
#include "lib/http/listen_address.h"
#include "lib/http/reactor.h"
#include "lib/http/server.h"
#include "lib/records/stream.h"
#include "lib/records/writer.h"
#include "lib/serve/gateway/config.h"
#include "lib/serve/gateway/emitter.h"
#include "lib/serve/gateway/front.h"
#include "lib/serve/gateway/served_model.h"
#include "lib/serve/gateway/state.h"

namespace mlq::serve {

struct GatewayOptions {
  ServeConfig config;
  // The configuration as it is to be now, asked for at SIGHUP and at /admin/v1/reload; throws Errors. None:
  // it stays.
  std::function<ServeConfig()> reread;
  http::ListenAddress listen{"127.0.0.1", 8000, {}};
  std::optional<http::ListenAddress> admin = http::ListenAddress{"127.0.0.1", 8002, {}};
  std::string admin_token;
  uint32_t threads = 1;  // reactors
  uint64_t memory_bytes = uint64_t{1} << 30;
  uint32_t max_connections = 10'000;
  uint64_t max_header_bytes = 16 * 1024;
  uint64_t max_body_bytes = uint64_t{16} << 20;
  int64_t header_timeout_ns = 5'000'000'000;
  int64_t idle_timeout_ns = 60'000'000'000;
  uint64_t min_body_rate = 16 * 1024;
  EmitChoice emit;
  int64_t grace_ns = 0;
  int64_t drain_timeout_ns = 30'000'000'000;
  int64_t for_ns = 0;     // 0: until a signal or an admin's drain
  std::string state_dir;  // empty: nothing is remembered
  bool full_headers = false;
  uint64_t seed = 1;
  std::optional<std::pair<uint64_t, uint64_t>> id_keys;  // of request ids; none: they are drawn
  std::string version;
};

struct GatewayOutcome {
  uint64_t requests = 0, good = 0;
  uint64_t lost_requests = 0;  // accepted, and not answered when the time to drain was over
  bool interrupted = false;
};

// One call of run(). Listens first, so that an address that is taken is known before anything is written.
class Gateway : public ModelHost, public FrontHost {
 public:
  // An environment Error if an address cannot be listened on, or the state
  // folder is in use; an input Error if that is damaged. `notice` is told what a user should know.
  Gateway(GatewayOptions options, std::function<void(const std::string&)> notice);
  ~Gateway() override;

  std::string url() const { return servers_.front()->url(); }
  std::string admin_url() const { return admin_server_ ? admin_server_->url() : std::string(); }

  // Writes run (with the address of the data listener in url) and the records, and end at the end. `stop`:
  // drain and come back; `reload`: set by SIGHUP, taken back here. Throws what stopped the records, after
  // the drain.
  GatewayOutcome run(records::Run run, records::Writer& writer, const StopFlag& stop,
                     std::atomic<bool>* reload);

 private:
  // ModelHost
  http::Reactor& reactor() override { return *reactors_.front(); }
  Emitter& emitter() override { return *emitter_; }
  const RequestIds& request_ids() const override { return ids_; }
  int64_t start_ns() const override { return start_ns_; }
  bool draining() const override { return draining_.load(std::memory_order_relaxed); }
  bool closed() const override { return closed_.load(std::memory_order_relaxed); }
  bool take_memory(uint64_t bytes) override;
  void give_memory(uint64_t bytes) override { memory_used_ -= std::min(memory_used_, bytes); }
  void answer(const Call& call, const Answer& answer) override;
  void publish(std::shared_ptr<const ModelFace> face) override;
  void ended() override;
  void keep_knobs(std::string_view model, const std::vector<KnobValue>& values) override;

  // FrontHost
  bool submit(const std::string& model, std::unique_ptr<Call> call) override;
  void gone(const std::string& model, uint64_t token) override;
  void sent(const std::string& model, uint64_t token, int64_t now_ns) override;
  void ask_metadata(uint32_t front, const std::string& model, const std::string& version,
                    uint64_t token) override;
  std::string_view version() const override { return options_.version; }

  void listen();
  void start_models();
  void start_admin();
  void on_owner(std::function<void()> task, uint32_t front);
  void on_front(uint32_t front, std::function<void()> task);
  void tick();
  void tell_of_failure();
  void begin_drain();
  void end_when_idle();
  size_t calls() const;
  ServedModel* model(std::string_view name);
  void add_model(const ModelConfig& config);
  void remove_model(const std::string& name);
  void keep_replicas(ServedModel& model);
  void take_snapshot();
  // Empty, or why nothing was changed.
  std::string reload();
  void check_model(const ModelConfig& config);
  bool put_model(const ModelConfig& config, std::string_view by);

  bool admin_route(const http::Request& request, const std::string& path, const http::Reply& reply);
  AdminAnswer model_write(const http::Request& request, std::string_view name);
  AdminAnswer replica_write(const http::Request& request, ServedModel& model, std::string_view what);
  bool stream_events(const http::Reply& reply);
  std::string metrics() const;

  GatewayOptions options_;
  const std::function<void(const std::string&)> notice_;
  RequestIds ids_;
  std::unique_ptr<State> state_;
  int64_t start_ns_ = 0;
  std::vector<std::unique_ptr<http::Reactor>> reactors_;
  std::vector<std::unique_ptr<Front>> fronts_;
  std::vector<std::unique_ptr<http::Server>> servers_;
  std::unique_ptr<http::Server> admin_server_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<Emitter> emitter_;
  std::map<std::string, std::unique_ptr<ServedModel>, std::less<>> models_;
  std::map<std::string, uint64_t, std::less<>> last_gen_;  // of models that were taken away
  std::atomic<int64_t> crossing_{0};                       // calls on their way from other fronts
  uint64_t memory_used_ = 0;
  uint64_t requests_ = 0, good_ = 0;
  std::atomic<bool> draining_{false};
  std::atomic<bool> closed_{false};  // the listeners are
  int64_t drain_from_ns_ = 0;
  int64_t next_window_ns_ = 0;
  bool interrupted_ = false;
  bool told_of_failure_ = false;
  uint64_t lost_ = 0;
  const StopFlag* stop_ = nullptr;
  std::atomic<bool>* reload_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mlq::serve
