#include "lib/http/client_pool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "lib/base/error.h"
#include "lib/http/address.h"
#include "lib/http/body.h"
#include "lib/http/upstream.h"

namespace mlq::http {
namespace {

constexpr size_t kCopied = 2 * 1024;           // a body up to this size is copied behind its head
constexpr int64_t kResolveNs = 1'000'000'000;  // at least between two look-ups
constexpr uint32_t kMostConnections = 65'535;

// A socket on its way to the address, or already there (`done`); below 0 if it cannot get there.
int start_connect(const Address& address, bool& done) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  if (address.family() != AF_UNIX) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  done = ::connect(fd, address.get(), address.size) == 0;
  if (done || errno == EINPROGRESS) return fd;
  ::close(fd);
  return -1;
}

// Addresses that a thread has looked up, until they are taken.
struct LookUp {
  std::mutex mutex;
  std::optional<std::vector<Address>> found;
};

// One connection that is only tried.
class Probe final : public Watcher, public std::enable_shared_from_this<Probe> {
 public:
  using Callback = std::function<void(std::string_view error)>;
  Probe(Loop& loop, Callback callback) : loop_(loop), callback_(std::move(callback)) {}
  ~Probe() { close(); }

  void begin(int fd) {
    fd_ = fd;
    loop_.watch(fd_, *this, true);
  }
  void on_ready(uint32_t events) override {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    end(error == 0 ? "" : std::strerror(error));
  }
  void end(std::string_view error) {
    const auto self = shared_from_this();
    close();
    if (const Callback call = std::exchange(callback_, nullptr)) call(error);
  }
  void forget() {
    close();
    callback_ = nullptr;
  }
  bool ended() const { return !callback_; }

 private:
  void close() {
    if (fd_ < 0) return;
    loop_.unwatch(fd_);
    ::close(std::exchange(fd_, -1));
  }

  Loop& loop_;
  Callback callback_;
  int fd_ = -1;
};

}  // namespace

const char* name_of(UpstreamFault fault) {
  static constexpr const char* kNames[] = {
      "none",    "busy",      "resolve",  "refused", "reset_before_reply", "reset_mid_reply",
      "timeout", "too_large", "malformed"};
  return kNames[static_cast<size_t>(fault)];
}

class ClientPool::Impl final : public UpstreamOwner, public std::enable_shared_from_this<Impl> {
 public:
  Impl(Reactor& reactor, const Url& url, const ClientPoolOptions& options)
      : loop_(reactor.loop()), url_(url), options_(options), base_(url.target) {
    if (url.tls()) throw usage_error("\"{}\": only http is spoken here", url.redacted());
    options_.max_connections = std::clamp<uint32_t>(options_.max_connections, 1, kMostConnections);
    while (base_.ends_with('/')) base_.pop_back();
    host_line_ =
        "Host: " + (url.unix_path.empty() ? url.origin().substr(7) : std::string("localhost")) + "\r\n";
    std::string ignored;
    if (url.unix_path.empty())
      addresses_ = addresses_of(url.host, url.port, ignored);
    else
      addresses_.push_back(unix_address(url.unix_path));
  }

  uint64_t send(const UpstreamRequest& request, int64_t deadline_ns, Callback callback,
                std::shared_ptr<Stream> stream);
  void cancel(uint64_t id) {
    if (Upstream* upstream = find(id)) upstream->cancel();
  }
  void resume(uint64_t id) {
    if (Upstream* upstream = find(id)) upstream->resume();
  }
  void connect_only(int64_t deadline_ns, Probe::Callback callback);
  ClientPoolCounters counters() const {
    ClientPoolCounters counters = counters_;
    counters.idle = static_cast<uint32_t>(idle_.size());
    counters.active = active_;
    return counters;
  }
  // The pool has gone; what is held by a callback under way is not to be heard of any more.
  void end() {
    for (const auto& each : all_)
      if (each->exchange().id != 0) each->cancel();
    for (const auto& each : all_) each->close();
    for (const auto& probe : probes_) probe->forget();
  }

  const ClientPoolOptions& options() const override { return options_; }
  int connect(size_t attempt, bool& done) override;
  size_t addresses() const override { return addresses_.size(); }
  void connected(size_t attempt) override;
  void connect_failed() override;
  void released(Upstream& upstream) override;
  void dropped(Upstream& upstream) override;
  void resent() override { ++counters_.resent; }
  void soon(uint64_t id, void (Upstream::*step)()) override;
  std::shared_ptr<void> keep() override { return shared_from_this(); }

