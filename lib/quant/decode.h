// From what mlq-quant encoded back to floats; and whether what lies on disk is what was meant.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "lib/quant/encode.h"
#include "lib/quant/stored_model.h"

namespace mlq::quant {

struct DecodeOptions {
  std::optional<Float> dtype;  // of all floats; without it each tensor gets the type that it had
  bool strict = false;         // a value beyond the range of `dtype` is an error; else it is cut and counted
  uint64_t largest_shard = 0;
  Resources resources;
};

struct DecodedTensor {
  const StoredTensor* stored = nullptr;
  std::string file;
  tensorfile::Dtype dtype = tensorfile::Dtype::f32;  // of the output
  uint64_t out_bytes = 0;
  uint64_t saturated = 0;
  Digest decoded{}, source{};             // as computed
  std::string hash_decoded, hash_source;  // the same; hash_source only where there is a source
  bool compared = false;                  // with the source
  TensorTotals::Error error;              // if compared
  bool ok = true;
  std::string note;  // what is wrong, if not
  int64_t busy_ns = 0;
};

using DecodeReport = std::function<void(const DecodedTensor&)>;

// Writes safetensors, whole or not at all. Every tensor is held against its hash: an input Error if one
// differs, or if a file is damaged in another way.
ModelReport decode(const StoredModel& model, const std::string& out, const DecodeOptions& options,
                   const DecodeReport& report);

struct VerifyOptions {
  const tensorfile::Source* against = nullptr;  // what was encoded: errors are computed again
  ErrorBudget budget;                           // that every quantized tensor has to meet; asks for `against`
  Resources resources;
};

struct VerifyReport {
  ModelReport model;
  uint64_t wrong = 0;        // tensors that are not ok
  bool hashes_match = true;  // of the whole model with what the files state
  bool ok() const { return wrong == 0 && hashes_match && !model.interrupted; }
};

// Reads everything from disk, decodes it, and computes hashes and errors anew. Damage that decoding shows is
// an input Error; what differs from what the files state is reported.
VerifyReport verify(const StoredModel& model, const VerifyOptions& options, const DecodeReport& report);

}  // namespace mlq::quant
