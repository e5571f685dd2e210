// What a model server, or a proxy before one, says while it serves. Names, units and texts of the fields are
// in serve_schema.h, which takes seconds to compile and is needed only where such records are written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/records/schema.h"

namespace mlq::records {

struct Listen {
  std::string role;
  std::string address;
};

struct ServedModel {
  int64_t t_ns = 0;
  std::string model;
  std::string dialect;
  bool batchable = false;
  std::optional<std::string> note;
};

struct Replica {
  int64_t t_ns = 0;
  std::string model;
  uint32_t replica = 0;
  std::string url;
  std::string state;
  std::optional<std::string> reason;
};

struct KnobChange {
  int64_t t_ns = 0;
  std::string model;
  uint64_t gen = 0;
  std::string knob;
  RawJson value;
  std::optional<RawJson> value_before;
  std::string by;
};

struct ServeWindow {
  int64_t t_ns = 0;
  std::string model;
  uint64_t gen = 0;
  int64_t window_ns = 0;
  uint64_t requests = 0;
  uint64_t ok = 0;
  uint64_t good = 0;
  uint64_t shed = 0;
  uint64_t failed = 0;
  uint64_t defaulted = 0;
  double rate_per_s = 0;
  double good_per_s = 0;
  std::optional<int64_t> latency_p50_ns;
  std::optional<int64_t> latency_p99_ns;
  std::optional<int64_t> queue_p99_ns;
  uint64_t batches = 0;
  std::optional<double> batch_rows_mean;
  uint32_t target_rows = 0;
  uint32_t inflight = 0;
  std::optional<uint64_t> cache_hits;
  std::optional<uint64_t> coalesced;
};

struct ServedBatch {
  int64_t t_ns = 0;
  std::string model;
  uint32_t replica = 0;
  uint64_t gen = 0;
  std::string controller;
  uint32_t requests = 0;
  uint32_t rows = 0;
  uint32_t target_rows = 0;
  uint64_t request_bytes = 0;
  std::optional<int64_t> latency_ns;
  std::optional<int64_t> predicted_ns;
  int64_t queue_max_ns = 0;
  int64_t hold_ns = 0;
  std::string outcome;
};

struct ServedRequest {
  int64_t t_ns = 0;
  std::string model;
  std::string request_id;
  uint64_t gen_admitted = 0;
  uint64_t gen = 0;
  uint32_t rows = 0;
  uint32_t code = 0;
  std::optional<std::string> reason;
  int64_t latency_ns = 0;
  std::optional<int64_t> queue_ns;
  std::optional<int64_t> slack_ns;
  bool good = false;
  std::optional<std::string> cache;
  std::optional<uint32_t> replica;
  uint32_t attempts = 0;
};

struct ControllerChange {
  int64_t t_ns = 0;
  std::string model;
  uint32_t replica = 0;
  std::string event;
  uint32_t target_rows = 0;
  double alpha_ns_per_row = 0;
  double beta_ns = 0;
  double share_over = 0;
};

struct ServeFault {
  int64_t t_ns = 0;
  std::optional<std::string> model;
  std::optional<uint32_t> replica;
  std::string fault;
  std::string note;
};

struct Lost {
  int64_t t_ns = 0;
  uint64_t records = 0;
};

}  // namespace mlq::records
