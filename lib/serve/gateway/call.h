// What passes between the fronts (connections, parsing) and the models (queue, batches, replicas).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/batch_key.h"
#include "lib/serve/protocol/request.h"
#include "lib/serve/schedule/scheduler.h"

namespace mlq::serve {

// How many more upstream calls the requests of one failed batch may be part of, to find whose fault it is.
struct Bisection {
  int calls_left = 0;
};

// One client's request for an inference, on its way. Made by a front, owned by its model.
struct Call {
  uint64_t token = 0;  // unique in the process
  uint32_t front = 0;  // where its connection is
  std::string body;    // `parsed` points into it
  ParsedRequest parsed;
  BatchKey key;
  std::string version;  // of the model, in the path
  std::string content_type;
  std::string forward;        // header lines that are part of the key
  std::string alone_headers;  // header lines that go up only with a request alone
  int64_t first_byte_ns = 0;
  int64_t parsed_ns = 0;
  std::optional<int64_t> timeout_ns;  // the client's own
  bool cache_bypass = false, cache_refresh = false;

  // The model's.
  int64_t deadline_ns = kNoDeadline;
  uint64_t key_id = 0;
  uint64_t gen_admitted = 0;
  uint32_t attempts = 0;  // upstream calls that it was part of
  uint32_t retries = 0;   // of these, because another had failed
  int64_t landed_ns = 0;  // when the reply that answers it had come
  uint32_t batch_rows = 0;
  std::optional<ReplicaId> replica;
  int64_t dispatched_ns = 0;  // first time
  bool flying = false, gone = false, answered = false, coalesced = false, defaulted = false;
  int status = 0;
  std::string reason;      // x-mlq-reason of the answer
  std::string_view cache;  // hit, miss, coalesced; empty where there is no cache
  std::string cache_text;  // what it is stored under
  bool leader = false;     // of a single flight
  std::shared_ptr<Bisection> bisection;
};

// What a front needs to know of a model; immutable, shared.
struct ModelFace {
  std::string name;
  Dialect dialect = Dialect::v2;
  Rules rules;  // its spans point to the members below
  std::vector<std::string> batch_params;
  std::vector<std::string> forward_headers;
  std::string path, rows_pointer, answers_pointer;  // plain
  std::vector<std::string> relay;
  std::vector<std::string> relay_urls;  // of the replicas that serve
  bool ready = false;                   // a replica serves
  bool wants_cache_text = false;
  bool brief_headers = true;
};

// An answer on its way to a front. Views are read before the call that takes it returns.
struct Answer {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view headers = {};
  std::vector<std::string_view> pieces = {};
};

}  // namespace mlq::serve
