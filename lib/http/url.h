// The address of a server and a target on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mlq::http {

struct Url {
  std::string scheme;  // http or https
  std::string host;    // without brackets
  uint16_t port = 0;
  std::string target = "/";  // path and query, percent-encoded, without a fragment
  std::string user;          // user information, if any: a secret
  std::string password;
  std::string unix_path;  // socket to connect to instead of host and port; empty: none

  bool tls() const { return scheme == "https"; }
  // scheme://host:port, the port only where it is not the scheme's own; without user information.
  std::string origin() const;
  // For records and messages: the origin and the path; values of the query and user information are left out.
  std::string redacted() const;
};

// `http://host:8000/path?query`, `https://...`, `host:8000/path` (http), or `unix:PATH` with an optional
// target behind a second colon, as in `unix:/run/model.sock:/v2/health/live`. A usage Error quotes the text,
// without its user information, and says what is expected. By the rules of RFC 3986 as libcurl reads them.
Url parse_url(std::string_view text);

}  // namespace mlq::http
