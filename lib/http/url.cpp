#include "lib/http/url.h"

#include <curl/curl.h>

#include <charconv>
#include <memory>

#include "lib/base/error.h"

namespace mlq::http {
namespace {

struct CloseUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Handle = std::unique_ptr<CURLU, CloseUrl>;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// What may be shown of a text that could not be read: nothing between the scheme and an @, and no query.
std::string shown(std::string_view text) {
  const size_t slashes = text.find("://");
  std::string out(text.substr(0, slashes == text.npos ? 0 : slashes + 3));
  text.remove_prefix(out.size());
  const size_t at = text.rfind('@');
  if (at != text.npos) text.remove_prefix(at + 1);
  const size_t query = text.find('?');
  out += text.substr(0, query);
  return query == text.npos ? out : out + "?...";
}

Url parse_unix(std::string_view text) {
  constexpr std::string_view prefix = "unix:";
  const std::string_view rest = text.substr(prefix.size());
  const size_t colon = rest.find(":/");
  Url url;
  url.scheme = "http";
  url.host = "localhost";
  url.port = 80;
  url.unix_path = rest.substr(0, colon);
  if (colon != rest.npos) url.target = rest.substr(colon + 1);
  if (url.unix_path.empty()) throw usage_error("\"{}\" names no socket; write unix:/run/model.sock", text);
  if (url.unix_path.size() > 107) throw usage_error("\"{}\": a socket's path has at most 107 bytes", text);
  return url;
}

}  // namespace

std::string Url::origin() const {
  const bool own = port == (tls() ? 443 : 80);
  const bool six = host.find(':') != host.npos;
  std::string out = scheme + "://" + (six ? "[" + host + "]" : host);
  if (!own) out += ":" + std::to_string(port);
  return out;
}

std::string Url::redacted() const {
  const std::string path = target.substr(0, target.find('?'));
  const std::string query = path.size() < target.size() ? "?..." : "";
  if (!unix_path.empty()) return "unix:" + unix_path + ":" + path + query;
  return origin() + path + query;
}

Url parse_url(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text);
  const Handle handle(curl_url());
  if (!handle) throw std::bad_alloc();
  const std::string copy(text);
  const bool bare = text.find("://") == text.npos;
  const CURLUcode code =
      text.find('\0') != text.npos
          ? CURLUE_MALFORMED_INPUT
          : curl_url_set(handle.get(), CURLUPART_URL, (bare ? "http://" + copy : copy).c_str(), 0);
  if (code == CURLUE_UNSUPPORTED_SCHEME) {
    throw usage_error("\"{}\": the scheme must be http or https, or unix: and a path", shown(text));
  }
  if (code != CURLUE_OK) {
    throw usage_error("\"{}\" is no URL ({}); write it as in http://127.0.0.1:8000/v2/models/m/infer",
                      shown(text), curl_url_strerror(code));
  }
  Url url;
  url.scheme = part(handle.get(), CURLUPART_SCHEME);
  if (url.scheme != "http" && url.scheme != "https") {
    throw usage_error("\"{}\": the scheme must be http or https, or unix: and a path", shown(text));
  }
  url.host = part(handle.get(), CURLUPART_HOST);
  if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
  // A host is decoded once; what is left of another encoding would be decoded again further on.
  if (url.host.find('%') != url.host.npos)
    throw usage_error("\"{}\": the host is encoded twice", shown(text));
  const std::string port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), url.port);
  url.target = part(handle.get(), CURLUPART_PATH);
  if (const std::string query = part(handle.get(), CURLUPART_QUERY); !query.empty())
    url.target += "?" + query;
  url.user = part(handle.get(), CURLUPART_USER);
  url.password = part(handle.get(), CURLUPART_PASSWORD);
  return url;
}

}  // namespace mlq::http
