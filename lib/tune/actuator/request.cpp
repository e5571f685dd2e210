#include "lib/tune/actuator/request.h"

#include <algorithm>
#include <array>

#include "lib/http/message.h"

namespace mlq::tune {
namespace {

constexpr size_t kShownBody = 300;

bool is_secret_header(std::string_view name) {
  constexpr std::array<std::string_view, 6> secret = {
      "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"};
  return std::ranges::any_of(secret, [&](auto s) { return http::equal_ignoring_case(s, name); });
}

// A URL without user information.
std::string without_user(std::string url) {
  const size_t slashes = url.find("://");
  const size_t begin = slashes == url.npos ? 0 : slashes + 3;
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  if (at != url.npos && at >= begin) url.replace(begin, at + 1 - begin, "");
  return url;
}

// One line, no longer than anybody wants to read.
std::string beginning(std::string_view text) {
  std::string out(text.substr(0, kShownBody));
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text.size() > kShownBody ? out + "..." : out;
}

std::vector<std::pair<std::string, Template>> parse_headers(Fields& fields, const Names& names) {
  std::vector<std::pair<std::string, Template>> out;
  const Json* headers = fields.find("headers");
  if (headers == nullptr) return out;
  const Fields members(*headers, fields.where("headers"));
  for (const auto& [name, value] : *headers->as<Json::Object>()) {
    const auto* text = value.as<std::string>();
    if (text == nullptr || name.empty() || name.find_first_of(": \r\n") != name.npos)
      throw input_error("{}: a name and a text are wanted, as in \"Authorization\": \"Bearer @env:TOKEN\"",
                        members.where(name));
    out.emplace_back(name, Template::parse(*text, names, members.where(name)));
  }
  return out;
}

std::vector<int> parse_expect(Fields& fields) {
  std::vector<int> out;
  const Json* expect = fields.find("expect");
  if (expect == nullptr) return out;
  const auto* array = expect->as<Json::Array>();
  const Json::Array one = array == nullptr ? Json::Array{*expect} : *array;
  for (const Json& status : one) {
    const auto* number = status.as<int64_t>();
    if (number == nullptr || *number < 100 || *number > 599)
      throw input_error("{}: statuses such as [200, 204] are wanted", fields.where("expect"));
    out.push_back(static_cast<int>(*number));
  }
  return out;
}

void check_url(const Template& url, const std::string& where) {
  const auto text = url.constant();
  if (!text) return;  // seen when it is filled in
  try {
    http::parse_url(*text);
  } catch (const Error& error) {
    throw input_error("{}: {}", where, error.what());
  }
}

}  // namespace

int64_t retry_pause_ns(uint32_t tries) { return int64_t{500'000'000} << std::min(tries - 1, 10U); }

bool transient(const http::CallResult& answer) {
  return !answer.answered() || answer.status >= 500 || answer.status == 408 || answer.status == 429;
}

Failure failure_of(const http::CallResult& answer, const std::string& what, const Secrets& secrets) {
  if (!answer.answered()) return {ApplyResult::broken, secrets.hide(what + ": " + answer.note)};
  const int status = answer.status;
  std::string note = fmt::format("{}: {} {}", what, status, http::reason_of(status));
  if (status >= 300 && status < 400)
    note += fmt::format(", to {}; redirects are not followed",
                        without_user(std::string(answer.header("location"))));
  else if (!answer.body.empty())
    note += ": " + beginning(answer.body);
  const bool of_config = status >= 400 && status < 500 && status != 401 && status != 403 && status != 407;
  return {of_config && !transient(answer) ? ApplyResult::refused : ApplyResult::broken, secrets.hide(note)};
}

HttpCommon HttpCommon::parse(Fields& fields, const Names& names) {
  HttpCommon common;
  common.headers = parse_headers(fields, names);
  common.insecure = fields.flag("insecure").value_or(false);
  common.cacert = fields.text("cacert").value_or("");
  return common;
}

RequestTemplate RequestTemplate::parse(Fields& fields, const Names& names, const HttpCommon& common,
                                       std::string_view default_method, int64_t default_timeout_ns) {
  RequestTemplate out;
  out.method_ = fields.text("method").value_or(std::string(default_method));
  if (std::ranges::any_of(out.method_, [](char c) { return c < 'A' || c > 'Z'; }))
    throw input_error("{}: a method such as \"POST\" is wanted", fields.where("method"));
  out.url_ = Template::parse(fields.need_text("url"), names, fields.where("url"));
  check_url(out.url_, fields.where("url"));
  out.headers_ = common.headers;
  for (auto& [name, value] : parse_headers(fields, names)) {
    std::erase_if(out.headers_, [&](const auto& h) { return http::equal_ignoring_case(h.first, name); });
    out.headers_.emplace_back(name, std::move(value));
  }
  if (const Json* json = fields.find("json"))
    out.json_ = JsonTemplate::parse(*json, names, fields.where("json"));
  if (const auto text = fields.text("text")) out.text_ = Template::parse(*text, names, fields.where("text"));
  if (out.json_ && out.text_) throw input_error("{}: either \"json\" or \"text\", not both", fields.where());
  out.expect_ = parse_expect(fields);
  out.timeout_ns_ = fields.duration_ns("timeout").value_or(default_timeout_ns);
  out.retries_ = static_cast<uint32_t>(std::min<uint64_t>(fields.count("retries").value_or(2), 10));
  out.insecure_ = common.insecure;
  out.cacert_ = common.cacert;
  return out;
}

bool RequestTemplate::expected(int status) const {
  if (expect_.empty()) return status >= 200 && status < 300;
  return std::ranges::find(expect_, status) != expect_.end();
}

std::string RequestTemplate::body(const Scope& scope) const {
  if (json_) return json_->fill(scope).text();
  return text_ ? text_->fill(scope) : std::string();
}

http::CallRequest RequestTemplate::request(const Scope& scope, int64_t timeout_ns) const {
  http::CallRequest request;
  request.config.url = http::parse_url(url_.fill(scope));
  request.config.insecure = insecure_;
  request.config.cacert = cacert_;
  request.config.connect_timeout_ns = timeout_ns;
  request.method = method_;
  request.body = body(scope);
  request.timeout_ns = timeout_ns;
  bool has_type = false;
  for (const auto& [name, value] : headers_) {
    has_type = has_type || http::equal_ignoring_case(name, "content-type");
    request.config.headers.push_back(name + ": " + value.fill(scope));
  }
  if (json_ && !has_type) request.config.headers.emplace_back("Content-Type: application/json");
  return request;
}

http::CallResult RequestTemplate::send_once(const Scope& scope, const Attempt& attempt,
                                            int64_t timeout_ns) const {
  return http::http_call(request(scope, std::max<int64_t>(timeout_ns, 1'000'000)), attempt.clock(),
                         attempt.stop());
}

Failed RequestTemplate::send(const Scope& scope, const Attempt& attempt, http::CallResult& out) const {
  const int64_t deadline = attempt.now_ns() + timeout_ns_;
  for (uint32_t tries = 1;; ++tries) {
    out = send_once(scope, attempt, deadline - attempt.now_ns());
    if (out.answered() && expected(out.status)) return std::nullopt;
    const int64_t pause = retry_pause_ns(tries);
    const bool again = transient(out) && tries <= retries_ && attempt.now_ns() + pause < deadline;
    if (!again || !attempt.wait(pause)) return failure_of(out, name(scope), *scope.secrets);
  }
}

std::string RequestTemplate::name(const Scope& scope) const {
  Scope shown = scope;
  shown.show = true;
  return method_ + " " + without_user(url_.fill(shown));
}

std::string RequestTemplate::describe(const Scope& scope) const {
  Scope shown = scope;
  shown.show = true;
  std::string out = name(scope);
  for (const auto& [name, value] : headers_)
    out += fmt::format(" [{}: {}]", name, is_secret_header(name) ? "***" : value.fill(shown));
  const std::string text = body(shown);
  return text.empty() ? out : out + " " + text;
}

}  // namespace mlq::tune
