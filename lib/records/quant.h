// What is said of tensors and of files of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/schema.h"

namespace mlq::records {

struct Tensor {
  std::string name;
  std::string file;
  std::vector<uint64_t> shape;
  std::string dtype;
  uint64_t elems = 0;
  uint64_t size_bytes = 0;
  std::optional<std::string> format;
  std::optional<double> bits_per_weight;
  std::optional<std::string> block, grid, scale;
  std::optional<double> step;
  std::optional<uint64_t> out_bytes;
  std::optional<double> rms, absmax, rmse, rel_rmse, snr_db, bias, max_abs_err;
  std::optional<uint64_t> nonfinite, escapes, flushed_blocks, saturated;
  std::optional<std::string> fallback;
  std::optional<std::string> hash_source, hash_decoded;
  std::optional<double> rate_bytes_per_s;
  std::optional<bool> ok;
  std::optional<std::string> note;
};

struct TensorStat {
  std::string name;
  uint64_t elems = 0;
  double mean = 0;
  double std = 0;
  double kurtosis = 0;
  double min = 0;
  double max = 0;
  double absmax_over_rms = 0;
  uint64_t nan = 0;
  uint64_t inf = 0;
  uint64_t zero = 0;
  uint64_t subnormal = 0;
  double exponent_entropy_bits = 0;
};

struct ShardFile {
  std::string file;
  uint64_t tensors = 0;
  uint64_t size_bytes = 0;
  std::optional<std::string> hash;
};

struct QuantPlan {
  std::string name;
  std::string format;
  std::optional<std::string> block, grid, scale;
  std::optional<double> step;
  std::optional<double> bits_per_weight, rel_rmse, snr_db, weight, slope;
};

struct Importance {
  std::string name;
  double weight = 0;
};

struct Certificate {
  std::string file;
  std::optional<std::string> against;
  std::string source_hash;
  std::string decoded_hash;
  uint64_t tensors = 0;
  std::optional<std::string> worst_tensor;
  std::optional<double> worst_snr_db;
  std::optional<std::string> budget;
  bool ok = false;
};

struct QuantSummary {
  uint64_t tensors = 0;
  uint64_t quantized = 0;
  std::optional<uint64_t> resumed, audited_elems;
  uint64_t in_bytes = 0;
  uint64_t out_bytes = 0;
  double bits_per_weight = 0;
  std::optional<double> rel_rmse, snr_db;
  std::optional<std::string> worst_tensor;
  std::optional<double> worst_snr_db;
  std::optional<std::string> source_hash, decoded_hash;
  int64_t duration_ns = 0;
  double rate_bytes_per_s = 0;
  uint64_t peak_rss_bytes = 0;
  std::optional<std::string> note;
};

struct QuantBench {
  std::string what;
  std::string kernel;
  std::string device;
  std::optional<std::string> format;
  std::optional<uint64_t> block;
  std::optional<uint64_t> elems;
  uint64_t moved_bytes = 0;
  uint64_t working_set_bytes = 0;
  uint64_t reps = 0;
  int64_t duration_ns = 0;
  int64_t duration_min_ns = 0;
  double rate_bytes_per_s = 0;
  std::string baseline;
  double baseline_bytes_per_s = 0;
  double ratio = 0;
};

struct TensorDelta {
  std::string name;
  std::string codec;
  uint64_t elems = 0;
  std::optional<uint64_t> changed;
  std::optional<double> changed_share;
  std::optional<double> bits_per_weight, rel_rmse;
  uint64_t size_bytes = 0;
  std::optional<bool> key_frame;
};

struct Patch {
  std::string file;
  std::optional<uint64_t> step;
  std::string parent_hash, result_hash;
  uint64_t tensors = 0;
  uint64_t changed_tensors = 0;
  uint64_t elems = 0;
  std::optional<uint64_t> changed;
  std::optional<double> changed_share;
  uint64_t in_bytes = 0;
  uint64_t out_bytes = 0;
  double ratio = 0;
  double bits_per_weight = 0;
  std::optional<double> rel_rmse;
  std::optional<int64_t> duration_ns;
  std::optional<double> rate_bytes_per_s;
  std::optional<uint64_t> peak_rss_bytes;
};

struct ChainLink {
  uint64_t step = 0;
  std::string kind;
  std::string file;
  uint64_t size_bytes = 0;
  std::optional<std::string> parent_hash;
  std::string result_hash;
  std::optional<bool> ok;
  std::optional<std::string> note;
};

}  // namespace mlq::records
