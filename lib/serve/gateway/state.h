// What a server remembers over a restart: knobs that were set while it ran, replicas that were added, and
// what was learnt of latencies. A folder with `snapshot.json`, which is replaced whole, and `wal.jsonl`, a
// line a change since then, each with its own hash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/gateway/model_knobs.h"
#include "lib/serve/schedule/latency_model.h"

namespace mlq::serve {

struct SavedModel {
  uint64_t gen = 0;                             // of the knobs; the next start goes on from it
  std::map<std::string, KnobValue> knobs;       // that were set while it ran
  std::vector<std::string> added;               // replicas beside those of the configuration
  std::map<std::string, LatencyState> latency;  // by the replica's URL
};
using SavedModels = std::map<std::string, SavedModel, std::less<>>;

// One process a folder. Not thread-safe.
class State {
 public:
  // Makes the folder if it is not there, locks it, reads what is in it and starts a new log. `notice` is told
  // of a last line that was cut, which is dropped. An environment Error if the folder is in use or cannot be
  // written; an input Error that names file and line if it is damaged elsewhere.
  State(const std::string& folder, const std::function<void(const std::string&)>& notice);
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  const SavedModels& saved() const { return saved_; }
  // On disk when it returns. An environment Error: it is not, and saved() is as before.
  void keep_knobs(std::string_view model, uint64_t gen, const std::map<std::string, KnobValue>& knobs);
  void keep_replicas(std::string_view model, const std::vector<std::string>& added);
  void forget(std::string_view model);
  // Latencies are in the snapshot alone. Writes all of `saved()` and begins the log anew.
  void set_latency(std::string_view model, std::map<std::string, LatencyState> latency);
  void snapshot();

 private:
  void append(std::string_view line);
  void open_log();

  std::string folder_;
  int lock_ = -1;
  int log_ = -1;
  SavedModels saved_;
};

}  // namespace mlq::serve
