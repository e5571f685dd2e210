// The least that a client of token streams can do: POSTs so many requests over plain sockets, one connection
// each, at an even pace over the first second, and counts the `data:` lines of what comes back, nothing else.
// usage: replay_stream_bench PORT STREAMS TARGET BODY
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "lib/base/clock.h"
#include "tests/bench/bench.h"

namespace {

constexpr std::string_view kMark = "\ndata: ";

// Counts the occurrences of kMark; `matched` bytes of it ended the piece before.
uint64_t count_marks(std::string_view piece, size_t& matched) {
  uint64_t found = 0;
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (at < end) {
    if (matched == 0) {
      at = static_cast<const char*>(std::memchr(at, kMark[0], static_cast<size_t>(end - at)));
      if (at == nullptr) break;
      matched = 1;
      ++at;
    } else if (*at == kMark[matched]) {
      ++at;
      if (++matched == kMark.size()) {
        ++found;
        matched = 0;
      }
    } else {
      matched = 0;  // the byte may begin a mark itself: it is looked at again
    }
  }
  return found;
}

int open_socket(const sockaddr_in& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    std::perror("replay_stream_bench: connect");
    std::exit(4);
  }
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: replay_stream_bench PORT STREAMS TARGET BODY\n");
    return 2;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto streams = static_cast<size_t>(std::atoi(argv[2]));
  const std::string body = argv[4];
  const std::string request =
      std::string("POST ") + argv[3] + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;

  const int epoll = ::epoll_create1(0);
  const mlq::SteadyClock clock;
  const int64_t start = clock.now_ns();
  std::vector<size_t> matched;  // by descriptor
  size_t sent = 0;
  size_t open = 0;
  uint64_t events = 0;
  uint64_t bytes = 0;
  uint64_t reads = 0;
  std::vector<char> buffer(size_t{64} << 10);
  while (sent < streams || open > 0) {
    const int64_t due = start + static_cast<int64_t>(sent * 1'000'000'000 / streams);
    if (sent < streams && clock.now_ns() >= due) {
      const int fd = open_socket(address);
      if (::send(fd, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) return 4;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
      matched.resize(std::max(matched.size(), static_cast<size_t>(fd) + 1));
      matched[static_cast<size_t>(fd)] = 0;
      ++sent;
      ++open;
      continue;
    }
    const int64_t left = sent < streams ? due - clock.now_ns() : 1'000'000'000;
    const timespec timeout{.tv_sec = left / 1'000'000'000,
                           .tv_nsec = std::max<int64_t>(left, 0) % 1'000'000'000};
    epoll_event ready[256];
    const int count = ::epoll_pwait2(epoll, ready, 256, &timeout, nullptr);
    for (int k = 0; k < count; ++k) {
      const int fd = ready[k].data.fd;
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got > 0) {
        events += count_marks({buffer.data(), static_cast<size_t>(got)}, matched[static_cast<size_t>(fd)]);
        bytes += static_cast<uint64_t>(got);
        ++reads;
      } else {
        ::close(fd);
        --open;
      }
    }
  }
  const double cpu = mlq::bench::cpu_seconds();
  mlq::bench::report("stream_raw", static_cast<double>(events), "chunks", cpu);
  std::fprintf(stderr, "replay_stream_bench: %llu events, %llu bytes, %llu reads\n",
               static_cast<unsigned long long>(events), static_cast<unsigned long long>(bytes),
               static_cast<unsigned long long>(reads));
}
