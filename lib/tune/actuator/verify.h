// Whether an endpoint is ready, and whether what it says it runs with is what was asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/tune/actuator/request.h"

namespace mlq::tune {

// A key `ready`: a request that is sent every tenth of a second until it is answered as expected.
class Ready {
 public:
  static Ready parse(const Json& json, const std::string& where, const Names& names, const HttpCommon& common,
                     int64_t default_timeout_ns);
  // `dead` (may be null) says why the endpoint will never be ready; looked at before each request. A
  // `refused` failure if it is not ready within its timeout.
  Failed wait(const Scope& scope, const Attempt& attempt, const std::function<Failed()>& dead) const;
  std::string describe(const Scope& scope) const;

 private:
  RequestTemplate request_;
  int64_t timeout_ns_ = 0;
};

// A key `verify`: one object, or several in an array, each with a request and
//   "equals": {POINTER: TEMPLATE}      what members of the JSON that is read must be, or
//   "metric": NAME, "labels": {..}, "equals": TEMPLATE   what a sample in Prometheus's text form must be.
// Numbers are compared by value, texts and truth values exactly.
class Verify {
 public:
  static Verify parse(const Json& json, const std::string& where, const Names& names,
                      const HttpCommon& common, int64_t default_timeout_ns);

  // What it finds wrong: none if all is well; `not_applied` after three looks a second apart.
  Failed check(const Scope& scope, const Attempt& attempt) const;
  // The knobs that can be told from what is asserted.
  Failed read(const Scope& scope, const Attempt& attempt, const Space* space, Config& out) const;
  bool reads_metrics_only() const;
  std::vector<std::string> describe(const Scope& scope) const;

 private:
  struct Claim {
    std::string pointer;  // or the metric's name
    std::vector<std::string> tokens;
    JsonTemplate wanted;
    std::optional<Template::Sole> knob;
  };
  struct Look {
    RequestTemplate request;
    bool metric = false;
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<Claim> claims;
  };
  Failed look_once(const Scope& scope, const Attempt& attempt, std::string& wrong) const;
  static Failed fetch(const Look& look, const Scope& scope, const Attempt& attempt, Json& document);
  static std::optional<Json> found(const Look& look, const Claim& claim, const Json& document);
  std::vector<Look> looks_;
};

// Whether a value that was read is the wanted one.
bool same_json(const Json& wanted, const Json& found);

// The value of the one sample of that name that has all of these labels; none if there is none, or several.
std::optional<double> metric_value(std::string_view text, std::string_view name,
                                   const std::vector<std::pair<std::string, std::string>>& labels);

}  // namespace mlq::tune
