#include "tests/support/socket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace mlq::test {
namespace {

int connected(int family, const sockaddr* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (fd < 0 || ::connect(fd, address, size) != 0)
    throw std::runtime_error(std::string("cannot connect: ") + std::strerror(errno));
  return fd;
}

}  // namespace

SocketClient::SocketClient(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = connected(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

SocketClient::SocketClient(const std::string& unix_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
  fd_ = connected(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

SocketClient::~SocketClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool SocketClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool SocketClient::request(std::string_view target, std::string_view body, std::string_view headers) {
  std::string text = body.empty() ? "GET " : "POST ";
  text.append(target).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headers);
  if (!body.empty()) text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  return send(text.append("\r\n").append(body));
}

void SocketClient::end_sending() { ::shutdown(fd_, SHUT_WR); }

void SocketClient::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd_);
  fd_ = -1;
}

bool SocketClient::read_more() {
  char bytes[64 * 1024];
  const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
  if (n < 0 && errno == ECONNRESET) reset_ = true;
  if (n <= 0) return false;
  in_.append(bytes, static_cast<size_t>(n));
  return true;
}

std::string SocketClient::take(size_t bytes) {
  while (in_.size() < bytes && read_more()) continue;
  const std::string out = in_.substr(0, bytes);
  in_.erase(0, out.size());
  return out;
}

std::string SocketClient::take_through(std::string_view mark) {
  size_t at = 0;
  while ((at = in_.find(mark)) == in_.npos)
    if (!read_more()) return {};
  return take(at + mark.size());
}

std::string SocketClient::rest() {
  while (read_more()) continue;
  return take(in_.size());
}

SocketClient::Answer SocketClient::answer() {
  Answer answer;
  answer.head = take_through("\r\n\r\n");
  if (answer.head.size() < 12) return answer;
  answer.status = std::atoi(answer.head.c_str() + 9);
  const std::string_view length = "\r\nContent-Length: ";
  if (const size_t at = answer.head.find(length); at != answer.head.npos) {
    const auto wanted = std::strtoull(answer.head.c_str() + at + length.size(), nullptr, 10);
    answer.body = take(wanted);
    answer.whole = answer.body.size() == wanted;
  } else if (answer.head.find("Transfer-Encoding: chunked") != answer.head.npos) {
    for (std::string line = take_through("\r\n"); !line.empty(); line = take_through("\r\n")) {
      const auto size = std::strtoull(line.c_str(), nullptr, 16);
      answer.whole = size == 0 && take(2) == "\r\n";
      if (size == 0) break;
      answer.body += take(size);
      take(2);
    }
  } else {
    answer.whole = true;
  }
  return answer;
}

}  // namespace mlq::test
