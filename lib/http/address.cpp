#include "lib/http/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::http {
namespace {

std::vector<Address> resolve(const std::string& host, uint16_t port, int flags, std::string& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int result =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (result != 0) {
    error = ::gai_strerror(result);
    return {};
  }
  std::vector<Address> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Address& address = addresses.emplace_back();
    address.size = std::min<socklen_t>(each->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, each->ai_addr, address.size);
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

uint16_t Address::port() const {
  return ntohs(family() == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                                    : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

std::string Address::text() const {
  char host[INET6_ADDRSTRLEN] = "";
  const bool six = family() == AF_INET6;
  const void* from =
      six ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr)
          : &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr;
  ::inet_ntop(family(), from, host, sizeof host);
  return fmt::format("{}:{}", six ? fmt::format("[{}]", host) : host, port());
}

Address unix_address(const std::string& path) {
  Address address;
  auto* name = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.size() >= sizeof name->sun_path)
    throw usage_error("\"{}\": a socket's path has at most {} bytes", path, sizeof name->sun_path - 1);
  name->sun_family = AF_UNIX;
  path.copy(name->sun_path, path.size());
  address.size = sizeof(sockaddr_un);
  return address;
}

std::string no_socket(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ::lstat(path.c_str(), &info) == 0 ? "a link to nothing" : "";
  if (S_ISSOCK(info.st_mode)) return "";
  return S_ISDIR(info.st_mode) ? "a folder" : "a file";
}

Address address_to_listen(const std::string& host, uint16_t port) {
  std::string error;
  const std::vector<Address> found = resolve(host, port, AI_PASSIVE, error);
  if (found.empty()) throw environment_error("{}: cannot find the address to listen on: {}", host, error);
  return found.front();
}

std::vector<Address> addresses_of(const std::string& host, uint16_t port, std::string& error) {
  return resolve(host, port, 0, error);
}

}  // namespace mlq::http
