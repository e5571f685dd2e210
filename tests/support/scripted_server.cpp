#include "tests/support/scripted_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace mlq::test {
namespace {

void give_up_after_ten_seconds(int fd) {
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

size_t content_length(const std::string& head) {
  const size_t at = head.find("Content-Length: ");
  return at == head.npos ? 0 : std::strtoull(head.c_str() + at + 16, nullptr, 10);
}

}  // namespace

Peer::~Peer() {
  if (fd_ >= 0) ::close(fd_);
}

std::string Peer::some() {
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
  return n > 0 ? std::string(buffer.data(), static_cast<size_t>(n)) : std::string();
}

std::string Peer::request() {
  size_t size = std::string::npos;
  while (true) {
    const size_t end = in_.find("\r\n\r\n");
    if (end != in_.npos) size = end + 4 + content_length(in_.substr(0, end + 2));
    if (in_.size() >= size) break;
    const std::string more = some();
    if (more.empty()) return {};
    in_ += more;
  }
  std::string request = in_.substr(0, size);
  in_.erase(0, size);
  return request;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void Peer::send_byte_by_byte(std::string_view bytes) {
  for (const char& byte : bytes) {
    if (!send({&byte, 1})) return;
    ::usleep(200);
  }
}

void Peer::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd_);
  fd_ = -1;
}

ScriptedServer::ScriptedServer(Script script, const std::string& unix_path) : script_(std::move(script)) {
  if (unix_path.empty()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0) throw std::runtime_error("bind");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  } else {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("bind");
  }
  if (::listen(listener_, 512) != 0) throw std::runtime_error("listen");
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedServer::~ScriptedServer() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

std::string ScriptedServer::url(std::string_view target) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(target);
}

void ScriptedServer::accept_all() {
  while (!stop_) {
    pollfd end{listener_, POLLIN, 0};
    if (::poll(&end, 1, 20) <= 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    give_up_after_ten_seconds(fd);
    const int number = connections_++;
    threads_.emplace_back([this, fd, number] {
      Peer peer(fd);
      script_(peer, number);
    });
  }
}

}  // namespace mlq::test
