#include "lib/replay/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <thread>

#include "lib/base/error.h"
#include "lib/http/curl_engine.h"
#include "lib/http/dry_engine.h"
#include "lib/records/load_schema.h"
#include "lib/replay/prepare.h"
#include "lib/replay/totals.h"

namespace mlq::replay {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kOtherDescriptors = 64;  // files, pipes, epoll
constexpr int64_t kWarmTimeout = 10'000'000'000;
constexpr int64_t kLeastMaxLag = 1'000'000;
constexpr auto kWriterSleep = 1ms;
constexpr auto kFlushEvery = 100ms;
constexpr double kBusy = 0.8;                // of a core: a sending thread cannot keep its times any more
constexpr int64_t kLeastBusy = 100'000'000;  // of a run: the share of a core says nothing of a shorter one
constexpr double kThrottled = 0.94;  // of a core, under FIFO: the kernel stops real-time threads at 95 %

// One sending thread and what belongs to it.
struct Sender {
  Sender(const ShardOptions& sending, const AnswerRules& rules, const ResultFilter& filter,
         size_t record_bytes, const Clock& clock, const StopFlag& stop)
      : lane(filter, record_bytes), shard(sending, rules, clock, ring, lane, stop) {}

  PlanRing ring;
  Lane lane;
  Shard shard;
  std::promise<void> ready;  // connections are open; or what went wrong
  std::atomic<bool> done{false};
  std::exception_ptr failure;
  ShardReport report;
  Priority priority = Priority::off;
  std::string_view wait_method;
  uint64_t opened = 0;  // connections
  std::string open_failure;
  int64_t cpu_ns = 0;
  int64_t wall_ns = 0;
};

class Run {
 public:
  Run(const RunOptions& options, records::Reader& trace, records::Writer& writer, const StopFlag& stop,
      const std::function<void(const std::string&)>& notice, const std::function<void(uint64_t)>& progress)
      : options_(options),
        trace_(trace),
        writer_(writer),
        stop_(stop),
        notice_(notice),
        progress_(progress) {}
  ~Run() { halt_and_join(); }

  RunOutcome operator()(records::Run run);

 private:
  bool find_first_arrival();
  void prepare();
  void divide_limits();
  void start_threads();
  void send(Sender& sender);
  void open_connections(Sender& sender, http::CurlEngine& engine);
  void await_ready();
  Start common_start();
  void write_run(records::Run run, const Start& start);
  void write_while_sending();
  bool drain();
  void pass_on_signal();
  void halt_and_join();
  RunFacts facts() const;
  RunOutcome write_end();
  RunOutcome stopped_early(const records::Run& run);
  std::string config_text() const;

  const RunOptions& options_;
  records::Reader& trace_;
  records::Writer& writer_;
  const StopFlag& stop_;
  const std::function<void(const std::string&)>& notice_;
  const std::function<void(uint64_t)>& progress_;