 private:
  Upstream* find(uint64_t id);
  Upstream* take();
  uint64_t busy(Callback callback, std::shared_ptr<Stream> stream);
  void fill(Exchange& exchange, const UpstreamRequest& request);
  void watch_deadline(int64_t at_ns);
  void look_at_clock();
  void take_look_up();

  Loop& loop_;
  const Url url_;
  ClientPoolOptions options_;
  std::string base_;
  std::string host_line_;
  std::vector<Address> addresses_;
  size_t good_ = 0;  // the address that the last connection was made to

  std::vector<std::unique_ptr<Upstream>> all_;
  std::vector<size_t> closed_;  // in all_, without a connection
  std::vector<size_t> idle_;    // with one; the last one used is the next
  uint32_t active_ = 0;
  uint64_t serial_ = 0;
  int64_t timer_ns_ = INT64_MAX;
  ClientPoolCounters counters_;

  std::unordered_set<std::shared_ptr<Probe>> probes_;
  std::shared_ptr<LookUp> look_up_;
  int64_t looked_up_ns_ = 0;
};

// Requests ------------------------------------------------------------------------------------------------

uint64_t ClientPool::Impl::send(const UpstreamRequest& request, int64_t deadline_ns, Callback callback,
                                std::shared_ptr<Stream> stream) {
  Upstream* upstream = take();
  if (upstream == nullptr) return busy(std::move(callback), std::move(stream));
  Exchange& exchange = upstream->exchange();
  exchange.callback = std::move(callback);
  exchange.stream = std::move(stream);
  exchange.deadline_ns = deadline_ns;
  fill(exchange, request);
  watch_deadline(upstream->connected()
                     ? deadline_ns
                     : std::min(deadline_ns, Reactor::now_ns() + options_.connect_timeout_ns));
  const uint64_t id = exchange.id;
  upstream->begin();
  return id;
}

// A connection for a request, with the request's id; null if there are too many.
Upstream* ClientPool::Impl::take() {
  if (active_ == options_.max_connections) return nullptr;
  if (idle_.empty() && closed_.empty()) {
    closed_.push_back(all_.size());
    all_.push_back(std::make_unique<Upstream>(loop_, *this, all_.size()));
  }
  std::vector<size_t>& from = idle_.empty() ? closed_ : idle_;
  const size_t at = from.back();
  from.pop_back();
  ++active_;
  all_[at]->exchange().id = (++serial_ << 16) | at;
  return all_[at].get();
}

Upstream* ClientPool::Impl::find(uint64_t id) {
  const size_t at = id & 0xFFFF;
  return id != 0 && at < all_.size() && all_[at]->exchange().id == id ? all_[at].get() : nullptr;
}

uint64_t ClientPool::Impl::busy(Callback callback, std::shared_ptr<Stream> stream) {
  loop_.post([self = weak_from_this(), call = std::move(callback), stream = std::move(stream)] {
    if (self.expired()) return;
    UpstreamReply reply;
    reply.fault = UpstreamFault::busy;
    reply.error = "too many requests under way";
    if (stream)
      stream->on_end(reply);
    else
      call(reply);
  });
  return (++serial_ << 16) | 0xFFFF;  // no connection has that number
}

void ClientPool::Impl::fill(Exchange& exchange, const UpstreamRequest& request) {
  uint64_t length = 0;
  for (const std::string_view piece : request.body) length += piece.size();
  std::string& head = exchange.head;
  head.clear();
  head.append(request.method).append(" ").append(base_).append(request.target).append(" HTTP/1.1\r\n");
  head.append(host_line_).append(request.headers);
  if (length > 0 || (request.method != "GET" && request.method != "HEAD")) {
    head.append("Content-Length: ");
    append_number(head, length);
    head.append("\r\n");
  }
  head.append("\r\n");
  exchange.body.clear();
  if (length <= kCopied) {
    for (const std::string_view piece : request.body) head.append(piece);
  } else {
    exchange.body.assign(request.body.begin(), request.body.end());
  }
  exchange.owner = request.owner;
  exchange.may_resend = request.may_resend;
  exchange.to_head = request.method == "HEAD";
}

void ClientPool::Impl::released(Upstream& upstream) {
  --active_;
  (upstream.connected() ? idle_ : closed_).push_back(upstream.place());
}

void ClientPool::Impl::dropped(Upstream& upstream) {
  std::erase(idle_, upstream.place());
  closed_.push_back(upstream.place());
}

