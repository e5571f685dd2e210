// What is said of weights that ranks gather.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mlq::records {

struct GatherStep {
  uint64_t step = 0;
  uint64_t rank = 0;
  uint64_t ranks = 1;
  std::optional<std::string> transport;
  std::string mode;
  uint64_t bits = 0;
  uint64_t block = 0;
  uint64_t elems = 0;
  uint64_t wire_bytes = 0;
  uint64_t bf16_bytes = 0;
  int64_t encode_ns = 0;
  int64_t comm_ns = 0;
  int64_t decode_ns = 0;
  double bus_bytes_per_s = 0;
  bool key_frame = false;
  std::optional<std::string> rekey_reason;
  double rel_rmse = 0;
  std::optional<std::string> state_hash;
};

struct SimulatedGather {
  std::string name;
  std::string mode;
  uint64_t bits = 0;
  uint64_t block = 0;
  std::string grid;
  double update_ratio = 0;
  uint64_t steps = 0;
  double inst_rel_rmse = 0;
  double mean_rel_rmse = 0;
  double predicted_rel_rmse = 0;
  double rel_bias = 0;
  bool safe = false;
};

}  // namespace mlq::records
