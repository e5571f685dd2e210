#include "lib/replay/null_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

#include "lib/base/error.h"

namespace mlq::replay {
namespace {

// Streams of draws of one request.
constexpr uint32_t kServiceStream = 0;
constexpr uint32_t kCoinStream = 1;

constexpr int64_t kFlushNs = 100'000'000;
constexpr int64_t kLongestServiceNs = 86'400'000'000'000;
constexpr size_t kStreamAhead = 256 * 1024;             // bytes of a stream that wait for a slow client
constexpr int64_t kSlowClientNs = 10'000'000;           // then it is looked at again
constexpr uint64_t kEventsAtOnce = 256;                 // of a stream without time between its tokens
constexpr int64_t kGraceNs = 5'000'000'000;             // for answers under way after a signal or --duration
constexpr int64_t kLastAnswersNs = 86'400'000'000'000;  // after --count: all of them

// `count` times `step` after `from`, without overflow.
int64_t steps_after(int64_t from_ns, uint64_t count, int64_t step_ns) {
  const auto wide = static_cast<__int128>(from_ns) + static_cast<__int128>(count) * step_ns;
  return static_cast<int64_t>(std::min<__int128>(wide, kForeverNs));
}

uint64_t index_of(const http::Request& request, uint64_t ordinal) {
  const std::string_view text = request.header("x-mlq-index");
  uint64_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size() ? index : ordinal;
}

// `length` bytes of text in lines of 64.
http::Source filler(uint64_t length) {
  return [left = length, at = uint64_t{0}](char* out, size_t room) mutable {
    static constexpr std::string_view kLine =
        "The null server has nothing to say, and says it in 64 letters.\n\n";
    const size_t n = std::min<uint64_t>(room, left);
    for (size_t k = 0; k < n; ++k) out[k] = kLine[(at + k) % 64];
    at += n;
    left -= n;
    return n;
  };
}

// The head of an answer without an end.
http::Source endless_headers() {
  return [number = uint64_t{0}](char* out, size_t room) mutable -> size_t {
    size_t size = 0;
    while (true) {
      const std::string line = number == 0 ? std::string("HTTP/1.1 200 OK\r\n")
                                           : fmt::format("x-endless-{}: and so on\r\n", number);
      if (size + line.size() > room) return size;
      size += line.copy(out + size, line.size());
      ++number;
    }
  };
}

NullAnswer failure(uint32_t status) {
  NullAnswer answer;
  answer.status = static_cast<int>(status);
  answer.body = R"({"error":"as told"})";
  return answer;
}

http::ServerOptions server_options(const NullServerOptions& options) {
  http::ServerOptions server = options.listen.server_options();
  server.read_rate = options.read_rate;
  server.write_rate = options.write_rate;
  return server;
}

NullServerOptions checked(NullServerOptions options) {
  if (options.batch && options.service)
    throw usage_error("--batch says how long a batch takes; it does not go with --service");
  if (options.batch && options.servers == 0) throw usage_error("--batch needs at least one server");
  return options;
}

}  // namespace

NullDraws null_draws(const NullServerOptions& options, uint64_t index) {
  const RandomStream random(options.seed, Purpose::service);
  NullDraws draws;
  if (options.service) {
    const double ns = options.service->sample({&random, index, kServiceStream}) * 1e9;
    draws.service_ns = ns < static_cast<double>(kLongestServiceNs)
                           ? static_cast<int64_t>(std::floor(ns + 0.5))
                           : kLongestServiceNs;
  }
  const UniformPair coins = random.uniforms(index, 0, kCoinStream);
  draws.error = coins.a < options.error.p;
  draws.reset = coins.b < options.reset;
  return draws;
}

NullServer::NullServer(const NullServerOptions& options)
    : options_(checked(options)),
      answers_(options_),
      server_(reactor_, server_options(options_),
              [this](const http::Request& request, const http::Reply& reply) { on_request(request, reply); }),
      queue_(options_.servers) {
  if (options_.batch) batches_.emplace(*options_.batch, options_.servers);
}

NullServer::~NullServer() {
  reactor_.stop(0);
  if (thread_.joinable()) thread_.join();
}

void NullServer::run(records::Writer* writer, const StopFlag* stop) {
  writer_ = writer;
  start_ns_ = http::Reactor::now_ns();
  if (options_.duration_ns > 0) {
    reactor_.call_at(steps_after(start_ns_, 1, options_.duration_ns), [this] { reactor_.stop(kGraceNs); });
  }
  if (writer_ != nullptr) flush_soon();
  reactor_.run(stop);
}

void NullServer::flush_soon() {
  reactor_.call_at(http::Reactor::now_ns() + kFlushNs, [this] {
    if (taken_ != flushed_) writer_->flush();
    flushed_ = taken_;
    flush_soon();
  });
}

void NullServer::start(records::Writer* writer) {
  thread_ = std::thread([this, writer] {
    try {
      run(writer, nullptr);
    } catch (...) {
      failure_ = std::current_exception();
    }
  });
}

void NullServer::stop() {
  reactor_.stop(0);
  if (thread_.joinable()) thread_.join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void NullServer::on_request(const http::Request& request, const http::Reply& reply) {
  const uint64_t index = index_of(request, taken_);
  Job job{reply, answers_.answer(request, index)};
  job.close = options_.close_after > 0 && request.ordinal + 1 >= options_.close_after;
  // Requests that were sent ahead on one connection may have been read before those of others.
  const int64_t arrival_ns = last_arrival_ns_ = std::max(last_arrival_ns_, request.arrival_ns);
  if (!job.answer.work) return schedule(std::move(job), clock_.served(arrival_ns));
  if (options_.count > 0 && taken_ == options_.count) return reply.send({.status = 503, .close = true});

  if (taken_++ == 0 && options_.stall)
    clock_ = StallClock(steps_after(arrival_ns, 1, options_.stall->at_ns), options_.stall->for_ns);
  record(request, job.answer, index, arrival_ns);
  const NullDraws draws = null_draws(options_, index);
  const int64_t served_ns = clock_.served(arrival_ns);
  if (draws.error) {
    job.answer = failure(options_.error.status);
    schedule(std::move(job), served_ns);
  } else {
    job.reset = draws.reset;
    enqueue(std::move(job), served_ns, draws.service_ns);
  }
  if (taken_ == options_.count) reactor_.stop(kLastAnswersNs);
}

void NullServer::record(const http::Request& request, const NullAnswer& answer, uint64_t index,
                        int64_t arrival_ns) {
  if (writer_ == nullptr) return;
  records::Arrival arrival;
  arrival.t_ns = std::max<int64_t>(0, arrival_ns - start_ns_);
  arrival.i = index;
  if (answer.tokens) arrival.output_tokens = static_cast<uint32_t>(answer.tokens->tokens);
  if (!request.body.empty()) arrival.size_bytes = request.body.size();
  writer_->write(arrival);
}

void NullServer::enqueue(Job job, int64_t served_ns, int64_t service_ns) {
  if (!batches_) return schedule(std::move(job), queue_.finish(served_ns, service_ns));
  batches_->arrive(served_ns);
  batch_jobs_.push_back(std::move(job));
  start_batches(served_ns);
  watch_batches();
}

// Starts the batches that begin up to then.
void NullServer::start_batches(int64_t served_ns) {
  for (auto next = batches_->next_start(); next && *next <= served_ns; next = batches_->next_start()) {
    const BatchQueue::Batch batch = batches_->start();
    for (uint32_t k = 0; k < batch.size; ++k) {
      schedule(std::move(batch_jobs_.front()), batch.finish_ns);
      batch_jobs_.pop_front();
    }
  }
}

// One timer for the next batch; it may come too early for what has changed meanwhile, and is then set again.
void NullServer::watch_batches() {
  const auto next = batches_->next_start();
  if (!next || clock_.world(*next) >= batch_timer_ns_) return;
  const int64_t at_ns = batch_timer_ns_ = clock_.world(*next);
  reactor_.call_at(at_ns, [this, at_ns] {
    if (at_ns == batch_timer_ns_) batch_timer_ns_ = kForeverNs;
    start_batches(clock_.served(http::Reactor::now_ns()));
    watch_batches();
  });
}

void NullServer::schedule(Job job, int64_t served_ns) {
  job.served_ns = served_ns;
  if (job.answer.tokens && !job.reset) {
    const SseRule rule = options_.sse.value_or(SseRule{0, 0, 1});
    const TokenAnswer& tokens = *job.answer.tokens;
    served_ns = steps_after(served_ns, 1, rule.ttft_ns);
    if (!tokens.stream) served_ns = steps_after(served_ns, (tokens.tokens - 1) / rule.chunk, rule.itl_ns);
  }
  const int64_t at_ns = clock_.world(served_ns);
  if (at_ns <= last_arrival_ns_) return deliver(job);
  reactor_.call_at(at_ns, [this, kept = std::make_shared<Job>(std::move(job))] { deliver(*kept); });
}

http::Response NullServer::response(const Job& job) const {
  return {.status = job.answer.status, .content_type = job.answer.content_type, .close = job.close};
}

void NullServer::deliver(const Job& job) {
  if (job.reset) return job.reply.reset();
  if (options_.endless_headers && job.answer.work) return job.reply.send_raw(endless_headers());
  if (job.answer.tokens) return deliver_tokens(job);
  http::Response head = response(job);
  if (job.answer.fill_bytes)
    return job.reply.send_from(head, *job.answer.fill_bytes, filler(*job.answer.fill_bytes));
  if (head.status == 429) head.headers = "Retry-After: 1\r\n";
  head.body = job.answer.body;
  job.reply.send(head);
}

void NullServer::deliver_tokens(const Job& job) {
  http::Response head = response(job);
  if (!job.answer.tokens->stream) {
    const std::string body = whole_answer(*job.answer.tokens);
    head.body = body;
    return job.reply.send(head);
  }
  head.content_type = "text/event-stream";
  head.headers = "Cache-Control: no-cache\r\n";
  job.reply.start(head);
  stream_tokens(std::make_shared<Job>(job));
}

// Sends the events that are due by now, and comes again for the next.
void NullServer::stream_tokens(std::shared_ptr<Job> job) {
  const SseRule rule = options_.sse.value_or(SseRule{0, 0, 1});
  const TokenAnswer& tokens = *job->answer.tokens;
  const auto due = [&](uint64_t sent) {
    return clock_.world(
        steps_after(steps_after(job->served_ns, 1, rule.ttft_ns), sent / rule.chunk, rule.itl_ns));
  };
  const int64_t now = http::Reactor::now_ns();
  std::string events;
  for (uint64_t k = 0; k < kEventsAtOnce && job->sent < tokens.tokens && due(job->sent) <= now; ++k) {
    const uint64_t count = std::min<uint64_t>(rule.chunk, tokens.tokens - job->sent);
    const bool cut = options_.invalid_sse && job->sent + count == tokens.tokens;
    append_token_event(tokens, count, job->sent == 0, cut, events);
    job->sent += count;
  }
  const bool last = job->sent == tokens.tokens;
  if (last && !options_.invalid_sse) append_last_events(tokens, events);
  job->reply.write(events);
  if (last) return job->reply.finish();
  if (!job->reply.open()) return;
  const int64_t not_before = job->reply.unsent_bytes() > kStreamAhead ? now + kSlowClientNs : now;
  reactor_.call_at(std::max(due(job->sent), not_before), [this, job] { stream_tokens(job); });
}

uint64_t run_null_server(const NullServerOptions& options, records::Run run, records::Writer& writer,
                         const StopFlag* stop) {
  NullServer server(options);
  run.seed = options.seed;
  run.url = server.url();
  for (const NullApiInfo& info : null_api_infos())
    if (info.api == options.api) run.api = info.name;
  run.start_unix_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  writer.run(run);
  writer.flush();
  server.run(&writer, stop);
  records::End end;
  const bool has_end = options.count > 0 || options.duration_ns > 0;
  if (has_end && stop != nullptr && *stop) end.interrupted = true;
  writer.end(end);
  return server.taken();
}

}  // namespace mlq::replay
