// HTTP requests of an endpoint file: filled in, sent, tried again, and what their answers mean.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/http/call.h"
#include "lib/tune/actuator/attempt.h"
#include "lib/tune/actuator/fields.h"
#include "lib/tune/actuator/template.h"

namespace mlq::tune {

// What all requests of an actuator share: keys `headers`, `insecure` and `cacert` of the actuator object.
struct HttpCommon {
  std::vector<std::pair<std::string, Template>> headers;
  bool insecure = false;
  std::string cacert;

  static HttpCommon parse(Fields& fields, const Names& names);
};

// An object with url, method, headers, json or text, expect, timeout, retries. A value type.
class RequestTemplate {
 public:
  // Takes its keys from `fields`; the caller takes those of its own and then calls end().
  static RequestTemplate parse(Fields& fields, const Names& names, const HttpCommon& common,
                               std::string_view default_method, int64_t default_timeout_ns);

  // Sends it until it is answered as expected: a transfer that fails, and the statuses 408, 429 and 5xx, are
  // tried again after 0.5 s, 1 s and so on. None if it went well. 4xx is `refused`, unless it says nothing of
  // the configuration (401, 403, 407); all else is `broken`: a redirect too, which is never followed.
  Failed send(const Scope& scope, const Attempt& attempt, http::CallResult& out) const;
  // Sends it once; for polling.
  http::CallResult send_once(const Scope& scope, const Attempt& attempt, int64_t timeout_ns) const;
  bool expected(int status) const;
  int64_t timeout_ns() const { return timeout_ns_; }

  // "PUT http://127.0.0.1:8081/models/m?min_worker=2", without secrets.
  std::string name(const Scope& scope) const;
  // The same with headers and body.
  std::string describe(const Scope& scope) const;

 private:
  http::CallRequest request(const Scope& scope, int64_t timeout_ns) const;
  std::string body(const Scope& scope) const;

  std::string method_;
  Template url_;
  std::vector<std::pair<std::string, Template>> headers_;  // with the common ones
  std::optional<JsonTemplate> json_;
  std::optional<Template> text_;
  std::vector<int> expect_;  // empty: any 2xx
  int64_t timeout_ns_ = 0;
  uint32_t retries_ = 2;
  bool insecure_ = false;
  std::string cacert_;
};

// The pause before try k + 1, for k from 1: 0.5 s x 2^(k - 1).
int64_t retry_pause_ns(uint32_t tries);
// Whether the same request may be answered otherwise a little later.
bool transient(const http::CallResult& answer);
// What an answer that was not expected means. `what` names the request; the note has the beginning of the
// answer's body.
Failure failure_of(const http::CallResult& answer, const std::string& what, const Secrets& secrets);

}  // namespace mlq::tune
