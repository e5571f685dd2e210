#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using simigrad::Controller;
using simigrad::LrRule;
using simigrad::Smoothing;

double parse_share(std::string_view text) {
  const double value = parse_double(text);
  if (!(value > 0 && value < 1)) throw usage_error("\"{}\" must be above 0 and below 1", text);
  return value;
}

std::vector<cli::Option> limit_options(simigrad::ControlOptions& o) {
  return {
      cli::value_option("min", "B", "Smallest batch, in samples.", o.min, cli::above_zero(parse_count))
          .shown_default("1"),
      cli::value_option("max", "B", "Largest batch, in samples.", o.max, cli::above_zero(parse_count))
          .shown_default("64 times the first batch"),
      cli::value_option("multiple", "Q", "Batches are multiples of Q.", o.multiple,
                        cli::above_zero(parse_count))
          .shown_default("1"),
      cli::value_option("micro", "M", "Micro-batch of a worker: batches are multiples of M times --dp.",
                        o.micro, cli::above_zero(parse_count)),
      cli::value_option("dp", "N", "Data-parallel workers.", o.workers, cli::above_zero(parse_count)),
      cli::value_option("max-micro", "M", "Micro-batches may grow up to M before more are accumulated.",
                        o.max_micro, cli::above_zero(parse_count)),
      cli::value_option("ladder", "WHAT", "Batches to choose from; a file has one a line.", o.ladder,
                        simigrad::parse_ladder)
          .suggest({{"pow2", "the granule times a power of two"},
                    {"integer-factor", "whole multiples and whole parts of the present batch"}})
          .file(),
      cli::flag("monotone", "Never shrink.", o.monotone),
  };
}

std::vector<cli::Option> pace_options(simigrad::ControlOptions& o) {
  return {
      cli::value_option("warmup-steps", "N",
                        "Measured steps before the first move; simigrad and static have none.",
                        o.warmup_steps, parse_count)
          .shown_default("5"),
      cli::value_option("interval", "N", "Steps from one decision to the next.", o.interval,
                        cli::above_zero(parse_count))
          .shown_default("1"),
      cli::value_option("cooldown", "N", "Steps after a move in which there is no other.", o.cooldown,
                        parse_count)
          .shown_default("0"),
      cli::value_option("max-step", "FACTOR",
                        "Largest factor of one move, up or down, of ratio and sqrt-noise.", o.max_step,
                        parse_double)
          .shown_default("4"),
      cli::choice_option("deadband", "HOW",
                         "With ci, move only when the interval excludes the present batch.", o.deadband,
                         {{"off", false}, {"ci", true}}),
      cli::choice_option("lr-rule", "RULE", "How lr_scale follows the batch.", o.lr_rule,
                         {{"sqrt", LrRule::sqrt},
                          {"linear", LrRule::linear},
                          {"gain", LrRule::gain},
                          {"none", LrRule::none}}),
      cli::value_option("lr-damp", "F", "Share of that change that is applied, 0 to 1.", o.lr_damp,
                        parse_double)
          .shown_default("1"),
  };
}

std::vector<cli::Option> own_options(simigrad::ControlOptions& o) {
  return {
      cli::choice_option("halves", "HOW",
                         "Which groups are the two halves of a cosine: by parity, or first and last.",
                         o.estimating.observation.halves,
                         {{"parity", simigrad::Halves::parity}, {"split", simigrad::Halves::split}}),
      cli::value_option("smooth", "N", "simigrad: mean of the last N cosines; 0 is the last alone.", o.smooth,
                        parse_count)
          .shown_default("0"),
      cli::value_option("gain", "G", "simigrad: share by which a move changes the batch.", o.gain,
                        parse_share)
          .shown_default("0.1"),
      cli::value_option("step-cost", "R", "sqrt-noise: fixed cost of a step, in samples.", o.step_cost,
                        cli::above_zero(parse_double)),
      cli::flag("unbiased", "normtest: with the unbiased estimates.", o.unbiased),
  };
}

}  // namespace

void EstimatingArguments::finish() {
  if (int{ema.has_value()} + int{halflife.has_value()} + int{window.has_value()} > 1)
    throw usage_error("--ema, --halflife, --window: give one of them");
  Smoothing& s = options.smoothing;
  if (ema) s.ema = *ema;
  if (halflife) {
    s.kind = Smoothing::Kind::halflife;
    s.halflife = static_cast<double>(*halflife);
  }
  if (window) {
    s.kind = Smoothing::Kind::window;
    s.steps = *window;
  }
  if (s.steps > simigrad::kLongestWindow)
    throw usage_error("--window: {} is above {}, the longest", s.steps, simigrad::kLongestWindow);
}

