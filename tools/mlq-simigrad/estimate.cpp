// mlq-simigrad estimate: gradients in, noise scales out.
#include "lib/cli/provenance.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/estimate/estimator.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct EstimateArguments {
  std::string in = "-";
  EstimatingArguments estimating;
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
      throw input_error("{}: step {} has a gradient that is not finite (--on-nonfinite fail)", source.where(),
                        o.step);
    doubts.look_at(o, estimator.near_copies(o, signal), source.where());
    estimator.add(o);
    signal = estimator.signal();
    writer.write(gram);
    writer.write(simigrad::estimate_record(o, signal, a.estimating.options, a.estimating.base_batch));
  }
}

ExitKind estimate(EstimateArguments& a, Context& context) {
  a.estimating.finish();
  records::Reader reader(a.in, reading(context));
  simigrad::RecordSource source(reader);
  records::Writer writer = cli::open_writer(context);
  writer.run(run_record(context, nullptr));
  estimate_all(a, source, writer, context);
  return end_stream(writer, reader);
}

}  // namespace

cli::Command estimate_command() {
  const auto arguments = std::make_shared<EstimateArguments>();
  EstimateArguments& a = *arguments;
  cli::Command command;
  command.name = "estimate";
  command.summary = "Noise scale and similarity of gradients, with their intervals.";
  command.description =
      "Reads gram records and writes each again, followed by an estimate record with what the steps so far "
      "say: the "
      "cosine of the step's two halves, the gradient noise scale B_simple with its interval (Fieller), and "
      "what "
      "follows from it.\n\n"
      "It reports a measurement and promises nothing: the noise scale is an unreliable proxy of the critical "
      "batch "
      "size.";
  command.shared = {Shared::output, Shared::strict, Shared::no_provenance, Shared::allow_truncated};
  command.positionals = {cli::file_positional("FILE", cli::Positional::Arity::optional,
                                              "gram records, or a journal of follow.", a.in)};
  add_estimating(command, a.estimating);
  command.add("Input",
              {cli::choice_option("on-nonfinite", "HOW", "What to do with a step that is not finite.",
                                  a.fail_on_nonfinite, {{"skip", false}, {"fail", true}})});
  command.examples = {
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
