#include "lib/http/curl_engine.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "lib/base/error.h"
#include "lib/http/curl_setup.h"
#include "lib/http/poller.h"

namespace mlq::http {
namespace {

constexpr size_t kTransfersPerMulti = 64;
constexpr size_t kMostHeaderBytes = size_t{64} << 10;
constexpr size_t kMostFetched = size_t{16} << 20;

void check(CURLMcode code) {
  if (code != CURLM_OK) throw environment_error("libcurl: {}", curl_multi_strerror(code));
}

uint32_t epoll_events(int what) {
  return (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
}

int curl_events(uint32_t events) {
  return (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
         (events & EPOLLERR ? CURL_CSELECT_ERR : 0);
}

}  // namespace

struct CloseMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// One multi handle of several.
struct Multi {
  CurlEngine::State* engine = nullptr;
  std::unique_ptr<CURLM, CloseMulti> handle;
  int64_t deadline_ns = -1;  // when libcurl wants to be called; -1: not by itself
  size_t active = 0;
  size_t opened =
      0;  // most that were active at once: so many connections are kept, unless the server closes them
  bool touched = false;  // messages may be waiting
};

// One easy handle and the request that it carries. Kept from one request to the next.
struct Transfer {
  Easy easy;
  CurlEngine::State* engine = nullptr;
  Multi* multi = nullptr;
  uint32_t tag = 0;
  bool warm = false;  // opens a connection, and nobody is told of it
  ErrorText error{};
  ClientRequest request;
  std::vector<curl_slist> extra_headers;  // before those of all requests
  size_t header_bytes = 0;
  size_t read_at = 0;
  uint32_t attempt = 0;    // 0: nothing was sent
  bool answering = false;  // a header came since the last send
};

struct CurlEngine::State {
  State(const ClientConfig& c, uint32_t most_inflight, const Clock& clk, ClientEvents& e)
      : config(c), clock(clk), events(e), poller(clk), headers(make_headers(c)), by_tag(most_inflight) {}
  ~State() {
    for (const auto& transfer : all) {
      if (transfer->multi != nullptr)
        curl_multi_remove_handle(transfer->multi->handle.get(), transfer->easy.get());
    }
  }

  // What epoll knows of a socket, and what libcurl wants. The two differ on purpose: a kept connection stays
  // registered between requests, which saves two system calls for each.
  struct Socket {
    uint32_t registered = 0;
    uint32_t wanted = 0;
    Multi* multi = nullptr;
  };

  const ClientConfig config;
  const Clock& clock;
  ClientEvents& events;
  Poller poller;
  const HeaderList headers;
  std::vector<Socket> sockets;  // by descriptor; outlives the multis, which close sockets
  std::vector<std::unique_ptr<Transfer>> all;
  std::vector<Transfer*> idle;
  std::vector<Transfer*> by_tag;
  std::vector<std::unique_ptr<Multi>> multis;
  size_t warming = 0;
  size_t warmed = 0;
  TransferEnd warm_failure;

  Multi& add_multi();
  Multi& pick();
  Transfer& take();
  void start(Transfer& transfer, Multi& multi, const ClientRequest& request);
  void set_headers(Transfer& transfer);
  void set_large_body(Transfer& transfer);
  void act(Multi& multi, curl_socket_t socket, int what);
  void run_timers();
  bool drain();
  void finish(Transfer& transfer, CURLcode code);
  void release(Transfer& transfer);
  Socket& socket_at(curl_socket_t fd);
};

namespace {

size_t on_header(char* data, size_t size, size_t count, void* user) {
  Transfer& t = *static_cast<Transfer*>(user);
  t.answering = true;
  t.header_bytes += size * count;
  if (t.header_bytes > kMostHeaderBytes) return 0;
  if (!t.warm) t.engine->events.on_header(t.tag, {data, size * count}, t.engine->clock.now_ns());
  return size * count;
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  Transfer& t = *static_cast<Transfer*>(user);
  if (t.warm) return size * count;
  return t.engine->events.on_body(t.tag, {data, size * count}, t.engine->clock.now_ns()) ? size * count : 0;
}

size_t on_read(char* out, size_t size, size_t count, void* user) {
  Transfer& t = *static_cast<Transfer*>(user);
  const std::string_view piece = t.request.body.substr(t.read_at, size * count);
  std::memcpy(out, piece.data(), piece.size());
  t.read_at += piece.size();
  if (!piece.empty() && t.read_at == t.request.body.size() && !t.warm) {
    t.engine->events.on_sent(t.tag, t.engine->clock.now_ns());
  }
  return piece.size();
}

int on_seek(void* user, curl_off_t offset, int origin) {
  Transfer& t = *static_cast<Transfer*>(user);
  if (origin != SEEK_SET || offset < 0 || static_cast<size_t>(offset) > t.request.body.size())
    return CURL_SEEKFUNC_FAIL;
  t.read_at = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

// Called when the connection is there and the request is about to be written, and again if libcurl found a
// kept connection dead and takes another. A redirect also sends again, but after an answer.
int on_ready(void* user, char*, char*, int, int local_port) {
  Transfer& t = *static_cast<Transfer*>(user);
  if (!t.answering && t.attempt == 1 && !t.request.may_resend) return CURL_PREREQFUNC_ABORT;
  if (!t.answering) ++t.attempt;
  t.answering = false;
  t.header_bytes = 0;
  if (!t.warm) {
    t.engine->events.on_send(t.tag, t.engine->clock.now_ns(),
                             {.local_port = static_cast<uint16_t>(local_port), .attempt = t.attempt});
  }
  return CURL_PREREQFUNC_OK;
}

// A closed descriptor leaves epoll by itself, and its number may come back with another socket.
int on_close(void* user, curl_socket_t fd) {
  static_cast<CurlEngine::State*>(user)->socket_at(fd) = {};
  return ::close(fd);
}

// The connection is no longer of interest: it stays registered, in the hope of the next request.
int on_socket(CURL*, curl_socket_t fd, int what, void* user, void*) {
  Multi& multi = *static_cast<Multi*>(user);
  CurlEngine::State::Socket& socket = multi.engine->socket_at(fd);
  socket.multi = &multi;
  socket.wanted = what == CURL_POLL_REMOVE ? 0 : epoll_events(what);
  if (socket.wanted == 0 || socket.wanted == socket.registered) return 0;
  multi.engine->poller.watch(fd, socket.wanted, socket.registered != 0);
  socket.registered = socket.wanted;
  return 0;
}

int on_timer(CURLM*, long ms, void* user) {
  Multi& multi = *static_cast<Multi*>(user);
  multi.deadline_ns = ms < 0 ? -1 : multi.engine->clock.now_ns() + int64_t{ms} * 1'000'000;
  return 0;
}

}  // namespace

CurlEngine::State::Socket& CurlEngine::State::socket_at(curl_socket_t fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= sockets.size()) sockets.resize(index + 64);
  return sockets[index];
}

Multi& CurlEngine::State::add_multi() {
  auto multi = std::make_unique<Multi>();
  multi->engine = this;
  multi->handle.reset(curl_multi_init());
  CURLM* handle = multi->handle.get();
  if (handle == nullptr) throw std::bad_alloc();
  check(curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, &on_socket));
  check(curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, multi.get()));
  check(curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, &on_timer));
  check(curl_multi_setopt(handle, CURLMOPT_TIMERDATA, multi.get()));
  check(curl_multi_setopt(handle, CURLMOPT_MAXCONNECTS, static_cast<long>(4 * kTransfersPerMulti)));
  const bool multiplex = config.version != Version::http1_1;
  check(curl_multi_setopt(handle, CURLMOPT_PIPELINING, multiplex ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
  multis.push_back(std::move(multi));
  return *multis.back();
}

// One with a kept connection to spare, else the one with the fewest transfers, else a new one.
Multi& CurlEngine::State::pick() {
  Multi* best = nullptr;
  for (const auto& multi : multis) {
    if (multi->active < multi->opened) return *multi;
    if (multi->active < kTransfersPerMulti && (best == nullptr || multi->active < best->active))
      best = multi.get();
  }
  return best != nullptr ? *best : add_multi();
}

Transfer& CurlEngine::State::take() {
  if (!idle.empty()) {
    Transfer& transfer = *idle.back();
    idle.pop_back();
    return transfer;
  }
  auto fresh = std::make_unique<Transfer>();
  fresh->easy = make_easy(config);
  fresh->engine = this;
  CURL* easy = fresh->easy.get();
  set(easy, CURLOPT_PRIVATE, fresh.get());
  set(easy, CURLOPT_ERRORBUFFER, fresh->error.data());
  set(easy, CURLOPT_HEADERFUNCTION, &on_header);
  set(easy, CURLOPT_HEADERDATA, fresh.get());
  set(easy, CURLOPT_WRITEFUNCTION, &on_body);
  set(easy, CURLOPT_WRITEDATA, fresh.get());
  set(easy, CURLOPT_READFUNCTION, &on_read);
  set(easy, CURLOPT_READDATA, fresh.get());
  set(easy, CURLOPT_SEEKFUNCTION, &on_seek);
  set(easy, CURLOPT_SEEKDATA, fresh.get());
  set(easy, CURLOPT_PREREQFUNCTION, &on_ready);
  set(easy, CURLOPT_PREREQDATA, fresh.get());
  set(easy, CURLOPT_CLOSESOCKETFUNCTION, &on_close);
  set(easy, CURLOPT_CLOSESOCKETDATA, this);
  all.push_back(std::move(fresh));
  return *all.back();
}

// The request's own headers stand before those of all requests, in the same list.
void CurlEngine::State::set_headers(Transfer& t) {
  t.extra_headers.clear();
  t.extra_headers.reserve(t.request.headers.size());
  for (std::string& header : t.request.headers) t.extra_headers.push_back({header.data(), nullptr});
  curl_slist* next = headers.get();
  for (auto node = t.extra_headers.rbegin(); node != t.extra_headers.rend(); ++node) {
    node->next = next;
    next = &*node;
  }
  set(t.easy.get(), CURLOPT_HTTPHEADER, next);
}

// A large body is handed out by a function, which knows when the last byte has gone.
void CurlEngine::State::set_large_body(Transfer& t) {
  if (t.request.body.size() <= kLargeBody) return;
  set(t.easy.get(), CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
  set(t.easy.get(), CURLOPT_UPLOAD_BUFFERSIZE, 524'288L);
}

void CurlEngine::State::start(Transfer& t, Multi& multi, const ClientRequest& request) {
  t.multi = &multi;
  t.request = request;
  t.header_bytes = t.read_at = 0;
  t.attempt = 0;
  t.answering = false;
  t.error[0] = '\0';
  arm(t.easy.get(), config, t.request);
  set_large_body(t);
  set_headers(t);
  set(t.easy.get(), CURLOPT_FRESH_CONNECT, t.warm ? 1L : 0L);
  ++multi.active;
  multi.opened = std::max(multi.opened, multi.active);
  check(curl_multi_add_handle(multi.handle.get(), t.easy.get()));
  act(multi, CURL_SOCKET_TIMEOUT, 0);  // else this one waits for the next timer
}

void CurlEngine::State::act(Multi& multi, curl_socket_t socket, int what) {
  if (socket == CURL_SOCKET_TIMEOUT) multi.deadline_ns = -1;
  int running = 0;
  check(curl_multi_socket_action(multi.handle.get(), socket, what, &running));
  multi.touched = true;
}

void CurlEngine::State::run_timers() {
  const int64_t now = clock.now_ns();
  for (const auto& multi : multis) {
    if (multi->active > 0 && multi->deadline_ns >= 0 && multi->deadline_ns <= now)
      act(*multi, CURL_SOCKET_TIMEOUT, 0);
  }
}

void CurlEngine::State::release(Transfer& t) {
  curl_multi_remove_handle(t.multi->handle.get(), t.easy.get());
  --t.multi->active;
  t.multi = nullptr;
  if (!t.warm) by_tag[t.tag] = nullptr;
  idle.push_back(&t);
}

void CurlEngine::State::finish(Transfer& t, CURLcode code) {
  const int64_t now = clock.now_ns();
  TransferEnd end = transfer_end(t.easy.get(), code, t.attempt > 0, t.error, config.url);
  if (end.fault == Fault::aborted && t.header_bytes > kMostHeaderBytes) {
    end = {Fault::protocol, "more than 64 KiB of headers"};
  }
  long connects = 0;
  curl_easy_getinfo(t.easy.get(), CURLINFO_NUM_CONNECTS, &connects);
  release(t);
  if (!t.warm) {
    events.on_done(t.tag, now, end, connects == 0);
    return;
  }
  --warming;
  t.warm = false;
  if (end.fault == Fault::none) {
    ++warmed;
  } else if (warm_failure.fault == Fault::none) {
    warm_failure = std::move(end);
  }
}

bool CurlEngine::State::drain() {
  bool any = false;
  for (size_t m = 0; m < multis.size(); ++m) {
    if (!std::exchange(multis[m]->touched, false)) continue;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multis[m]->handle.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      const CURLcode code = message->data.result;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      finish(*transfer, code);
    }
  }
  return any;
}

CurlEngine::CurlEngine(const ClientConfig& config, uint32_t most_inflight, const Clock& clock,
                       ClientEvents& events) {
  start_curl();
  state_ = std::make_unique<State>(config, most_inflight, clock, events);
}
CurlEngine::~CurlEngine() = default;

void CurlEngine::submit(uint32_t tag, const ClientRequest& request) {
  Transfer& transfer = state_->take();
  transfer.tag = tag;
  state_->by_tag[tag] = &transfer;
  state_->start(transfer, state_->pick(), request);
}

void CurlEngine::cancel(uint32_t tag) {
  if (Transfer* transfer = state_->by_tag[tag]) state_->release(*transfer);
}

void CurlEngine::poll(int64_t until_ns) {
  State& s = *state_;
  int64_t wake = s.drain() ? s.clock.now_ns() : until_ns;
  for (const auto& multi : s.multis) {
    if (multi->active > 0 && multi->deadline_ns >= 0) wake = std::min(wake, multi->deadline_ns);
  }
  for (const epoll_event& event : s.poller.wait(wake)) {
    State::Socket& socket = s.socket_at(event.data.fd);
    if (socket.registered == 0) continue;  // closed by an event before this one
    if (socket.wanted == 0) {              // a kept connection has something to say: the server closes it
      s.poller.watch(event.data.fd, 0, true);
      socket.registered = 0;
      continue;
    }
    s.act(*socket.multi, event.data.fd, curl_events(event.events));
  }
  s.run_timers();
  s.drain();
}

size_t CurlEngine::open_connections(size_t count, const std::string& target, int64_t until_ns,
                                    TransferEnd& failure) {
  State& s = *state_;
  s.warmed = 0;
  s.warm_failure = {};
  ClientRequest request;
  request.target = target;
  request.may_resend = true;
  for (size_t opened = 0; opened < count; ++opened) {
    if (opened % kTransfersPerMulti == 0) s.add_multi();
    Transfer& transfer = s.take();
    transfer.warm = true;
    ++s.warming;
    s.start(transfer, *s.multis.back(), request);
  }
  while (s.warming > 0 && s.clock.now_ns() < until_ns) poll(until_ns);
  for (const auto& transfer : s.all) {
    if (transfer->multi == nullptr) continue;
    s.release(*transfer);
    transfer->warm = false;
    if (s.warm_failure.fault == Fault::none) s.warm_failure = {Fault::connect_timeout, "no answer in time"};
  }
  s.warming = 0;
  failure = s.warm_failure;
  return s.warmed;
}

std::string_view CurlEngine::wait_method() const {
  return state_->poller.has_pwait2() ? "epoll_pwait2" : "timerfd";
}

std::string curl_version() { return ::curl_version(); }

TransferEnd probe(const ClientConfig& config) {
  const Easy easy = make_easy(config);
  set(easy.get(), CURLOPT_URL, (config.url.origin() + "/").c_str());
  set(easy.get(), CURLOPT_CONNECT_ONLY, 1L);
  ErrorText error{};
  set(easy.get(), CURLOPT_ERRORBUFFER, error.data());
  return transfer_end(easy.get(), curl_easy_perform(easy.get()), true, error, config.url);
}

FetchedReply fetch(const ClientConfig& config, const ClientRequest& request, int64_t timeout_ns) {
  const Easy easy = make_easy(config);
  const HeaderList headers = make_headers(config);
  FetchedReply reply;
  arm(easy.get(), config, request);
  set(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  set(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ns / 1'000'000));
  set(
      easy.get(), CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, void* user) -> size_t {
        std::string& body = *static_cast<std::string*>(user);
        if (body.size() + size * count > kMostFetched) return 0;
        body.append(data, size * count);
        return size * count;
      });
  set(easy.get(), CURLOPT_WRITEDATA, &reply.body);
  ErrorText error{};
  set(easy.get(), CURLOPT_ERRORBUFFER, error.data());
  const CURLcode code = curl_easy_perform(easy.get());
  reply.end = transfer_end(easy.get(), code, true, error, config.url);
  if (code == CURLE_OK) curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &reply.status);
  return reply;
}

}  // namespace mlq::http
