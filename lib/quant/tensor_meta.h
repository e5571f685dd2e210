// What a file says of a tensor that mlq stored: the entry `mlq.t.NAME` of its metadata, as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/quant/coding.h"
#include "lib/quant/tree_hash.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::quant {

// A plane and where it lies.
struct StoredPlane {
  Plane plane = Plane::codes;
  std::string tensor;  // of the file
  uint64_t bytes = 0;  // before compression
  bool zstd = false;   // as frames (frames.h)
  bool operator==(const StoredPlane&) const = default;
};

struct TensorMeta {
  std::string name;
  tensorfile::Dtype dtype = tensorfile::Dtype::f32;  // of the source
  std::vector<uint64_t> shape;
  uint64_t size_bytes = 0;  // of the source
  Coding coding;  // without the arrays, which planes hold; of `raw`, wide: two planes of alternate bytes
  std::vector<StoredPlane> planes;
  uint64_t escapes = 0;
  std::string hash_source, hash_decoded;  // of the tensor's bytes, and of what decoding to `dtype` gives
  double rmse = 0, rel_rmse = 0, max_abs_err = 0;
};

inline constexpr std::string_view kMetaPrefix = "mlq.t.";
// The key of a tensor's entry.
std::string meta_key(std::string_view name);
inline constexpr std::string_view kMetaVersion = "1";
// What each file says of the whole model.
inline constexpr std::string_view kVersionKey = "mlq.version";
inline constexpr std::string_view kKindKey = "mlq.kind", kKind = "weights";
inline constexpr std::string_view kSourceHashKey = "mlq.source_hash", kDecodedHashKey = "mlq.decoded_hash";

// What weights of that type are read as by kernels: F64 as f32. None for what is no weight.
std::optional<Float> source_float(tensorfile::Dtype dtype);

std::string meta_json(const TensorMeta& meta);
// `meta` with the longest numbers that it can have: no meta_json of a tensor with these planes is longer than
// its.
TensorMeta widest(TensorMeta meta);

// An input Error, beginning with `where` and naming the tensor, for what is not as meta_json() writes it or
// does not go together: unknown formats and planes, sizes that do not follow from format and shape. Nothing
// is allocated by a size that the text states.
TensorMeta parse_meta(std::string_view name, std::string_view json, std::string_view where);

}  // namespace mlq::quant
