// The commands of mlq-quant, a source each, and what they have in common. A command owns its arguments.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/gather/placement.h"
#include "lib/quant/encode.h"
#include "lib/quant/stored_model.h"
#include "lib/ranks/comm.h"
#include "lib/records/gather.h"
#include "lib/records/quant.h"
#include "lib/records/writer.h"
#include "lib/tensorfile/source.h"

namespace mlq::tools {

cli::Command inspect_command();
cli::Command plan_command();
cli::Command encode_command();
cli::Command decode_command();
cli::Command verify_command();
cli::Command gather_command();
cli::Command simulate_command();
cli::Command bench_command();
cli::Command diff_command();
cli::Command apply_command();
cli::Command squash_command();
cli::Command chain_command();

// Where records go: standard output, unless the data goes there.
class RecordStream {
 public:
  // `data`: -o. `path`: --records, empty if it was not given.
  RecordStream(cli::Context& context, const std::string& data, const std::string& path);
  // With `inputs` a JSON array of the run records of what was read; `device` is what computes, if not the
  // CPU.
  void run(const std::string& inputs = {}, const std::optional<device::Device>& device = {});
  void tensor(const records::Tensor& record);
  void stats(const records::TensorStat& record);
  void shard(const records::ShardFile& record);
  void plan(const records::QuantPlan& record);
  void certificate(const records::Certificate& record);
  void summary(const records::QuantSummary& record);
  void bench(const records::QuantBench& record);
  void delta(const records::TensorDelta& record);
  void patch(const records::Patch& record);
  void link(const records::ChainLink& record);
  void gather(const records::GatherStep& record);
  void simulated(const records::SimulatedGather& record);
  // From now on a file of records is written also where the command is interrupted.
  void keep_interrupted();
  void end(bool interrupted);

 private:
  cli::Context& context_;
  std::optional<records::Writer> writer_;
};

// A signal ended the reading of a stream, before there was anything to say. The exit status is the signal's.
struct Interrupted {};
// `u2_is_bf16`: see tensorfile::SourceOptions. An input Error for the folder of a chain, an environment Error
// if standard output goes into what is read.
tensorfile::Source open_weights(const cli::Context& context, const std::string& path, bool u2_is_bf16);
// The same, and an input Error for a patch.
tensorfile::Source open_model(const cli::Context& context, const std::string& path, bool u2_is_bf16);
// The same, and an input Error for what is encoded already.
tensorfile::Source open_plain_model(const cli::Context& context, const std::string& path, bool u2_is_bf16);
// The same to the end of what is read, whatever signals come: ranks stop together, between their steps.
tensorfile::Source open_shard(const std::string& path);
// A usage Error if `out`, which gets safetensors, is called like a file of another format that loaders know
// by its ending; `right` is the ending that the message offers.
void check_ending(const std::string& out, std::string_view option = "-o",
                  std::string_view right = ".safetensors");
// A usage Error if `out`, a file or a folder, would take the place of a file of the source. `sharded`: `out`
// may become several files. `option`: what says `out`.
void check_output(const std::string& out, const tensorfile::Source& source, bool sharded,
                  std::string_view option = "-o");
// The same for what may take the place of the source as a whole: a usage Error if `out` is one of several
// files of it.
void check_replaced_whole(const std::string& out, const tensorfile::Source& source, std::string_view option);
// With a progress line for `total` bytes.
quant::Resources resources(cli::Context& context, uint64_t memory_bytes, uint64_t total);
cli::Option memory_option(uint64_t& memory_bytes);
cli::Option records_option(std::string& path);
uint64_t total_bytes(const tensorfile::Source& source);

// What an encoder's options say of formats; the options of encode and plan.
struct FormatArguments {
  std::optional<quant::Format> format;
  std::optional<std::string> block;
  std::optional<bool> row_blocks;
  std::optional<kernels::Grid> grid;
  std::optional<quant::Float> scale;
  std::optional<kernels::MxScale> mx_scale;
  std::optional<bool> four_or_six;
  std::optional<quant::Zstd> zstd;
  bool positive_scales = false;
  bool double_quant = false;
};
std::vector<cli::Option> format_options(FormatArguments& arguments);
// `int8,int4`.
std::vector<quant::Format> parse_formats(std::string_view text);
quant::Spec spec_of(const FormatArguments& arguments, quant::Format format);
std::vector<cli::Option> selection_options(quant::Selection& selection);
double parse_decibels(std::string_view text);

// The formats of a stream of plan records, by tensor. An input Error for what is no plan.
std::map<std::string, quant::Spec> read_plan(const std::string& path, bool strict);

// The most memory that the process has had.
uint64_t peak_rss_bytes();

// What commands of several ranks are told of them.
struct RankArguments {
  gather::PlacementOptions placement;
  std::optional<uint64_t> piece;
};
std::vector<cli::Option> rank_options(RankArguments& arguments);
// A rank among those that a launcher has started, or the only one, which is noted where somebody may have
// wanted several.
struct Ranks {
  ranks::Comm& comm;
  const gather::Placement& place;
  uint64_t piece;  // bytes that are sent at a time
  // What carries payloads.
  std::string_view transport() const { return (place.wire ? *place.wire : comm).transport(); }
  std::optional<device::Device> device() const {
    return place.backend ? std::optional(place.backend->device()) : std::nullopt;
  }
};
// Does the work as such a rank. A usage Error, with the line to type, where a launcher has started several
// processes that are none to MPI; `command`: ours, for that line. What all ranks find out together rank 0
// says, and all end with its status.
ExitKind as_rank(cli::Context& context, const RankArguments& arguments, std::string_view command,
                 const std::function<ExitKind(const Ranks&)>& work);

// Values of options that gather and simulate have: 8, 4, 3 or 2; a power of two from 16 to 16384.
unsigned parse_code_bits(std::string_view text);
uint64_t parse_block_elems(std::string_view text);

// A number that JSON has, or nothing.
std::optional<double> finite(double value);
// Seconds since `begin`, summed up in a record.
records::QuantSummary summary_of(const quant::ModelReport& model,
                                 std::chrono::steady_clock::time_point begin);
// What a file says of a tensor that encode wrote: its source's type and size, and as out_bytes what is
// stored.
records::Tensor stored_record(const quant::StoredTensor& tensor, const std::string& file);
void describe(records::Tensor& record, const quant::Spec& spec, const quant::Coding& coding);
void print_summary(cli::Context& context, const records::QuantSummary& summary);

}  // namespace mlq::tools
