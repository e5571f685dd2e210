// The parts of ServedModel that its sources share. Internal.
#pragma once

#include "lib/serve/gateway/served_model.h"

namespace mlq::serve {

struct ServedModel::ReplicaLink {
  ReplicaLink(ServedModel& model, ReplicaId number, const std::string& where);
  ReplicaId id;
  std::string url;
  http::ClientPool pool;
  bool checking = false;
  bool warming = false;
  bool answered = false;  // its last health check was good
  bool leaving = false;   // no longer in the configuration: drains once another serves
  bool draining = false;  // leaving, and to be removed when its batches have come back
};

// A batch on its way up and back.
struct ServedModel::Flight {
  Dispatch dispatch;
  uint64_t gen = 0;
  int64_t launched_ns = 0;
  std::string upstream_id;
  std::vector<Call*> calls;  // in the model's calls_ until it has landed
  std::vector<const ParsedRequest*> parsed;
  UpstreamBody merged;
  std::string split_failure;  // why its reply could not be handed out
};

inline int64_t now_ns() { return http::Reactor::now_ns(); }

}  // namespace mlq::serve