  const SteadyClock clock_;
  StopFlag halt_;  // the caller's stop, or our own end
  std::unique_ptr<Template> template_;
  AnswerRules rules_;
  ShardOptions sending_;
  http::ClientConfig client_;
  uint64_t conns_ = 0;  // a thread
  std::optional<PlanReader> reader_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::promise<int64_t> start_;
  std::shared_future<int64_t> started_ = start_.get_future().share();
  bool start_given_ = false;
  std::vector<std::thread> threads_;
  std::optional<WindowMerger> merger_;
  std::unique_ptr<MpiRanks> ranks_;
};

void Run::prepare() {
  PreparedRequests prepared =
      prepare_requests(options_.requests, options_.client, trace_.runs(), options_.dry_run, notice_);
  template_ = std::move(prepared.form);
  rules_ = std::move(prepared.rules);
  client_ = std::move(prepared.client);
}

// Limits of the process are divided among its threads.
void Run::divide_limits() {
  const uint32_t threads = options_.reading.rule.threads;
  const uint64_t descriptors = raise_descriptor_limit();
  const uint64_t most =
      descriptors > 2 * kOtherDescriptors ? descriptors - kOtherDescriptors : kOtherDescriptors;
  const bool multiplexed = client_.version != http::Version::http1_1;
  const uint64_t inflight = options_.max_inflight.value_or(static_cast<uint32_t>(most));
  if (!multiplexed && inflight > most) {
    throw environment_error("--max-inflight {}: this process may open {} descriptors; raise ulimit -n",
                            inflight, descriptors);
  }
  sending_ = options_.sending;
  sending_.max_inflight = static_cast<uint32_t>(std::max<uint64_t>(inflight / threads, 1));
  const uint64_t conns = std::min(options_.conns.value_or(multiplexed ? 1 : 64), most);
  conns_ = (conns + threads - 1) / threads;
}

void Run::open_connections(Sender& sender, http::CurlEngine& engine) {
  const std::string target = options_.warm_target.empty() ? template_->warm_target() : options_.warm_target;
  if (target.empty() || conns_ == 0) return;
  http::TransferEnd failure;
  sender.opened = engine.open_connections(conns_, target, clock_.now_ns() + kWarmTimeout, failure);
  sender.open_failure = failure.note;
}

// The body of a sending thread.
void Run::send(Sender& sender) {
  bool told = false;
  try {
    sender.priority = raise_priority(options_.priority);
    std::unique_ptr<http::ClientEngine> engine;
    if (options_.dry_run) {
      auto dry = std::make_unique<http::DryEngine>(clock_, sender.shard.events());
      sender.wait_method = dry->has_pwait2() ? "epoll_pwait2" : "timerfd";
      engine = std::move(dry);
    } else {
      auto curl =
          std::make_unique<http::CurlEngine>(client_, sending_.max_inflight, clock_, sender.shard.events());
      open_connections(sender, *curl);
      sender.wait_method = curl->wait_method();
      engine = std::move(curl);
    }
    while (!reader_->primed()) std::this_thread::sleep_for(kWriterSleep);
    if (options_.warmup_requests > 0) {
      const uint32_t threads = options_.reading.rule.threads;
      sender.shard.warm_up(*engine, (options_.warmup_requests + threads - 1) / threads,
                           clock_.now_ns() + sending_.timeout_ns);
    }
    told = true;
    sender.ready.set_value();
    const int64_t start_ns = started_.get();
    const int64_t cpu = thread_cpu_ns();
    sender.report = sender.shard.run(*engine, start_ns);
    sender.cpu_ns = thread_cpu_ns() - cpu;
    sender.wall_ns = clock_.now_ns() - start_ns;
  } catch (...) {
    sender.failure = std::current_exception();
    if (!told) sender.ready.set_value();
  }
  sender.done.store(true, std::memory_order_release);
}

void Run::start_threads() {
  const uint32_t threads = options_.reading.rule.threads;
  std::vector<PlanRing*> rings;
  for (uint32_t t = 0; t < threads; ++t) {
    senders_.push_back(std::make_unique<Sender>(sending_, rules_, options_.results,
                                                options_.record_bytes / threads, clock_, halt_));
    rings.push_back(&senders_.back()->ring);
  }
  if (sending_.windows) merger_.emplace(threads);
  reader_.emplace(trace_, *template_, options_.reading, rings, halt_);
  threads_.emplace_back([this] { reader_->run(); });
  for (const auto& sender : senders_) threads_.emplace_back([this, &s = *sender] { send(s); });
}

void Run::pass_on_signal() {
  if (stop_ && !halt_) halt_.request(stop_.signal());
}

// Every thread is ready, or has said why it cannot be.
void Run::await_ready() {
  for (const auto& sender : senders_) {
    std::future<void> ready = sender->ready.get_future();
    while (ready.wait_for(20ms) == std::future_status::timeout) pass_on_signal();
    if (sender->failure) std::rethrow_exception(sender->failure);
  }
  uint64_t opened = 0;
  for (const auto& sender : senders_) opened += sender->opened;
  const std::string& failure = senders_.front()->open_failure;
  if (!failure.empty()) notice_(fmt::format("{} connections are open before the start; {}", opened, failure));
  if (senders_.front()->ring.ended() && reader_->facts().failure)
    std::rethrow_exception(reader_->facts().failure);
}

// What shards of one run must have in common.
std::string Run::config_text() const {
  const RunOptions& o = options_;
  const auto window = o.sending.windows.value_or(WindowOptions{});
  return fmt::format("{}\n{}\n{}\n{}\n{}/{}\n{}\n{}\n{}\n{}\n{}\n{}", client_.url.redacted(),
                     template_->api(), o.requests.method.value_or(""), static_cast<int>(client_.version),
                     o.reading.speed.num, o.reading.speed.den, o.slo_text, window.window_ns, window.window_n,
                     o.sending.warmup_ns, static_cast<int>(o.sending.on_cap), o.seed);
}

void Run::write_run(records::Run run, const Start& start) {
  const Sender& first = *senders_.front();
  uint64_t opened = 0;
  for (const auto& sender : senders_) opened += sender->opened;
  run.seed = options_.seed;
  run.url = client_.url.redacted();
  run.api = template_->api();
  run.engine = options_.dry_run ? "none" : http::curl_version();
  run.http = client_.version == http::Version::http1_1 ? "1.1"
             : client_.version == http::Version::http2 ? "2"
                                                       : "2-prior";
  run.conns = opened;
  run.threads = options_.reading.rule.threads;
  run.rt = priority_name(first.priority);
  run.sleep = first.wait_method;
  run.speed = options_.reading.speed.value();
  if (!options_.slo_text.empty()) run.slo = options_.slo_text;
  run.shard = options_.reading.rule.shard;
  run.shards = options_.reading.rule.shards;
  run.shard_rule = kShardRuleName;
  run.start_unix_ns = start.unix_ns;
  run.clock_offset_ns = start.clock_offset_ns;
  run.clock_error_ns = start.clock_error_ns;
  records::TraceHash config;
  config.update(config_text());
  run.config_xxh3 = config.hex();
  run.inputs = records::RawJson{"[" + trace_.runs_json() + "]"};
  writer_.run(run);
  writer_.flush();
}

// Writes what the threads have handed over. False if there was nothing.
bool Run::drain() {
  bool any = false;
  for (size_t t = 0; t < senders_.size(); ++t) {
    Lane& lane = senders_[t]->lane;
    for (int n = 0; n < 4096; ++n) {
      const records::Result* const result = lane.next();
      if (result == nullptr) break;
      writer_.write(*result);
      lane.pop();
      any = true;
    }
    if (!merger_) continue;
    for (ClosedWindows& closed : lane.take_windows()) merger_->add(t, std::move(closed));
  }
  if (!merger_) return any;
  for (const Window& window : merger_->take()) {
    write_window(window, sending_.slo, options_.reading.rule.shards > 1, writer_);
    any = true;
  }
  return any;
}

void Run::write_while_sending() {
  auto flushed = std::chrono::steady_clock::now();
  const auto all_done = [this] {
    return std::all_of(senders_.begin(), senders_.end(), [](const auto& s) { return s->done.load(); });
  };
  while (true) {
    const bool done = all_done();
    pass_on_signal();
    const bool any = drain();
    if (done && !any) return;
    uint64_t results = 0;
    for (const auto& sender : senders_) results += sender->lane.done();
    progress_(results);
    if (any) continue;
    if (const auto now = std::chrono::steady_clock::now(); now - flushed >= kFlushEvery) {
      writer_.flush();
      flushed = now;
    }
    std::this_thread::sleep_for(kWriterSleep);
  }
}

// Also the way out when the writer fails: nothing may outlive this object.
void Run::halt_and_join() {
  if (!threads_.empty() && !halt_) halt_.request(SIGTERM);
  if (!start_given_) {
    start_given_ = true;
    start_.set_value(clock_.now_ns());
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

RunFacts Run::facts() const {
  const TraceFacts& trace = reader_->facts();
  RunFacts facts;
  facts.from_ns = sending_.warmup_ns;
  facts.inflight_ns = facts.cpu_ns = 0;
  int64_t end_ns = std::max(trace.duration_ns, trace.last_due_ns);
  int64_t last_answer = 0;
  bool interrupted = false;
  for (const auto& sender : senders_) {
    const ShardReport& r = sender->report;
    *facts.inflight_ns += r.inflight_ns;
    *facts.cpu_ns += sender->cpu_ns;
    last_answer = std::max(last_answer, r.last_answer_ns);
    if ((r.interrupted || r.aborted) && r.unsent > 0) {
      end_ns = interrupted ? std::max(end_ns, r.end_ns) : r.end_ns;
      interrupted = true;
    }
    const double share = sender->wall_ns >= kLeastBusy
                             ? static_cast<double>(sender->cpu_ns) / static_cast<double>(sender->wall_ns)
                             : 0;
    facts.shard_cpu |= share > kBusy;
    facts.rt_throttled |= sender->priority == Priority::fifo && share > kThrottled;
    facts.cap_hit |= r.cap_hit;
    facts.fd_limit |= r.fd_limit;
    facts.ports |= r.ports;
    facts.starved |= r.starved;
    facts.records_dropped |= sender->lane.dropped() > 0;
  }
  if (senders_.size() == 1) {
    facts.inflight_max = senders_.front()->report.inflight_max;
    facts.lag_drift_ns_per_min = senders_.front()->report.lag_drift_ns_per_min;
  }
  facts.starved |= trace.late;
  facts.truncated = trace.failure != nullptr || trace.cut != nullptr;
  facts.to_ns = std::max(end_ns, facts.from_ns);
  facts.drain_ns = std::max<int64_t>(last_answer - facts.to_ns, 0);
  if (sending_.warmup_ns > 0) facts.warmup_ns = sending_.warmup_ns;
  const int64_t gap = trace.count > 0 ? facts.to_ns / static_cast<int64_t>(trace.count) : 0;
  facts.max_lag_ns = options_.max_lag_ns.value_or(std::max(kLeastMaxLag, gap / 20));
  return facts;
}

RunOutcome Run::write_end() {
  Accounts accounts;
  records::End end;
  uint64_t digest = 0;
  uint64_t dropped = 0;
  RunOutcome outcome;
  outcome.interrupted = static_cast<bool>(stop_);
  end.unsent = reader_->facts().unsent;
  for (const auto& sender : senders_) {
    accounts.merge(sender->report.accounts);
    digest += sender->report.i_digest;
    dropped += sender->lane.dropped();
    *end.unsent += sender->report.unsent;
    outcome.interrupted |= sender->report.interrupted;
    outcome.cap_aborted |= sender->report.aborted;
  }
  outcome.summaries = summarise(accounts, facts(), sending_.slo);
  const TraceFacts& trace = reader_->facts();
  end.trace_xxh3 = trace.xxh3;
  end.trace_count = trace.count;
  end.trace_i_digest = fmt::format("{:016x}", trace.i_digest);
  end.i_digest = fmt::format("{:016x}", digest);
  if (dropped > 0) end.records_dropped = dropped;
  if (*end.unsent == 0) end.unsent.reset();
  if (outcome.interrupted) end.interrupted = true;
  writer_.keep_interrupted();
  write_totals(accounts, outcome.summaries, options_.reading.rule.shards > 1, end, writer_);
  return outcome;
}

Start Run::common_start() {
  const ShardRule& rule = options_.reading.rule;
  std::string why;
  if (options_.start.kind == StartOptions::Kind::mpi) ranks_ = MpiRanks::load(why);
  if (!why.empty()) {
    notice_(fmt::format("no common start: {}; each process starts when it is ready (see --start-at)", why));
  }
  return resolve_start(options_.start, rule.shard, rule.shards, ranks_.get(), clock_);
}

bool Run::find_first_arrival() {
  while (trace_.next()) {
    if (trace_.type() == records::Schema<records::Arrival>::type) return true;
    trace_.pass_over();
  }
  return false;
}

// A signal came before there was anything to say.
RunOutcome Run::stopped_early(const records::Run& run) {
  writer_.run(run);
  records::End end;
  end.interrupted = true;
  writer_.end(end);
  RunOutcome outcome;
  outcome.interrupted = true;
  return outcome;
}

RunOutcome Run::operator()(records::Run run) {
  if (!find_first_arrival()) {
    if (stop_) return stopped_early(run);
    trace_.finish();
    throw input_error("{}: there is no arrival in it; make a trace with mlq-loadgen gen", trace_.name());
  }
  // Fails early, and with words, where nothing could be measured.
  if (!options_.dry_run) check_server(options_.client, stop_);
  if (stop_) return stopped_early(run);
  prepare();
  divide_limits();
  start_threads();
  await_ready();
  const Start start = common_start();
  start_given_ = true;
  start_.set_value(start.steady_ns);
  write_run(std::move(run), start);
  write_while_sending();
  halt_and_join();
  for (const auto& sender : senders_) {
    if (sender->failure) std::rethrow_exception(sender->failure);
  }
  RunOutcome outcome = write_end();
  for (const std::exception_ptr& failure : {reader_->facts().failure, reader_->facts().cut}) {
    if (failure) std::rethrow_exception(failure);
  }
  return outcome;
}

}  // namespace

RunOutcome run_replay(const RunOptions& options, records::Reader& trace, records::Run run,
                      records::Writer& writer, const StopFlag& stop,
                      const std::function<void(const std::string&)>& notice,
                      const std::function<void(uint64_t)>& progress) {
  return Run(options, trace, writer, stop, notice, progress)(std::move(run));
}

}  // namespace mlq::replay
