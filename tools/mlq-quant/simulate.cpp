// mlq-quant simulate: how few bits are safe for these weights and updates?
#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/cast.h"
#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/gather/simulate.h"
#include "lib/quant/sample.h"
#include "lib/quant/selection.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct SimulateArguments {
  std::vector<std::string> files;
  gather::SimulateOptions options;
  quant::Selection selection;
  std::optional<double> update, rho, drift;
  std::optional<uint64_t> steps;
  uint64_t elems = uint64_t{1} << 16;
};

double parse_share(std::string_view text) {
  const double value = parse_double(text);
  if (!(value >= 0 && value < 1)) throw usage_error("\"{}\" must be 0 or above and below 1", text);
  return value;
}

double parse_tolerance(std::string_view text) {
  const double value = parse_double(text);
  if (!(value > 0 && value <= 1)) throw usage_error("\"{}\" must be above 0 and at most 1", text);
  return value;
}

unsigned parse_strata(std::string_view text) {
  const uint64_t strata = parse_count(text);
  if (strata < 1 || strata > 65536) throw usage_error("\"{}\" must be from 1 to 65536", text);
  return static_cast<unsigned>(strata);
}

// Each costs a pass over the sample of every tensor in every way.
uint64_t parse_steps(std::string_view text) {
  const uint64_t steps = parse_count(text);
  if (steps < 1 || steps > 1'000'000) throw usage_error("\"{}\" must be from 1 to 1000000", text);
  return steps;
}

// `2,4,8` by a parser of one.
template <class Parse>
auto list_of(Parse parse) {
  return [parse](std::string_view text) {
    std::vector<decltype(parse(text))> out;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      const std::string_view one = text.substr(begin, end - begin);
      const auto value = parse(one);
      if (std::find(out.begin(), out.end(), value) != out.end())
        throw usage_error("\"{}\" has {} twice", text, one);
      out.push_back(value);
      begin = end + 1;
    }
    return out;
  };
}

// A list replaces the whole default.
template <class T, class Parse>
cli::Option list_option(std::string name, std::string value, std::string help, std::vector<T>& target,
                        Parse parse) {
  cli::Option option;
  option.name = std::move(name);
  option.value = std::move(value);
  option.help = std::move(help);
  option.set = [&target, parse = list_of(parse)](std::string_view text) { target = parse(text); };
  return option;
}

std::vector<float> weights_of(const tensorfile::Source& source, size_t index, uint64_t most) {
  quant::Worker worker;
  const quant::Sample sample = quant::take_sample(source, index, worker);
  std::vector<float> values(std::min(sample.elems, most));
  uint64_t saturated = 0;
  kernels::cast_simd(values.size(), sample.type, sample.values.data(), kernels::Float::f32, values.data(),
                     &saturated);
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw input_error("{}: tensor {} has elements that are not finite; --exclude it", source.name(),
                        tensorfile::in_quotes(source.tensors()[index].name));
  return values;
}

gather::Moves moves_of(const SimulateArguments& a) {
  gather::Moves moves;
  if (a.update) moves.update = *a.update;
  if (a.rho) moves.rho = *a.rho;
  if (a.drift) moves.drift = *a.drift;
  return moves;
}

std::unique_ptr<gather::WeightWalk> walk_of(const SimulateArguments& a,
                                            const std::vector<tensorfile::Source>& sources,
                                            const tensorfile::TensorInfo& info, uint64_t seed) {
  std::vector<std::vector<float>> weights;
  for (const tensorfile::Source& source : sources) {
    const auto index = source.find(info.name);
    if (!index || source.tensors()[*index].shape != info.shape)
      throw input_error("{}: tensor {} is not there as it is in {}; all files are of one model",
                        source.name(), tensorfile::in_quotes(info.name), sources[0].name());
    weights.push_back(weights_of(source, *index, a.elems));
  }
  if (weights.size() > 1) return gather::given_walk(std::move(weights));
  return gather::random_walk(std::move(weights[0]), a.steps.value_or(64), moves_of(a), seed);
}

records::SimulatedGather record_of(const std::string& name, const gather::Simulated& s) {
  records::SimulatedGather record;
  record.name = name;
  record.mode = gather::name_of(s.rule);
  if (s.rule == gather::Rule::dither) record.mode = fmt::format("dither:{}", s.settings.strata);
  record.bits = s.settings.bits;
  record.block = s.settings.block;
  record.grid = quant::name_of(s.settings.grid);
  record.update_ratio = s.update_ratio;
  record.steps = s.steps;
  record.inst_rel_rmse = s.inst_rel_rmse;
  record.mean_rel_rmse = s.mean_rel_rmse;
  record.predicted_rel_rmse = s.predicted_rel_rmse;
  record.rel_bias = s.rel_bias;
  record.safe = s.safe;
  return record;
}

void add_row(cli::Table& table, const records::SimulatedGather& r) {
  table.add({r.name, r.mode, fmt::format("{}", r.bits), fmt::format("{}", r.block),
             fmt::format("{:.2e}", r.update_ratio), fmt::format("{:.2e}", r.inst_rel_rmse),
             fmt::format("{:.2e}", r.predicted_rel_rmse), fmt::format("{:.2e}", r.mean_rel_rmse),
             r.safe ? "safe" : ""});
}

void check(const SimulateArguments& a) {
  if (a.files.size() > 1) {
    if (a.steps) throw usage_error("--steps: with several files the steps are these files");
    const char* const given = a.update ? "--update" : a.rho ? "--correlation" : a.drift ? "--drift" : nullptr;
    if (given != nullptr)
      throw usage_error("{}: with several files the updates are what differs between them", given);
  }
  const auto& rules = a.options.rules;
  if (a.options.grid == kernels::Grid::mse &&
      std::find(rules.begin(), rules.end(), gather::Rule::dither) != rules.end())
    throw usage_error("--grid mse: not for dither; name the others with --modes");
}