void ClientPool::Impl::soon(uint64_t id, void (Upstream::*step)()) {
  loop_.post([self = weak_from_this(), id, step] {
    const auto pool = self.lock();
    if (!pool) return;
    if (Upstream* upstream = pool->find(id)) (upstream->*step)();
  });
}

// One timer for the earliest deadline; it may come too early for what is under way by then, and is set again.
void ClientPool::Impl::watch_deadline(int64_t at_ns) {
  if (at_ns >= timer_ns_) return;
  timer_ns_ = at_ns;
  loop_.call_at(at_ns, [self = weak_from_this(), at_ns] {
    const auto pool = self.lock();
    if (pool && pool->timer_ns_ == at_ns) pool->look_at_clock();
  });
}

void ClientPool::Impl::look_at_clock() {
  timer_ns_ = INT64_MAX;
  const int64_t now = Reactor::now_ns();
  int64_t next = INT64_MAX;
  for (size_t at = 0; at < all_.size(); ++at)  // a callback may add some
    if (all_[at]->exchange().id != 0) next = std::min(next, all_[at]->look_at_clock(now));
  watch_deadline(next);
}

// Addresses -----------------------------------------------------------------------------------------------

int ClientPool::Impl::connect(size_t attempt, bool& done) {
  take_look_up();
  const int fd = start_connect(addresses_[(good_ + attempt) % addresses_.size()], done);
  if (fd >= 0) ++counters_.opened;
  return fd;
}

void ClientPool::Impl::connected(size_t attempt) { good_ = (good_ + attempt) % addresses_.size(); }

void ClientPool::Impl::connect_failed() {
  take_look_up();
  const int64_t now = Reactor::now_ns();
  if (!url_.unix_path.empty() || look_up_ || (looked_up_ns_ > 0 && now - looked_up_ns_ < kResolveNs)) return;
  looked_up_ns_ = now;
  look_up_ = std::make_shared<LookUp>();
  // It may wait for the name server for longer than the pool lives.
  std::thread([look_up = look_up_, host = url_.host, port = url_.port] {
    std::string ignored;
    std::vector<Address> found = addresses_of(host, port, ignored);
    const std::lock_guard lock(look_up->mutex);
    look_up->found = std::move(found);
  }).detach();
}

void ClientPool::Impl::take_look_up() {
  if (!look_up_) return;
  const auto look_up = look_up_;
  const std::lock_guard lock(look_up->mutex);
  if (!look_up->found) return;
  if (!look_up->found->empty()) {
    addresses_ = std::move(*look_up->found);
    good_ = 0;
  }
  look_up_ = nullptr;
}

void ClientPool::Impl::connect_only(int64_t deadline_ns, Probe::Callback callback) {
  std::erase_if(probes_, [](const auto& probe) { return probe->ended(); });
  const auto probe = std::make_shared<Probe>(loop_, std::move(callback));
  probes_.insert(probe);
  take_look_up();
  bool done = false;
  const int fd = addresses_.empty() ? -1 : start_connect(addresses_[good_], done);
  if (fd >= 0) {
    probe->begin(fd);
    loop_.call_at(deadline_ns, [weak = std::weak_ptr(probe)] {
      if (const auto late = weak.lock()) late->end("no connection in time");
    });
    return;
  }
  connect_failed();
  loop_.post([weak = std::weak_ptr(probe)] {
    if (const auto failed = weak.lock()) failed->end("cannot connect");
  });
}

// ClientPool ----------------------------------------------------------------------------------------------

ClientPool::ClientPool(Reactor& reactor, const Url& url, const ClientPoolOptions& options)
    : impl_(std::make_shared<Impl>(reactor, url, options)) {}
ClientPool::~ClientPool() { impl_->end(); }
uint64_t ClientPool::send(const UpstreamRequest& request, int64_t deadline_ns, Callback callback) {
  return impl_->send(request, deadline_ns, std::move(callback), nullptr);
}
uint64_t ClientPool::send_streaming(const UpstreamRequest& request, int64_t deadline_ns, Stream stream) {
  return impl_->send(request, deadline_ns, nullptr, std::make_shared<Stream>(std::move(stream)));
}
void ClientPool::cancel(uint64_t id) { impl_->cancel(id); }
void ClientPool::resume(uint64_t id) { impl_->resume(id); }
void ClientPool::connect_only(int64_t deadline_ns, std::function<void(std::string_view error)> callback) {
  impl_->connect_only(deadline_ns, std::move(callback));
}
ClientPoolCounters ClientPool::counters() const { return impl_->counters(); }

}  // namespace mlq::http
