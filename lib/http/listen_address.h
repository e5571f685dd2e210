// Where a server listens, as users write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/http/server.h"

namespace mlq::http {

// HOST:PORT or unix:PATH.
struct ListenAddress {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string unix_path;

  bool loopback() const;  // or a Unix socket
  ServerOptions server_options() const;
};
// A usage Error; a port alone is one of 127.0.0.1.
ListenAddress parse_listen_address(std::string_view text);

}  // namespace mlq::http
