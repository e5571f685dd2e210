// What is said of gradients, of their noise, and of the batch sizes that follow from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/schema.h"

namespace mlq::records {

// The inner products of the group mean gradients of one step, of the whole model or of one tensor.
struct GramSums {
  uint64_t step = 0;
  uint64_t batch_samples = 0;
  uint64_t groups = 0;
  std::optional<uint64_t> incarnation;
  std::optional<std::vector<uint64_t>> group_samples;
  std::optional<std::vector<double>> gram;
  std::optional<double> norm_sq_sum;
  std::optional<double> mean_norm_sq;
  std::optional<double> between_ss;
  std::optional<double> loss_scale;
  std::optional<double> loss;
  std::optional<double> lr;
  std::optional<uint64_t> consumed_samples;
  std::optional<uint64_t> params, tensors, nonfinite, zero_groups;
  std::optional<std::string> dtype;
  std::optional<std::string> sum;
  std::optional<std::string> source;
  std::optional<bool> biased;
  std::optional<std::string> note;
};

struct Gram : GramSums {};

struct GramTensor : GramSums {
  std::string tensor;
};

struct Estimate {
  uint64_t step = 0;
  uint64_t batch_samples = 0;
  uint64_t groups = 0;
  std::string status;
  std::optional<uint64_t> incarnation;
  std::optional<double> cos;
  std::optional<double> rho, rho_lo, rho_hi;
  std::optional<double> grad_sq, trace_cov;
  std::optional<double> b_simple_samples, b_simple_lo_samples, b_simple_hi_samples;
  std::optional<double> confidence, n_eff, d_eff;
  std::optional<double> gain, efficiency, theta, diversity;
  std::optional<std::string> note;
};

struct BatchSize {
  uint64_t step = 0;
  uint64_t batch_samples = 0;
  uint64_t prev_samples = 0;
  double lr_scale = 1;
  double wanted_samples = 0;
  std::string clamped;
  std::optional<uint64_t> incarnation;
  std::optional<uint64_t> micro_samples, accum;
  std::optional<std::string> controller;
  std::optional<double> gamma, rho, b_simple_samples;
  std::optional<std::string> note;
};

struct ScheduleSegment {
  uint64_t index = 0;
  uint64_t from_step = 0;
  uint64_t from_samples = 0;
  uint64_t batch_samples = 0;
  double lr_scale = 1;
  std::optional<uint64_t> from_tokens;
  std::optional<uint64_t> micro_samples, accum;
};

struct BatchSchedule {
  std::string controller;
  double gamma = 0;
  double theta = 0;
  double kappa = 0;
  double avg_batch_samples = 0;
  double compaction_error = 0;
  uint64_t segments = 0;
  uint64_t steps = 0;
  uint64_t samples = 0;
  std::optional<std::string> note;
};

struct Emission {
  std::string dialect;
  std::string for_version;
  std::string text;
  std::optional<std::string> note;
};

struct Pareto {
  std::string controller;
  double gamma = 0;
  double avg_batch_samples = 0;
  uint64_t steps = 0;
  uint64_t samples = 0;
  double wall_ns = 0;
  bool dominated = false;
  bool in_budget = true;
  bool predicted = true;
  std::optional<std::string> note;
};

struct Dump {
  uint64_t step = 0;
  std::string path;
  std::optional<uint64_t> incarnation;
  std::optional<uint64_t> group, shard, samples, tensors, params, size_bytes, stored_bytes;
  std::optional<std::string> format, dtype, xxh3;
  std::optional<bool> complete;
  std::optional<std::string> note;
};

struct DumpTensor {
  std::string path;
  std::string tensor;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t offset_bytes = 0;
  uint64_t size_bytes = 0;
  bool storage_shared = false;
};

struct MissingGroup {
  uint64_t step = 0;
  uint64_t group = 0;
  int64_t waited_ns = 0;
  std::optional<uint64_t> incarnation;
  std::optional<std::string> note;
};

struct Hello {
  uint64_t protocol = 1;
  uint64_t world = 1;
  uint64_t micro_samples = 1;
  uint64_t batch_samples = 0;
  std::optional<uint64_t> resume_step;
  std::optional<uint64_t> incarnation;
  std::optional<uint64_t> accum;
  std::optional<double> lr_scale;
  std::optional<double> gamma;
  std::optional<uint64_t> min_samples, max_samples;
};

struct AdviceFault {
  std::optional<uint64_t> step;
  std::optional<uint64_t> incarnation;
  std::optional<uint64_t> batch_samples;
  std::string code;
  std::string message;
};

struct AdviceJournal {
  uint64_t protocol = 1;
  std::string version;
  std::string options;
};

}  // namespace mlq::records
