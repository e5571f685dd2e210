// What all actuators of endpoint files have in common: set, wait until ready, verify.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/tune/actuator/actuator.h"
#include "lib/tune/actuator/verify.h"

namespace mlq::tune {

// Keys that every type has: type, vars, timeout, settle, warmup_requests, on_fail, headers, insecure, cacert,
// ready, verify.
struct BasicOptions {
  Names names;
  HttpCommon common;
  int64_t timeout_ns = 60'000'000'000;
  ActuatorFacts facts;
  std::optional<Ready> ready;
  std::optional<Verify> verify;

  // Takes these keys from `fields`. `documents`: what steps read, for the templates of ready and verify.
  static BasicOptions parse(Fields& fields, const ActuatorContext& context);
  // ready and verify: to be called when the names are complete.
  void parse_checks(Fields& fields);
};

class BasicActuator : public Actuator {
 public:
  BasicActuator(BasicOptions options, const ActuatorContext& context);

  std::optional<Config> read(const StopFlag& stop) final;
  Applied apply(const Config& config, const StopFlag& stop, bool ignore_stop) final;
  std::vector<std::string> describe(const Config& config) const final;
  bool can_verify() const override { return options_.verify.has_value(); }
  ActuatorFacts facts() const final { return options_.facts; }

 protected:
  // Sets it. May fill in gen, verified and cpu_ns.
  virtual Failed set(const Config& config, const Attempt& attempt, Applied& applied) = 0;
  // Adds the knobs that it can read by itself; of those that `out` has already, that value stays.
  virtual Failed read_more(const Attempt& attempt, Config& out);
  // Whether it is no error if nothing answers a read.
  virtual bool may_be_down() { return false; }
  // Why the endpoint will never be ready; looked at while it is waited for.
  virtual Failed dead();
  virtual std::vector<std::string> describe_set(const Scope& scope) const = 0;
  // Called after `ready` with a good end; may fail the apply.
  virtual Failed settled(const Config& config, const Attempt& attempt, Applied& applied);

  Scope scope_of(const Config& config) { return {&config, &documents_, &secrets_, false}; }
  Scope shown_scope_of(const Config& config) const { return {&config, nullptr, nullptr, true}; }
  const BasicOptions& options() const { return options_; }
  const Clock& clock() const { return *clock_; }
  const Space* space() const { return space_; }
  Secrets& secrets() { return secrets_; }
  std::map<std::string, Json>& documents() { return documents_; }

 private:
  Failed apply_steps(const Config& config, const Attempt& attempt, Applied& applied);

  BasicOptions options_;
  const Clock* clock_;
  const Space* space_;
  Secrets secrets_;
  std::map<std::string, Json> documents_;
};

}  // namespace mlq::tune
