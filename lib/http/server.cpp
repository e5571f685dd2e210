#include "lib/http/server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "lib/base/error.h"
#include "lib/http/connection.h"
#include "lib/http/loop.h"

namespace mlq::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr int64_t kAcceptPauseNs = 50'000'000;
// With a large window the kernel takes megabytes before a server that reads slowly is felt.
constexpr int kSlowReceiveBuffer = 8 * 1024;

// The end of a server that had no time to take its name away.
bool is_stale_socket(asio::io_context& io, const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  asio::local::stream_protocol::socket probe(io);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  return error == asio::error::connection_refused;
}

}  // namespace

struct Server::Listener {
  Listener(Loop& owner) : loop(owner), acceptor(owner.io()) {}
  ~Listener() {
    if (bound_unix) ::unlink(loop.options().unix_path.c_str());
  }

  Protocol::endpoint endpoint();
  void listen();
  void accept();

  Loop& loop;
  asio::basic_socket_acceptor<Protocol> acceptor;
  uint16_t port = 0;
  std::string url;
  bool bound_unix = false;
};

Protocol::endpoint Server::Listener::endpoint() {
  const ServerOptions& options = loop.options();
  if (!options.unix_path.empty()) {
    if (options.unix_path.size() > 107)
      throw usage_error("\"{}\": a socket's path has at most 107 bytes", options.unix_path);
    if (is_stale_socket(loop.io(), options.unix_path)) ::unlink(options.unix_path.c_str());
    return asio::local::stream_protocol::endpoint(options.unix_path);
  }
  error_code error;
  asio::ip::tcp::resolver resolver(loop.io());
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), asio::ip::resolver_base::passive, error);
  if (error || found.empty())
    throw environment_error("{}: cannot find the address to listen on: {}", options.host, error.message());
  return found.begin()->endpoint();
}

void Server::Listener::listen() {
  const ServerOptions& options = loop.options();
  const Protocol::endpoint at = endpoint();
  const bool is_unix = !options.unix_path.empty();
  const std::string name = is_unix ? options.unix_path : fmt::format("{}:{}", options.host, options.port);
  const auto check = [&](const error_code& error) {
    if (error) throw environment_error("{}: cannot listen: {}", name, error.message());
  };
  error_code error;
  acceptor.open(at.protocol(), error);
  check(error);
  if (!is_unix) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (options.read_rate > 0)  // accepted sockets inherit it
    acceptor.set_option(asio::socket_base::receive_buffer_size(kSlowReceiveBuffer), error);
  acceptor.bind(at, error);
  check(error);
  bound_unix = is_unix;
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  check(error);
  if (is_unix) {
    url = "unix:" + options.unix_path;
    return;
  }
  const Protocol::endpoint bound = acceptor.local_endpoint(error);
  check(error);
  asio::ip::tcp::endpoint tcp;
  std::memcpy(tcp.data(), bound.data(), bound.size());
  tcp.resize(bound.size());
  port = tcp.port();
  const std::string host = tcp.address().to_string();
  url = tcp.address().is_v6() ? fmt::format("http://[{}]:{}", host, port)
                              : fmt::format("http://{}:{}", host, port);
}

void Server::Listener::accept() {
  acceptor.async_accept([this](const error_code& error, Socket socket) {
    if (error == asio::error::operation_aborted || loop.stopping()) return;
    if (!error) {
      std::make_shared<Connection>(loop, std::move(socket))->begin();
    } else if (error != asio::error::connection_aborted) {  // out of descriptors or memory
      return loop.call_at(Server::now_ns() + kAcceptPauseNs, [this] { accept(); });
    }
    accept();
  });
}

Server::Server(const ServerOptions& options, Handler handler)
    : loop_(std::make_unique<Loop>(options, std::move(handler))),
      listener_(std::make_unique<Listener>(*loop_)) {
  listener_->listen();
  loop_->on_stop = [this] {
    error_code ignored;
    listener_->acceptor.close(ignored);
  };
}

Server::~Server() = default;

uint16_t Server::port() const { return listener_->port; }
std::string Server::url() const { return listener_->url; }

void Server::run(const StopFlag* stop) {
  listener_->accept();
  loop_->run(stop);
}

void Server::stop(int64_t grace_ns) { loop_->post_stop(grace_ns); }
void Server::call_at(int64_t at_ns, std::function<void()> run) { loop_->call_at(at_ns, std::move(run)); }

}  // namespace mlq::http
