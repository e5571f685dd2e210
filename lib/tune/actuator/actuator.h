// How a configuration is set on an endpoint, read back, and taken back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/tune/space/space.h"

namespace mlq::tune {

enum class ApplyResult : uint8_t {
  applied,      // set, read back where it can be, ready
  refused,      // the server said no (4xx), or did not become ready with it: a failed trial
  not_applied,  // it answered well, but the value read back is another: a void trial
  foreign,      // somebody else changed it meanwhile (412): a void trial
  broken,       // the actuator itself failed: out of reach, timeout, 5xx, a child that died
};
std::string_view apply_result_name(ApplyResult result);

struct Applied {
  ApplyResult result = ApplyResult::applied;
  std::string note;               // what went wrong: what, where
  std::string gen;                // generation that the endpoint reported; empty: none
  std::string verified;           // readback metric argv none
  int64_t apply_ns = 0;           // from the first request until ready
  std::optional<int64_t> cpu_ns;  // CPU time of the server so far, if it says (pipe)
};

// What an endpoint file says of the time after a change.
struct ActuatorFacts {
  std::optional<int64_t> settle_ns;  // sent but not counted after a change; none: not said
  uint64_t warmup_requests = 0;      // to be sent by the caller after a change, before it settles
  bool unverified = false;           // "verify":"none": the user does without a proof
};

// Owned and called by one thread. No call throws for what the endpoint does: that is in Applied.
class Actuator {
 public:
  virtual ~Actuator() = default;
  // The configuration that is set now, as far as it can be read back: knobs that cannot be read are missing.
  // None if nothing can be read. An environment Error if the endpoint is out of reach.
  virtual std::optional<Config> read(const StopFlag& stop) = 0;
  // Sets it, verifies, waits until ready. Ends within the deadlines of the endpoint file, and at once (result
  // broken) when `stop` is set, unless `ignore_stop`, which a revert is called with.
  virtual Applied apply(const Config& config, const StopFlag& stop, bool ignore_stop = false) = 0;
  // The requests, files or commands that apply() would make, a line each, secrets as `***`.
  virtual std::vector<std::string> describe(const Config& config) const = 0;
  // Name and version of the server, for the journal's fingerprint; empty if it does not say.
  virtual std::string fingerprint() { return {}; }
  // Whether a server runs only once a configuration is set (exec, pipe), so that it may not be there yet.
  virtual bool starts_server() const { return false; }
  // How the server that was started here has ended; empty while it lives, and where that is not known.
  virtual std::string death() { return {}; }
  // Processes that serve, for CPU time (exec: its process group's leader); 0: unknown.
  virtual int server_pid() const { return 0; }
  // False if nothing can be read back, so that `verified` is none.
  virtual bool can_verify() const = 0;
  virtual ActuatorFacts facts() const { return {}; }
  // Header of answers that names the generation (x-mlq-gen); empty: none.
  virtual std::string gen_header() const { return {}; }
  // Called when the search is over: `exec` leaves the server running, or stops it if `stop_servers`. Without
  // it (a crash, an exception) a server is left running, and the next start takes it over.
  virtual void finish() {}
};

// `reveal` gets "@env:NAME" and "@file:PATH" and gives the secret; null: there are none.
struct ActuatorContext {
  std::string where;  // begins messages, as in "digits.json: actuator"
  std::function<std::string(const std::string&)> reveal;
  const Clock* clock = nullptr;
  const Space* space = nullptr;  // null: templates may name any knob
  // Where `exec` keeps which server it has started, so that it is found again after a crash: the key
  // `pid_file`, else this; empty: it is not kept.
  std::string pid_file;
  // mlq: headers of every request, as "Name: value"; may have secrets.
  std::vector<std::string> headers;
};

// From the `actuator` object of an endpoint file (its JSON text). An input Error for what is wrong in it,
// with the nearest known name of an unknown key. Nothing is asked or started yet. Order of an apply: the
// steps of its type, `ready`, `verify`.
std::unique_ptr<Actuator> make_actuator(std::string_view json, const ActuatorContext& context);

// A model behind the admin interface of mlq-serve, mlq-model or `simulate --listen`.
struct MlqEndpoint {
  std::string admin_url;  // without a path
  std::string model;      // empty: the only one
};
// URL or URL#MODEL, as behind `mlq:`. A usage Error if it is none.
MlqEndpoint parse_mlq_endpoint(std::string_view text);
struct MlqSchema {
  std::string model;
  std::string text;  // for space_from_schema
};
// Waits up to 10 s for each answer. An environment Error if the endpoint is out of reach; an input Error,
// which lists the models, if it has not the named one, or none was named and it has several.
MlqSchema fetch_mlq_schema(const MlqEndpoint& endpoint, const ActuatorContext& context, const StopFlag& stop);

// PATCH /admin/v1/models/M/knobs with If-Match; `endpoint.model` must be named. Sees the changes of others
// since its last read() or apply().
std::unique_ptr<Actuator> make_mlq_actuator(const MlqEndpoint& endpoint, const ActuatorContext& context);

}  // namespace mlq::tune
