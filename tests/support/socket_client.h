// A client of plain sockets, for what HTTP libraries would put right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mlq::test {

// Blocking; a read gives up after ten seconds. Throws std::runtime_error if it cannot connect.
class SocketClient {
 public:
  explicit SocketClient(uint16_t port);  // of 127.0.0.1
  explicit SocketClient(const std::string& unix_path);
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;
  ~SocketClient();

  // False if the other side no longer takes it.
  bool send(std::string_view bytes);
  // GET, or POST with a body, over HTTP/1.1. `headers` are whole lines.
  bool request(std::string_view target, std::string_view body = {}, std::string_view headers = {});
  // No more is sent; the other side sees the end.
  void end_sending();
  // Closes it with RST (a unix socket: as any close). Nothing else may be called after it.
  void reset();

  struct Answer {
    int status = 0;      // 0: the connection ended before there was one
    std::string head;    // with its blank line
    std::string body;    // with chunks taken apart
    bool whole = false;  // its end was seen
  };
  // One answer, as far as it comes.
  Answer answer();
  // What comes until the end of the connection.
  std::string rest();
  // Whether the connection ended with a reset: known once a read has met its end.
  bool was_reset() const { return reset_; }
  // Reads until there are that many bytes, or the end.
  std::string take(size_t bytes);

 private:
  bool read_more();
  // Up to and with `mark`; empty if it does not come.
  std::string take_through(std::string_view mark);

  int fd_ = -1;
  std::string in_;
  bool reset_ = false;
};

}  // namespace mlq::test
