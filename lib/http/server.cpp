#include "lib/http/server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_set>

#include "lib/base/error.h"
#include "lib/http/address.h"
#include "lib/http/connection.h"

namespace mlq::http {
namespace {

constexpr int64_t kAcceptPauseNs = 50'000'000;
constexpr int kAcceptBurst = 64;      // then other sockets have their turn
constexpr uint32_t kTurnedAway = 64;  // connections over the limit that are told so at a time
// With a large window the kernel takes megabytes before a server that reads slowly is felt.
constexpr int kSlowReceiveBuffer = 8 * 1024;

// The end of a server that had no time to take its name away.
bool is_stale_socket(const std::string& path, const Address& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool refused = ::connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

// How often timeouts are looked at; 0: there are none.
int64_t step_of(const ServerOptions& options) {
  int64_t least = INT64_MAX;
  for (const int64_t timeout : {options.header_timeout_ns, options.idle_timeout_ns, options.send_timeout_ns,
                                options.min_body_rate > 0 ? options.body_grace_ns : 0})
    if (timeout > 0) least = std::min(least, timeout);
  return least == INT64_MAX ? 0 : std::clamp<int64_t>(least / 10, 1'000'000, 1'000'000'000);
}

}  // namespace

class Server::Impl final : public Part, public Watcher, public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, const ServerOptions& options, Handler handler)
      : state_(std::make_shared<ServerState>(loop, options, std::move(handler))),
        step_ns_(step_of(state_->options)) {
    state_->on_closed = [this](Connection& connection) { closed(connection); };
    listen();
    loop.add(*this);
  }
  ~Impl() {
    state_->loop.remove(*this);
    close_listener();
    end_now();
    state_->on_closed = nullptr;
  }

  uint16_t port() const { return port_; }
  const std::string& url() const { return url_; }
  const ServerCounters& counters() const { return state_->counters; }

  // A handler may call it: connections, which may have something to be read, have to wait for their turn.
  void stop_accepting() {
    close_listener();
    state_->closing = true;
    state_->loop.post([self = weak_from_this()] {
      if (const auto server = self.lock()) server->end_idle();
    });
  }
  void begin_stop() override {
    close_listener();
    state_->closing = true;
    end_idle();
  }
  bool busy() const override { return !open_.empty(); }
  void end_now() override {
    const auto all = open_;
    for (const auto& connection : all) connection->close_now();
  }

  void on_ready(uint32_t) override { accept(); }

 private:
  void listen();
  void name_it();
  void accept();
  void pause_accepting();
  void taken(int fd);
  void closed(Connection& connection);
  void look_at_clock();
  void close_listener();
  void end_idle();
  const ServerOptions& options() const { return state_->options; }

  std::shared_ptr<ServerState> state_;
  std::unordered_set<std::shared_ptr<Connection>> open_;
  const int64_t step_ns_;
  bool looking_ = false;
  int listener_ = -1;
  bool full_ = false;  // accepting waits for a connection to close
  uint16_t port_ = 0;
  std::string url_;
  bool bound_unix_ = false;
};

void Server::Impl::listen() {
  const bool is_unix = !options().unix_path.empty();
  const Address address =
      is_unix ? unix_address(options().unix_path) : address_to_listen(options().host, options().port);
  if (is_unix && is_stale_socket(options().unix_path, address)) ::unlink(options().unix_path.c_str());
  const std::string name =
      is_unix ? options().unix_path : fmt::format("{}:{}", options().host, options().port);
  const auto why_not = [&](int error) -> std::string {
    if (error != EADDRINUSE) return std::strerror(error);
    if (!is_unix) return "another program listens there; stop it, or give another port";
    const std::string other = no_socket(name);
    return other.empty()
               ? "another server listens on it; stop it, or give another path"
               : fmt::format("it is {}, which is not replaced; remove it, or give another path", other);
  };
  const auto check = [&](int result) {
    if (result >= 0) return;
    const int error = errno;
    close_listener();
    throw environment_error("{}: cannot listen: {}", name, why_not(error));
  };
  listener_ = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  check(listener_);
  const int on = 1;
  if (!is_unix) {  // accepted sockets inherit these
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options().reuse_port) check(::setsockopt(listener_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
  }
  if (options().read_rate > 0)
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &kSlowReceiveBuffer, sizeof kSlowReceiveBuffer);
  check(::bind(listener_, address.get(), address.size));
  bound_unix_ = is_unix;
  check(::listen(listener_, SOMAXCONN));
  name_it();
  state_->loop.watch(listener_, *this);
}

void Server::Impl::name_it() {
  if (bound_unix_) {
    url_ = "unix:" + options().unix_path;
    return;
  }
  Address bound;
  ::getsockname(listener_, bound.get(), &bound.size);
  port_ = bound.port();
  url_ = "http://" + bound.text();
}

void Server::Impl::accept() {
  for (int k = 0; listener_ >= 0 && !full_; ++k) {
    if (options().max_connections > 0 && open_.size() >= options().max_connections + uint64_t{kTurnedAway}) {
      full_ = true;
      return;
    }
    if (k == kAcceptBurst)
      return state_->loop.post([self = weak_from_this()] {
        if (const auto server = self.lock()) server->accept();
      });
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      taken(fd);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {  // out of descriptors or memory
      return pause_accepting();
    }
  }
}

void Server::Impl::pause_accepting() {
  state_->loop.call_at(Reactor::now_ns() + kAcceptPauseNs, [self = weak_from_this()] {
    if (const auto server = self.lock()) server->accept();
  });
}

void Server::Impl::taken(int fd) {
  const bool over = options().max_connections > 0 && open_.size() >= options().max_connections;
  const auto connection = std::make_shared<Connection>(state_, fd);
  open_.insert(connection);
  ++state_->counters.accepted;
  state_->counters.open = open_.size();
  if (step_ns_ > 0 && !looking_) look_at_clock();
  if (over)
    connection->turn_away();
  else
    connection->begin();
}

void Server::Impl::end_idle() {
  const auto all = open_;
  for (const auto& connection : all) connection->end_if_idle();
}

void Server::Impl::closed(Connection& connection) {
  open_.erase(connection.shared_from_this());
  state_->counters.open = open_.size();
  if (std::exchange(full_, false)) {
    state_->loop.post([self = weak_from_this()] {
      if (const auto server = self.lock()) server->accept();
    });
  }
  if (state_->loop.stopping()) state_->loop.end_if_done();
}

// Comes again for as long as there are connections.
void Server::Impl::look_at_clock() {
  looking_ = !open_.empty();
  if (!looking_) return;
  const int64_t now = Reactor::now_ns();
  const auto all = open_;
  for (const auto& connection : all) connection->look_at_clock(now);
  state_->loop.call_at(now + step_ns_, [self = weak_from_this()] {
    if (const auto server = self.lock()) server->look_at_clock();
  });
}

void Server::Impl::close_listener() {
  if (listener_ < 0) return;
  state_->loop.unwatch(listener_);
  ::close(std::exchange(listener_, -1));
  if (std::exchange(bound_unix_, false)) ::unlink(options().unix_path.c_str());
}

Server::Server(Reactor& reactor, const ServerOptions& options, Handler handler)
    : impl_(std::make_shared<Impl>(reactor.loop(), options, std::move(handler))) {}

Server::~Server() = default;

uint16_t Server::port() const { return impl_->port(); }
std::string Server::url() const { return impl_->url(); }
void Server::stop_accepting() { impl_->stop_accepting(); }
ServerCounters Server::counters() const { return impl_->counters(); }

}  // namespace mlq::http
