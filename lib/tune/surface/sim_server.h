// The simulated server on the real clock, behind HTTP: an endpoint to tune without a model.
//
//   GET  /v2/health/live, /v2/health/ready, /v2, /v2/models/sim[/versions/1][/ready]
//   POST /v2/models/sim[/versions/1]/infer     any body; answered when the simulated service ends
//   GET  /metrics
//   /admin/v1/...                              knobs, as lib/serve/control/admin.h has them
//
// Answers name the generation of the knobs in x-mlq-gen: `7`, or `7-8` if it changed while the request
// waited. At most queue_limit requests wait, what is over gets 503.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/http/reactor.h"
#include "lib/http/server.h"
#include "lib/serve/control/admin.h"
#include "lib/serve/control/metrics.h"
#include "lib/tune/surface/preset.h"
#include "lib/tune/surface/station.h"

namespace mlq::tune {

struct SimFaults {
  // From drift_ns after the start, service takes drift times as long.
  double drift = 1;
  int64_t drift_ns = 0;
  std::optional<Expression> refuse;    // knobs that get 422; the schema does not tell
  double lie = 0;                      // share of the changes that are answered with 200 and not made
  std::optional<Expression> crash_on;  // knobs with which the first inference ends the server
};

struct SimServerOptions {
  PresetChoice preset;
  uint64_t seed = 1;
  std::string version;  // of the program
  uint32_t queue_limit = 4096;
  std::optional<PointId> start;  // else the middle of the grid
  SimFaults faults;
};

// Belongs to the reactor's thread, and must not outlive the reactor.
class SimServer final : public serve::AdminModel {
 public:
  SimServer(http::Reactor& reactor, SimServerOptions options);

  // The handler of its one listener.
  void handle(http::Request& request, const http::Reply& reply);

  uint64_t requests() const { return requests_; }  // inferences that came
  uint64_t good() const { return good_; }          // that were answered with 200
  bool crashed() const { return crashed_; }
  PointId point() const { return point_; }
  std::string metrics() const;
  // A change: told when it is made, and also when it is lied about.
  std::function<void(uint64_t gen, PointId before, PointId now, const std::string& by)> on_change;

  std::string_view name() const override { return "sim"; }
  const serve::KnobRows& knobs() const override { return rows_; }
  std::vector<serve::KnobValue> knob_values() const override;
  uint64_t gen() const override { return gen_; }
  int64_t settle_ns() const override { return 0; }
  void apply(const std::vector<serve::KnobValue>& values, std::string_view by) override;
  void describe(jsonl::Buffer& out) const override;

 private:
  struct Job {
    http::Reply reply;
    uint64_t gen = 0;  // when it came
  };
  struct GenCounts {
    serve::DurationBuckets latency;
    uint64_t refused = 0;
  };

  const Space& space() const { return *options_.preset.preset->space; }
  void infer(const http::Reply& reply);
  bool refuse_change(const http::Request& request, const http::Reply& reply);
  std::optional<PointId> point_of(const std::vector<serve::KnobValue>& values) const;
  bool holds(const std::optional<Expression>& condition, PointId point) const;
  ServerModel model(int64_t t_ns) const;
  void served(const Station::Served& served);
  void run_due();
  void crash();
  GenCounts& counts(uint64_t gen);
  std::string gen_header(uint64_t admitted) const;
  int64_t t_ns() const { return http::Reactor::now_ns() - start_ns_; }

  http::Reactor& reactor_;
  SimServerOptions options_;
  serve::KnobRows rows_;
  serve::Admin admin_;
  int64_t start_ns_;
  PointId point_;
  Station station_;
  std::map<uint64_t, Job> jobs_;
  std::map<uint64_t, GenCounts> counts_;  // of the latest generations
  uint64_t gen_ = 1;
  uint64_t changes_ = 0;
  uint64_t requests_ = 0;
  uint64_t good_ = 0;
  double cpu_s_ = 0;
  int64_t timer_ns_ = INT64_MAX;
  bool drifted_ = false;
  bool crashed_ = false;
};

// `2@60s`: after a minute everything takes twice as long. A usage Error.
void parse_drift(std::string_view text, SimFaults& faults);

}  // namespace mlq::tune
