// The work of encoding one tensor (schedule.h). Internal to lib/quant.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib/quant/encode.h"
#include "lib/quant/part_journal.h"
#include "lib/quant/schedule.h"
#include "lib/quant/spool.h"

namespace mlq::quant {

// What all works of one encoding share. `writer` is made after the works, when it is known what they write.
struct Encoding {
  const tensorfile::Source& source;
  const EncodeOptions& options;
  std::unique_ptr<ModelWriter> writer;
  std::unique_ptr<PartJournal> journal;  // none if it is not to be resumed
  Turnstile turns;                       // of the pieces whose sizes are not known beforehand
  uint64_t turn_count = 0;
  std::atomic<uint64_t> audited_elems = 0;
  std::function<void(TensorReport&)> finished;
  std::string spool_folder;
};

// Where the planes of a tensor go.
struct TensorOutput {
  size_t placement = 0;
  std::vector<OutPlane> planes;  // the first tensors of the placement; companions are behind them
};

// Encodes tensor `index` by `spec`, which is adapted to the container. `piece`: elements of a piece.
std::unique_ptr<Work> quantizing_work(Encoding& encoding, size_t index, const Spec& spec, uint64_t piece,
                                      TensorOutput output);
// Copies it, compressed if `zstd` is not off.
std::unique_ptr<Work> copying_work(Encoding& encoding, size_t index, Zstd zstd, std::string why_raw,
                                   bool fallback, TensorOutput output);

}  // namespace mlq::quant
