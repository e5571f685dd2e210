// mlq-simigrad estimate: gradients in, noise scales out.
#include "lib/cli/provenance.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/estimate/estimator.h"
#include "lib/simigrad/gram/dump_source.h"
#include "tools/mlq-simigrad/commands.h"
#include "tools/mlq-simigrad/dumps.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct EstimateArguments {
  std::vector<std::string> paths;
  EstimatingArguments estimating;
  DumpArguments dumps;
  MeasuringArguments measuring;
  bool per_tensor = false;
  bool fail_on_nonfinite = false;
};

// What should make the user look at how the gradients were taken; each is said once.
class Doubts {
 public:
  explicit Doubts(Context& context) : context_(context) {}
  void look_at(const simigrad::Observation& o, bool near_copies, const std::string& where) {
    if (o.identical)
      say(identical_, where,
          "two groups have the same gradient in all bits: dumped after the all-reduce, or drawn with one "
          "seed");
    if (near_copies)
      say(copies_, where, "the groups agree too closely for so few samples to be independent draws");
  }

 private:
  void say(bool& said, const std::string& where, std::string_view what) {
    if (!said) context_.warn(fmt::format("{}: {}", where, what));
    said = true;
  }
  Context& context_;
  bool identical_ = false, copies_ = false;
};

void estimate_all(EstimateArguments& a, simigrad::GramSource& source, records::Writer& writer,
                  Context& context) {
  simigrad::Estimator estimator(a.estimating.options);
  simigrad::Signal signal;
  Doubts doubts(context);
  records::Gram gram;
  while (source.next(gram)) {
    simigrad::Observation o;
    if (const auto refusal = simigrad::observe(gram, a.estimating.options.observation, o))
      throw input_error("{}: {}", source.where(), refusal->message);
    if (a.fail_on_nonfinite && o.note == "nonfinite")
      throw input_error("{}: step {} has a gradient that is not finite{} (--on-nonfinite fail)",
                        source.where(), o.step, gram.note ? ": " + *gram.note : "");
    doubts.look_at(o, estimator.near_copies(o, signal), source.where());
    estimator.add(o);
    signal = estimator.signal();
    writer.write(gram);
    writer.write(simigrad::estimate_record(o, signal, a.estimating.options, a.estimating.base_batch));
  }
}

ExitKind estimate_records(EstimateArguments& a, const std::string& path, Context& context) {
  a.dumps.refuse_for_records(path);
  if (a.per_tensor)
    throw usage_error(
        "--per: {} is a stream of gram records, of all tensors together; measure the dumps anew",
        path == "-" ? "standard input" : path);
  records::Reader reader(path, reading(context));
  simigrad::RecordSource source(reader);
  records::Writer writer = cli::open_writer(context);
  writer.run(run_record(context, nullptr));
  estimate_all(a, source, writer, context);
  return end_stream(writer, reader);
}

ExitKind estimate_dumps(EstimateArguments& a, Context& context) {
  const simigrad::DumpOptions options = a.dumps.options(context);
  simigrad::DumpSet set = simigrad::find_dumps(a.paths, options);
  records::Writer writer = cli::open_writer(context);
  simigrad::DumpEvents events;
  events.missing = [&](const records::MissingGroup& record) { writer.write(record); };
  if (a.per_tensor) events.tensor = [&](const records::GramTensor& record) { writer.write(record); };
  events.warn = [&](const std::string& message) { context.warn(message); };
  const simigrad::MeasureOptions measuring = a.measuring.options(context);
  simigrad::DumpSource source(std::move(set), options, measuring, std::move(events));
  records::Run run = run_record(context, nullptr);
  run.threads = context.threads();
  run.device = MeasuringArguments::device_name(measuring);
  writer.run(run);
  estimate_all(a, source, writer, context);
  records::End end;
  if (source.stopped()) end.interrupted = true;
  writer.end(end);
  if (source.incomplete_steps() == 0) return ExitKind::done;
  throw input_error("{}; the missing records say which",
                    source.incomplete_steps() == 1 ? std::string("1 step lacks a group and was passed over")
                                                   : fmt::format("{} steps lack a group and were passed over",
                                                                 source.incomplete_steps()));
}

ExitKind estimate(EstimateArguments& a, Context& context) {
  a.estimating.finish();
  if (a.paths.empty()) return estimate_records(a, "-", context);
  return are_records(a.paths) ? estimate_records(a, a.paths[0], context) : estimate_dumps(a, context);
}

}  // namespace

cli::Command estimate_command() {
  const auto arguments = std::make_shared<EstimateArguments>();
  EstimateArguments& a = *arguments;
  cli::Command command;
  command.name = "estimate";
  command.summary = "Noise scale and similarity of gradients, with their intervals.";
  command.description =
      "Reads dumps of gradients once and writes a gram record a step: the inner products of its groups, "
      "summed in "
      "fp64 in one fixed tree, with the same bits on any number of threads and however the files are read. "
      "Or reads "
      "gram records and writes each again. An estimate record follows each, with what the steps so far say: "
      "the "
      "cosine of the step's two halves, the gradient noise scale B_simple with its interval (Fieller), and "
      "what "
      "follows from it.\n\n"
      "Dumps say their step, group and samples in their metadata (mlq.step, mlq.group, mlq.groups, "
      "mlq.samples), or "
      "by --pattern and --group-samples. Files that are named and say nothing are the groups of one step. A "
      "step "
      "that lacks a group is passed over, with a missing record and exit status 3.\n\n"
      "It reports a measurement and promises nothing: the noise scale is an unreliable proxy of the critical "
      "batch "
      "size.";
  command.shared = {Shared::output, Shared::threads, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.positionals = {cli::file_positional("PATH", cli::Positional::Arity::any_number,
                                              "Dumps (safetensors, npy, torch.save, each also .zst) or "
                                              "folders; or one stream of gram records (.jsonl), - for "
                                              "standard input, which is the default.",
                                              a.paths)};
  add_estimating(command, a.estimating);
  add_dumps(command, a.dumps);
  add_measuring(command, a.measuring);
  command.add("Input",
              {cli::choice_option("per", "WHAT", "Write a gram_tensor record for each tensor too.",
                                  a.per_tensor, {{"all", false}, {"tensor", true}}),
               cli::choice_option("on-nonfinite", "HOW", "What to do with a step that is not finite.",
                                  a.fail_on_nonfinite, {{"skip", false}, {"fail", true}})});
  command.examples = {
      {"mlq-simigrad estimate grads > run.gram.jsonl", "all steps of a folder"},
      {"mlq-simigrad gen --gram-only --steps 50 | mlq-simigrad estimate | jq "
       "'select(.type==\"estimate\").b_simple_samples'",
       "the noise scale, step by step"},
      {"mlq-simigrad gen --gram-only --steps 50 | mlq-simigrad estimate --window 20 --base-batch 128",
       "with AdaScale's gain against a batch of 128"},
      {"mlq-simigrad gen --gram-only --steps 50 | mlq-simigrad estimate --halflife 100k",
       "smoothed over samples, whatever the batches were"},
  };
  command.run = [arguments](Context& context) { return estimate(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
