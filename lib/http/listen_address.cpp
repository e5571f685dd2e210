#include "lib/http/listen_address.h"

#include <charconv>

#include "lib/base/error.h"

namespace mlq::http {

bool ListenAddress::loopback() const {
  return !unix_path.empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

ServerOptions ListenAddress::server_options() const {
  ServerOptions options;
  options.host = host;
  options.port = port;
  options.unix_path = unix_path;
  return options;
}

ListenAddress parse_listen_address(std::string_view text) {
  ListenAddress address;
  if (text.starts_with("unix:")) {
    address.unix_path = text.substr(5);
    if (address.unix_path.empty()) throw usage_error("unix: needs a path, as in unix:/run/mlq.sock");
    return address;
  }
  const size_t colon = text.rfind(':');
  std::string_view host = colon == text.npos ? std::string_view() : text.substr(0, colon);
  const std::string_view port = colon == text.npos ? text : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    throw usage_error("\"{}\" is neither HOST:PORT nor unix:PATH, as in 127.0.0.1:8000", text);
  if (!host.empty()) address.host = host;
  return address;
}

}  // namespace mlq::http
