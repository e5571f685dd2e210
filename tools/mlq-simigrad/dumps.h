// What the commands that read gradients have in common: which files, which tensors, and how they are read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/simigrad/gram/measure.h"

namespace mlq::tools {

struct DumpArguments {
  std::optional<simigrad::Pattern> pattern;
  std::optional<tensorfile::RawForm> raw;
  bool u2_is_bf16 = false;
  std::vector<std::string> include, exclude, split, replicated;
  std::vector<uint64_t> group_samples;
  std::optional<double> loss_scale;
  bool intersect = false;
  std::string scratch = "/var/tmp";

  // Usage Errors for what is no regular expression.
  simigrad::DumpOptions options(cli::Context& context) const;
  // A usage Error that names the first of them that was given: gram records, those of `path`, have no
  // tensors.
  void refuse_for_records(const std::string& path) const;
};
void add_dumps(cli::Command& command, DumpArguments& arguments);

struct MeasuringArguments {
  simigrad::Io io = simigrad::Io::automatic;
  bool cuda = false;
  uint64_t memory_bytes = simigrad::MeasureOptions().memory_bytes;

  // An environment Error if a device is asked for and cannot be used.
  simigrad::MeasureOptions options(cli::Context& context) const;
  // For the run record.
  static std::string device_name(const simigrad::MeasureOptions& options);
};
void add_measuring(cli::Command& command, MeasuringArguments& arguments);

// Whether these are records: `-`, a FIFO, a name that ends in .jsonl or .jsonl.zst, a file that begins with a
// line of JSON. A usage Error if some are and others are dumps, or several are records.
bool are_records(const std::vector<std::string>& paths);

}  // namespace mlq::tools
