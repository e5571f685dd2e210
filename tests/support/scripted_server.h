// A server that says exactly what a test wants said, byte by byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mlq::test {

// One accepted connection, in the hands of the script. Blocking; gives up after ten seconds.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  // One request with its body (Content-Length); empty at the end of the connection.
  std::string request();
  // Reads whatever comes, at least one byte; empty at the end.
  std::string some();
  bool send(std::string_view bytes);
  void send_byte_by_byte(std::string_view bytes);
  void reset();  // closes with RST

 private:
  int fd_;
  std::string in_;
};

// Listens on a free port of 127.0.0.1, or on a unix socket, and runs the script once for each connection, on
// a thread of its own: `script(peer, n)` with n = 0 for the first. The destructor waits for all of them.
class ScriptedServer {
 public:
  using Script = std::function<void(Peer&, int)>;
  explicit ScriptedServer(Script script, const std::string& unix_path = "");
  ~ScriptedServer();

  uint16_t port() const { return port_; }
  std::string url(std::string_view target = "/") const;
  int connections() const { return connections_; }

 private:
  void accept_all();

  Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace mlq::test
