// Encodes a model: every tensor that is selected in its format, the others as they are, into one file or
// shards, in memory that does not depend on the model's size. The output is there whole or not at all, and
// the same bytes for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/device/device.h"
#include "lib/quant/model_writer.h"
#include "lib/quant/preparation.h"
#include "lib/quant/selection.h"
#include "lib/quant/tensor_totals.h"
#include "lib/tensorfile/source.h"

namespace mlq::quant {

// What to do with NaN and infinities: fail, store such a tensor as it is, or take them as 0.
enum class Nonfinite : uint8_t { error, keep, zero };

// How many threads, and the memory in which pieces lie.
struct Resources {
  unsigned threads = 1;               // that compute
  uint64_t memory_bytes = 256 << 20;  // for pieces; at least one is always held
  // What encodes; the CPU without one. Statistics, zstd and tensors of F64 are the CPU's in any case.
  std::optional<device::Device> device = {};
  const StopFlag* stop = nullptr;
  std::function<void(uint64_t bytes)> progress = {};  // source bytes done; from any thread
};

struct EncodeOptions {
  Spec spec;
  ErrorBudget budget;
  std::optional<double> most_bits;  // a weight, of all quantized tensors together
  Container container = Container::mlq;
  bool dynamic_activations = false;  // compressed-tensors: what its configuration says of activations
  Selection selection;
  Nonfinite nonfinite = Nonfinite::error;
  bool no_fallback = false;                         // a selected tensor that does not fit is an error
  bool force = false;                               // also what misses the budget is put in its place
  uint64_t largest_shard = 0;                       // bytes; 0: one file
  std::optional<std::map<std::string, Spec>> plan;  // of each tensor that is to be quantized; instead of spec
  std::string config;                               // config.json of a folder container, where there is one
  bool no_config = false;                           // a folder container without a config.json
  bool dry_run = false;                             // everything but the output
  // Share of the weights, drawn at random in tiles of some ten thousand, that are encoded once more by the
  // plain kernels; where the bytes differ the machine miscomputes: an environment Error.
  double audit = 0;
  // Keeps what is done of the output where the encoding fails, is interrupted or killed, and goes on with
  // what an earlier one of the same source, options and `program` has kept: to the same bytes.
  bool resume = false;
  std::string program;  // name and version
  Resources resources;
};

struct TensorReport {
  tensorfile::TensorInfo info;  // of the source
  std::string file;             // of the source
  Coding coding;                // settled, without its arrays
  std::string why_raw;          // why it was stored as it is; empty if it was not, or was asked for
  bool fallback = false;        // it was selected, and did not fit
  uint64_t out_bytes = 0;       // of all planes
  uint64_t pieces = 0;
  TensorTotals::Error error;
  kernels::EncodeCounts counts;
  uint64_t saturated = 0, escapes = 0;
  Digest source{}, decoded{};
  std::string hash_source, hash_decoded;
  int64_t busy_ns = 0;  // of all threads together
};

struct ModelReport {
  uint64_t tensors = 0, quantized = 0;
  uint64_t audited_elems = 0;            // what was encoded twice
  uint64_t resumed = 0;                  // tensors that were done by an earlier encoding
  uint64_t in_bytes = 0, out_bytes = 0;  // of tensors
  uint64_t quantized_elems = 0, quantized_bytes = 0;
  double signal = 0, noise = 0;  // energies of what was quantized
  std::string worst_tensor;
  double worst_snr_db = 0;
  std::string source_hash, decoded_hash;
  std::vector<WrittenShard> shards;
  bool interrupted = false;
  std::string missed;  // how the budget is missed, with force; empty: it is met
};

// `report` is called for each tensor in the order of the source, by one thread at a time. Errors: usage Error
// for what does not go together, input Error for bad input, environment Error where reading or writing fails,
// an Error `answer_no` where the budget is missed or a tensor does not fit and that is not to be passed over.
// With an error, or if it was interrupted, the old output is left as it was. A usage Error if it is to be
// resumed and source or output is a stream.
ModelReport encode(const tensorfile::Source& source, const std::string& out, const EncodeOptions& options,
                   const std::function<void(const TensorReport&)>& report);

}  // namespace mlq::quant
