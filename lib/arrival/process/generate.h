// gen: a process into a stream of arrivals, on any number of threads, with the same bytes for each.
#pragma once

#include <functional>

#include "lib/arrival/process/process.h"
#include "lib/base/stop.h"
#include "lib/records/writer.h"

namespace mlq::arrival {

struct GenerateOptions {
  ProcessSpec spec;
  uint64_t seed = 1;
  unsigned threads = 1;
  uint32_t shard = 0;  // only arrivals with i mod shards == shard are written
  uint32_t shards = 1;
  bool emit_path = false;  // `rate` records of the realised rate path
  std::string data_dir;
  const StopFlag* stop = nullptr;
  std::function<void(uint64_t)> progress;  // arrivals so far; called now and then
};

// Fills in what gen knows of the run record, writes run, arrivals and end, and closes the writer.
void generate(const GenerateOptions& options, records::Run run, records::Writer& writer);

// For callers that want times in memory: appends those of the next block to `times`; false at the end.
class Timeline {
 public:
  explicit Timeline(std::unique_ptr<TimeSource> source) : source_(std::move(source)) {}
  bool next(std::vector<int64_t>& times);

 private:
  std::unique_ptr<TimeSource> source_;
  Block block_;
  uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace mlq::arrival
