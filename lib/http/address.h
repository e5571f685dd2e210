// Addresses of sockets. Internal to lib/http.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mlq::http {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  uint16_t port() const;     // of TCP
  std::string text() const;  // of TCP: 127.0.0.1:8000 or [::1]:8000
};

// A usage Error if it is too long.
Address unix_address(const std::string& path);
// What is at `path` if that is no socket: "a folder", "a file", "a link to nothing". Empty for a socket, and
// for nothing.
std::string no_socket(const std::string& path);
// Where to listen for host:port; waits for the name server. An environment Error if there is no such address.
Address address_to_listen(const std::string& host, uint16_t port);
// Where to connect to. Empty if there is none, and `error` says why.
std::vector<Address> addresses_of(const std::string& host, uint16_t port, std::string& error);

}  // namespace mlq::http
