// A null server: it answers requests of the usual APIs after a time that is known beforehand, and misbehaves
// on request. The calibrated opposite of a load generator: queueing is computed from absolute times
// (null_queue.h), so that what theory says of M/M/1, M/D/1 or a stall can be held against what a client
// measures.
//
// Service times and the coins of errors and resets are draws keyed by the request's index: the value of its
// header x-mlq-index, or else its ordinal. The same trace meets the same times and faults in every run.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "lib/base/random.h"
#include "lib/base/stop.h"
#include "lib/http/server.h"
#include "lib/records/writer.h"
#include "lib/replay/null_answer.h"
#include "lib/replay/null_options.h"
#include "lib/replay/null_queue.h"

namespace mlq::replay {

// What the draws of a request say.
struct NullDraws {
  int64_t service_ns = 0;
  bool error = false;
  bool reset = false;
};

// Pure; `index` is the key. Without a law the service takes no time.
NullDraws null_draws(const NullServerOptions& options, uint64_t index);

// Requests that ask for an inference (with the raw api: all) take service, may fail, and are recorded as one
// `arrival` each; health, metadata and lists of models are answered at once. While the server stalls nothing
// is answered, and no service is done.
//
// Either run() on the caller's thread, or start() and stop(); once. port() and url() are known from the
// start.
class NullServer {
 public:
  // Listens. A usage Error if the options do not go together, an environment Error if it cannot listen.
  explicit NullServer(const NullServerOptions& options);
  ~NullServer();  // stops it

  uint16_t port() const { return server_.port(); }
  std::string url() const { return server_.url(); }

  // Serves until the flag is set, or `count` requests or `duration` are over. `writer`, if it is not null,
  // gets the arrivals, with t_ns from this call on; every tenth of a second they are passed on to its output,
  // and while that does not take them the server waits. Throws what the writer throws.
  void run(records::Writer* writer, const StopFlag* stop);

  // run() on a thread of its own, and its end: answers under way are given up. stop() throws what run()
  // threw.
  void start(records::Writer* writer = nullptr);
  void stop();

  // Requests that took service so far. After the end, or on the server's thread.
  uint64_t taken() const { return taken_; }

 private:
  // A request on its way to its answer.
  struct Job {
    http::Reply reply;
    NullAnswer answer;
    bool close = false;  // the connection ends with it
    bool reset = false;
    int64_t served_ns = 0;  // server's time when its service is done
    uint64_t sent = 0;      // tokens of its stream so far
  };

  void on_request(const http::Request& request, const http::Reply& reply);
  void record(const http::Request& request, const NullAnswer& answer, uint64_t index, int64_t arrival_ns);
  void enqueue(Job job, int64_t served_ns, int64_t service_ns);
  void start_batches(int64_t served_ns);
  void watch_batches();
  // Calls deliver() when the server's time is `served_ns`.
  void schedule(Job job, int64_t served_ns);
  void deliver(const Job& job);
  void deliver_tokens(const Job& job);
  void stream_tokens(std::shared_ptr<Job> job);
  http::Response response(const Job& job) const;
  void flush_soon();

  NullServerOptions options_;
  NullApiAnswers answers_;
  http::Reactor reactor_;
  http::Server server_;
  FcfsQueue queue_;
  std::optional<BatchQueue> batches_;
  std::deque<Job> batch_jobs_;  // as many as wait in batches_, in the same order
  int64_t batch_timer_ns_ = kForeverNs;
  StallClock clock_;

  records::Writer* writer_ = nullptr;
  int64_t start_ns_ = 0;
  int64_t last_arrival_ns_ = 0;
  uint64_t taken_ = 0;
  uint64_t flushed_ = 0;

  std::thread thread_;
  std::exception_ptr failure_;
};

// The command: writes run, serves, writes end. `run` gets url, api and start_unix_ns, and is passed on at
// once, so that a script can read where the server listens. A signal is how a server without count and
// duration ends; of one with, the end says `interrupted`. Returns how many requests took service.
uint64_t run_null_server(const NullServerOptions& options, records::Run run, records::Writer& writer,
                         const StopFlag* stop);

}  // namespace mlq::replay
