// The commands of mlq-simigrad, a source each, and what they have in common. A command owns its arguments.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/records/reader.h"
#include "lib/records/writer.h"
#include "lib/simigrad/control/options.h"
#include "lib/simigrad/estimate/source.h"

namespace mlq::tools {

cli::Command inspect_command();
cli::Command estimate_command();
cli::Command schedule_command();
cli::Command follow_command(const std::string& name);
cli::Command replay_command();
cli::Command gen_command();
cli::Command hook_command();

// Options of estimates; finish() turns them into `options`.
struct EstimatingArguments {
  simigrad::EstimatorOptions options;
  std::optional<uint64_t> base_batch;
  std::optional<double> ema;
  std::optional<uint64_t> halflife, window;
  // A usage Error if two kinds of smoothing were asked for, or one is out of range.
  void finish();
};
void add_estimating(cli::Command& command, EstimatingArguments& arguments);

// Options of decisions, estimates among them. What a controller alone takes is given with it.
struct DecidingArguments {
  EstimatingArguments estimating;
  simigrad::ControlOptions options;
  std::optional<double> gamma, theta, kappa;
  // Errors as simigrad::validate; of the target also if it is given in two spellings.
  void finish();
  // All but the target and the controller's own, which replay sets for each point.
  void finish_common();
};
// `choosing`: with --controller and --target.
void add_deciding(cli::Command& command, DecidingArguments& arguments, bool choosing);

records::ReaderOptions reading(cli::Context& context);
// The run record with what was read as `inputs`.
records::Run run_record(const cli::Context& context, const records::Reader* reader);
// Ends the stream, then complains of a cut input.
ExitKind end_stream(records::Writer& writer, const records::Reader& reader);

// A signal ended the reading before there was anything to say: a stream that says so.
ExitKind end_interrupted(cli::Context& context);

// A comma-separated list.
std::vector<std::string> parse_list(std::string_view text);

}  // namespace mlq::tools