void add_estimating(cli::Command& command, EstimatingArguments& a) {
  command.add(
      "Estimates",
      {cli::value_option("ema", "BETA", "Weights fall by this factor a step.", a.ema, parse_share)
           .shown_default("0.9"),
       cli::value_option("halflife", "SAMPLES", "Weights fall by half in so many samples, instead.",
                         a.halflife, cli::above_zero(parse_count)),
       cli::value_option("window", "N", "The last N steps count alike, instead.", a.window,
                         cli::above_zero(parse_count)),
       cli::value_option("confidence", "P", "Level of the intervals.", a.options.confidence, parse_share)
           .shown_default("0.95"),
       cli::value_option("population", "N", "Batches are drawn without replacement from N samples.",
                         a.options.observation.population, cli::above_zero(parse_count)),
       cli::value_option("base-batch", "B0", "Batch that gain, efficiency and lr_scale are relative to.",
                         a.base_batch, cli::above_zero(parse_count))});
}

void DecidingArguments::finish_common() {
  estimating.finish();
  const simigrad::Halves halves = options.estimating.observation.halves;
  options.estimating = estimating.options;
  options.estimating.observation.halves = halves;
  options.base_batch = estimating.base_batch;
}

void DecidingArguments::finish() {
  finish_common();
  if (int{gamma.has_value()} + int{theta.has_value()} + int{kappa.has_value()} > 1)
    throw usage_error("--target, --theta, --kappa: three spellings of one number; give one of them");
  if (gamma) options.target = simigrad::Target::of_gamma(*gamma);
  if (theta) options.target = simigrad::Target::of_theta(*theta);
  if (kappa) options.target = simigrad::Target::of_kappa(*kappa);
  if (options.target && !simigrad::has_target(options.controller))
    throw usage_error("--target: {} steers to none", simigrad::name_of(options.controller));
  simigrad::validate(options);
}

void add_deciding(cli::Command& command, DecidingArguments& a, bool choosing) {
  if (choosing)
    command.add(
        "Decisions",
        {cli::value_option("controller", "NAME", "Who decides.", a.options.controller,
                           simigrad::parse_controller)
             .one_of({{"simigrad", "the published rule: 10 % up or down by the last cosine"},
                      {"ratio", "straight to the batch whose halves would have the target cosine"},
                      {"sqrt-noise", "the batch that costs least, where a step has a fixed cost"},
                      {"normtest", "grow until the norm test passes"},
                      {"static", "one batch"}})
             .shown_default("ratio"),
         cli::value_option("target", "GAMMA", "Cosine of two halves of the whole batch that is steered to.",
                           a.gamma, parse_share),
         cli::value_option("theta", "THETA", "The same as the norm test's theta.", a.theta,
                           cli::above_zero(parse_double)),
         cli::value_option("kappa", "KAPPA", "The same as batch over noise scale.", a.kappa,
                           cli::above_zero(parse_double))});
  command.add("Decisions", limit_options(a.options));
  command.add("Decisions", pace_options(a.options));
  command.add("Decisions", own_options(a.options));
  add_estimating(command, a.estimating);
}

records::ReaderOptions reading(cli::Context& context) {
  records::ReaderOptions options;
  options.strict = context.shared().strict;
  options.allow_truncated = context.shared().allow_truncated;
  options.stop = &context.stop();
  return options;
}

records::Run run_record(const cli::Context& context, const records::Reader* reader) {
  records::Run run = cli::run_record(context);
  if (reader != nullptr && !reader->runs_json().empty())
    run.inputs = records::RawJson{"[" + reader->runs_json() + "]"};
  return run;
}

ExitKind end_stream(records::Writer& writer, const records::Reader& reader) {
  records::End end;
  if (reader.interrupted()) end.interrupted = true;
  writer.end(end);
  reader.finish();
  return ExitKind::done;
}

ExitKind end_interrupted(cli::Context& context) {
  records::Writer writer = cli::open_writer(context);
  writer.run(run_record(context, nullptr));
  records::End end;
  end.interrupted = true;
  writer.end(end);
  return ExitKind::done;
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    if (words.back().empty()) throw usage_error("\"{}\" has an empty member", text);
    at = end + 1;
  }
  return words;
}

}  // namespace mlq::tools
