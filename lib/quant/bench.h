// How fast the operations are beside what the machine can do, measured in turn in one run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/quant/coding.h"

namespace mlq::quant {

struct BenchResult {
  std::string operation;  // encode, decode
  Spec spec;
  uint64_t elems = 0, moved_bytes = 0, working_set_bytes = 0, reps = 0;
  int64_t duration_ns = 0, duration_min_ns = 0;  // median, least
  double rate_bytes_per_s = 0;                   // of source bytes
  double baseline_bytes_per_s = 0;               // memcpy, one way, over the same source bytes
};

struct KernelBench {
  std::vector<Spec> specs;
  Float source = Float::bf16;
  uint64_t elems = uint64_t{4} << 20;
  int64_t time_ns = 500'000'000;  // for each operation
  const StopFlag* stop = nullptr;
};

// Values that have the spread of weights: normal, by Philox from `seed`.
std::vector<std::byte> normal_values(Float type, uint64_t elems, uint64_t seed);

// One thread, memory against memory. `report` after each operation. False if an encoder's SIMD version and
// its plain twin gave different bytes, which is said before anything is timed.
struct KernelCheck {
  bool same = true;
  std::string differs;  // the first format that does
};
KernelCheck check_kernels(const KernelBench& bench);
void bench_kernels(const KernelBench& bench, const std::function<void(const BenchResult&)>& report);

// What the disk under `folder` gives to one file of `bytes`: written and synced, and read back (from memory,
// where the system keeps it). Bytes a second.
struct DiskRates {
  double write_bytes_per_s = 0, read_bytes_per_s = 0;
};
DiskRates measure_disk(const std::string& folder, uint64_t bytes);

}  // namespace mlq::quant