ExitKind simulate(SimulateArguments& a, Context& context) {
  check(a);
  std::vector<tensorfile::Source> sources;
  for (const std::string& file : a.files) sources.push_back(open_model(context, file, false));
  const quant::Selector selector(a.selection, quant::Container::mlq);
  a.options.seed = context.shared().seed;
  a.options.stop = &context.stop();
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  cli::Table table({{"tensor", cli::Align::left},
                    {"mode", cli::Align::left},
                    {"bits"},
                    {"block"},
                    {"update"},
                    {"one gather"},
                    {"by the law"},
                    {"mean"},
                    {"", cli::Align::left}});
  uint64_t simulated = 0;
  for (const tensorfile::TensorInfo& info : sources[0].tensors()) {
    if (!selector.why_not(info).empty()) continue;
    const auto walk = walk_of(a, sources, info, context.shared().seed);
    const auto results = gather::simulate(*walk, a.options);
    for (const gather::Simulated& result : results) {
      const records::SimulatedGather record = record_of(info.name, result);
      stream.simulated(record);
      add_row(table, record);
    }
    if (context.stop()) break;
    ++simulated;
    context.progress([&] { return fmt::format("{} tensors", simulated); });
  }
  if (simulated == 0 && !context.stop())
    throw input_error("{}: no tensor is selected; see --include, --min-elems and --quantize-1d", a.files[0]);
  stream.end(static_cast<bool>(context.stop()));
  if (context.wants_summary()) context.print(table.text());
  return ExitKind::done;
}

}  // namespace

cli::Command simulate_command() {
  const auto arguments = std::make_shared<SimulateArguments>();
  SimulateArguments& a = *arguments;
  cli::Command command;
  command.name = "simulate";
  command.summary = "Which ways of gathering are safe for these weights.";
  command.description =
      "Gathers samples of the tensors step after step in every way that is asked for, with updates at random "
      "of a "
      "given size, or, of several files, with those that really happened; and writes a simulate record for "
      "each: the "
      "error of one gather, of the mean of all, and what the law says. A way is safe if one gather errs by "
      "no more than "
      "the tolerance and the last quarter of the steps does not err by over a tenth more than the one before "
      "it.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  command.positionals = {cli::file_positional(
      "IN", cli::Positional::Arity::one_or_more,
      "Weights: a file, an index.json or a folder; several are checkpoints of one model, in order.",
      a.files)};
  command.add(
      "Simulation",
      {cli::value_option("update", "RATIO", "Root mean square of a step's update over that of the weights.",
                         a.update, parse_tolerance)
           .shown_default("0.001"),
       cli::value_option("correlation", "RHO", "Of a step's update with the one before it.", a.rho,
                         parse_share)
           .shown_default("0"),
       cli::value_option("drift", "RATIO", "What every step adds to every weight beside that.", a.drift,
                         parse_share)
           .shown_default("0"),
       cli::value_option("steps", "N", "Number of gathers.", a.steps, parse_steps).shown_default("64"),
       list_option("modes", "NAME,..", "Ways: none, stochastic, dither, residual, delta.", a.options.rules,
                   gather::parse_rule),
       list_option("bits", "N,..", "Bits of a code.", a.options.bits, parse_code_bits),
       list_option("blocks", "N,..", "Elements with one scale.", a.options.blocks, parse_block_elems),
       cli::value_option("grid", "NAME", "How the scale of a block is chosen.", a.options.grid,
                         quant::parse_grid)
           .one_of({"absmax", "signed", "mse"})
           .shown_default("signed; absmax for dither and int8 of none"),
       cli::value_option("state-dtype", "TYPE", "Type of what receivers hold.", a.options.state,
                         quant::parse_float)
           .one_of({"bf16", "f16", "f32"})
           .shown_default("bf16"),
       cli::value_option("strata", "N", "Of dither: gathers over which offsets are spread.", a.options.strata,
                         parse_strata)
           .shown_default("8"),
       cli::value_option("residual-dtype", "TYPE",
                         "Of residual: how it is kept, int8 with a scale for each block.",
                         a.options.residual_type, gather::parse_residual_type)
           .one_of({"f32", "int8"})
           .shown_default("f32"),
       cli::value_option("tolerance", "RATIO", "Largest relative error of one gather that is safe.",
                         a.options.tolerance, parse_tolerance)
           .shown_default("0.0021, a quarter more than rounding to bf16"),
       cli::value_option("elems", "N", "Elements of a tensor that are simulated at most.", a.elems,
                         cli::above_zero(parse_count))
           .shown_default("65536")});
  for (cli::Option& option : command.options) {
    if (option.name == "modes") option.default_text = "all";
    if (option.name == "bits") option.default_text = "8,4,3,2";
    if (option.name == "blocks") option.default_text = "64";
  }
  command.add("Tensors", selection_options(a.selection));
  command.examples = {
      {"mlq-quant simulate model.safetensors --update 1e-3 --summary", "how few bits are safe?"},
      {"mlq-quant simulate model.safetensors --modes delta --bits 2 --state-dtype f32 | jq -s "
       "'map(select(.type==\"simulate\").inst_rel_rmse) | max'",
       "the largest error of 2-bit deltas"},
      {"mlq-quant simulate model.safetensors model.safetensors --modes delta | jq "
       "'select(.type==\"simulate\").update_ratio'",
       "the updates between two checkpoints"},
  };
  command.run = [arguments](Context& context) { return simulate(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
