#include "lib/http/curl_setup.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>

#include "lib/base/error.h"
#include "lib/http/address.h"

namespace mlq::http {
namespace {

long http_version(const ClientConfig& config) {
  switch (config.version) {
    case Version::http1_1:
      return CURL_HTTP_VERSION_1_1;
    case Version::http2:
      return config.url.tls() ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_0;
    case Version::http2_prior:
      return CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  }
  return CURL_HTTP_VERSION_1_1;
}

void set_tls(CURL* easy, const ClientConfig& config) {
  if (config.insecure) {
    set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!config.cacert.empty()) set(easy, CURLOPT_CAINFO, config.cacert.c_str());
}

int system_error(CURL* easy) {
  long number = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
  return static_cast<int>(number);
}

Fault fault_of_connect(CURL* easy) {
  const int number = system_error(easy);
  if (number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM) return Fault::fd_limit;
  if (number == EADDRNOTAVAIL || number == EADDRINUSE) return Fault::ports;
  return Fault::refused;
}

// libcurl names the host that stands in the request in place of the socket.
std::string why_not_connected(const std::string& socket, int number) {
  const std::string other = no_socket(socket);
  return other.empty() ? fmt::format("cannot connect to the socket {}: {}", socket, std::strerror(number))
                       : fmt::format("{} is {} and no socket", socket, other);
}

bool uses_tls(CURL* easy) {
  const char* scheme = nullptr;
  return curl_easy_getinfo(easy, CURLINFO_SCHEME, &scheme) == CURLE_OK && scheme != nullptr &&
         (std::string_view(scheme) == "HTTPS" || std::string_view(scheme) == "https");
}

Fault fault_of(CURL* easy, CURLcode code, bool sent) {
  switch (code) {
    case CURLE_OK:
      return Fault::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Fault::dns;
    case CURLE_COULDNT_CONNECT:
      return fault_of_connect(easy);
    case CURLE_OPERATION_TIMEDOUT:
      return Fault::connect_timeout;  // the only time limit that libcurl is given
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED:
      return Fault::tls;
    case CURLE_SEND_ERROR:
      return sent ? Fault::send_reset : Fault::reset;
    case CURLE_RECV_ERROR:  // also a chunk that is none, and then the system has nothing to say
      return system_error(easy) == 0 && !uses_tls(easy) ? Fault::protocol : Fault::reset;
    case CURLE_GOT_NOTHING:
      return Fault::reset;
    case CURLE_ABORTED_BY_CALLBACK:
      return Fault::reset;  // a dead kept connection, and no leave to send again
    case CURLE_PARTIAL_FILE:
      return Fault::truncated;
    case CURLE_WRITE_ERROR:
      return Fault::aborted;
    case CURLE_FAILED_INIT:
      return Fault::internal;
    default:
      return Fault::protocol;
  }
}

bool is_content_type(const std::string& header) {
  constexpr std::string_view name = "content-type:";
  return std::equal(name.begin(), name.end(), header.begin(),
                    header.begin() + std::min(name.size(), header.size()),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

}  // namespace

void fail(CURLoption option, CURLcode code) {
  throw environment_error("libcurl option {}: {}; this libcurl was built without it",
                          static_cast<int>(option), curl_easy_strerror(code));
}

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) throw environment_error("libcurl does not start");
  });
}

HeaderList make_headers(const ClientConfig& config) {
  curl_slist* list = nullptr;
  const auto append = [&](const char* line) {
    curl_slist* longer = curl_slist_append(list, line);
    if (longer == nullptr) {
      curl_slist_free_all(list);
      throw std::bad_alloc();
    }
    list = longer;
  };
  append("Expect:");  // a body over 1 MB would wait a second for leave to be sent
  for (const std::string& header : config.headers) append(header.c_str());
  // libcurl would call every body a form.
  if (std::none_of(config.headers.begin(), config.headers.end(), is_content_type)) append("Content-Type:");
  return HeaderList(list);
}

Easy make_easy(const ClientConfig& config) {
  start_curl();
  Easy handle(curl_easy_init());
  if (!handle) throw std::bad_alloc();
  CURL* easy = handle.get();
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_NOPROGRESS, 1L);
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, http_version(config));
  set(easy, CURLOPT_CONNECTTIMEOUT_MS,
      std::max<long>(static_cast<long>(config.connect_timeout_ns / 1'000'000), 1));
  set(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L);  // the default of 60 s puts a lookup before a due request
  set(easy, CURLOPT_MAXAGE_CONN, 86'400L);
  set(easy, CURLOPT_PROXY, config.proxy.c_str());
  set(easy, CURLOPT_FOLLOWLOCATION, config.follow ? 1L : 0L);
  set(easy, CURLOPT_BUFFERSIZE, 65'536L);
  if (config.version != Version::http1_1) set(easy, CURLOPT_PIPEWAIT, 1L);
  if (!config.url.unix_path.empty()) set(easy, CURLOPT_UNIX_SOCKET_PATH, config.url.unix_path.c_str());
  if (!config.url.user.empty() || !config.url.password.empty()) {
    set(easy, CURLOPT_USERNAME, config.url.user.c_str());
    set(easy, CURLOPT_PASSWORD, config.url.password.c_str());
  }
  set_tls(easy, config);
  return handle;
}

void arm(CURL* easy, const ClientConfig& config, const ClientRequest& request) {
  std::string address = config.url.origin();
  address += request.target;
  set(easy, CURLOPT_URL, address.c_str());
  const std::string method(request.method);
  set(easy, CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
  if (request.method == "HEAD") {
    set(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  set(easy, CURLOPT_NOBODY, 0L);
  if (request.method == "GET" && request.body.empty()) {
    set(easy, CURLOPT_HTTPGET, 1L);
    return;
  }
  set(easy, CURLOPT_POST, 1L);
  set(easy, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  if (request.method != "POST") set(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
}

TransferEnd transfer_end(CURL* easy, CURLcode code, bool sent, const ErrorText& text, const Url& url) {
  if (code == CURLE_OK) return {};
  if (code == CURLE_ABORTED_BY_CALLBACK) return {Fault::reset, "the kept connection was dead"};
  if (code == CURLE_COULDNT_CONNECT && !url.unix_path.empty())
    return {fault_of_connect(easy), why_not_connected(url.unix_path, system_error(easy))};
  return {fault_of(easy, code, sent), text[0] != '\0' ? text.data() : curl_easy_strerror(code)};
}

}  // namespace mlq::http
