// mlq-simigrad follow: a request a step in, a batch size out.
#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/live/serve.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct FollowArguments {
  DecidingArguments deciding;
  std::string in = "-";
  std::string out;  // --out; empty: -o
  std::optional<uint64_t> batch;
  std::string state;
  bool state_sync = false;
  bool keep_open = false;
};

// One trainer, from its first line to its end of file.
simigrad::Served serve_one(const FollowArguments& a, simigrad::Advisor& advisor, simigrad::StateFile* state,
                           Context& context) {
  // The trainer opens its ends in the same order; a FIFO waits for the other side.
  Input input = Input::open(a.in, &context.stop());
  if (!a.out.empty()) context.shared().output = a.out;
  records::Writer writer = cli::open_writer(context);
  writer.run(run_record(context, nullptr));
  writer.flush();
  const simigrad::Served served =
      simigrad::serve(std::move(input), advisor, state, [&writer](std::string_view line) {
        writer.lines(line, 1);
        writer.flush();
      });
  records::End end;
  if (served.interrupted) end.interrupted = true;
  writer.keep_interrupted();
  writer.end(end);
  return served;
}

ExitKind follow(FollowArguments& a, Context& context) {
  a.deciding.options.batch = a.batch.value_or(0);
  a.deciding.finish();
  if (a.keep_open && (a.in == "-" || a.out.empty() || a.out == "-"))
    throw usage_error("--keep-open: needs --in and --out; standard input ends once");
  if (a.state_sync && a.state.empty()) throw usage_error("--state-sync: needs --state");
  context.keep_output();
  simigrad::Advisor advisor(a.deciding.options, a.batch);
  std::optional<simigrad::StateFile> state;
  if (!a.state.empty())
    state.emplace(a.state, canonical(a.deciding.options), context.program().version, a.state_sync, advisor,
                  [&context](const std::string& text) { context.note(text); });
  bool refused = false;
  for (bool more = true; more;) {
    simigrad::Served served;
    try {
      served = serve_one(a, advisor, state ? &*state : nullptr, context);
    } catch (const ClosedPipe&) {
      // A trainer that dies without reading its last reply is no end for those who wait for the next.
      if (!a.keep_open) throw;
    } catch (const Error&) {
      // A signal that came while a FIFO waited for its other side.
      if (!context.stop()) throw;
      served.interrupted = true;
    }
    refused |= served.refused;
    more = a.keep_open && !served.ended && !served.interrupted && !context.stop();
  }
  if (!refused) return ExitKind::done;
  throw input_error("{}: a request was refused; see the simigrad_fault records",
                    a.in == "-" ? "standard input" : a.in);
}

}  // namespace

cli::Command follow_command(const std::string& name) {
  const auto arguments = std::make_shared<FollowArguments>();
  FollowArguments& a = *arguments;
  cli::Command command;
  command.name = name;
  command.summary = name == "follow" ? "Live beside a training job: a request a step in, a batch size out."
                                     : "The same as follow.";
  command.description =
      "Reads requests, a JSON object a line: hello once, then a gram record a step. To each it replies with "
      "one line at "
      "once: hello, batch_size, or simigrad_fault with the batch to keep; a malformed line never ends the "
      "run and never "
      "moves the batch, and such a run exits with status 3 at its end. A step that was answered before gets "
      "the same "
      "bytes again.\n\n"
      "With --state the run can be killed at any time and goes on where it was. hook prints the side of the "
      "trainer.";
  command.shared = {Shared::output, Shared::no_provenance};
  add_deciding(command, a.deciding, true);
  command.add(
      "Live",
      {cli::text("in", "FIFO", "Where requests come from.", a.in).file().shown_default("-"),
       cli::text("out", "FIFO", "Where replies go; it is opened after --in.", a.out)
           .file()
           .shown_default("-"),
       cli::value_option("batch", "B", "Batch to begin with; static: the batch.", a.batch,
                         cli::above_zero(parse_count))
           .shown_default("the trainer's"),
       cli::text("state", "FILE", "Journal of requests and replies, from which a run is resumed.", a.state)
           .file(),
       cli::flag("state-sync", "Have each of them on disk before the reply leaves.", a.state_sync),
       cli::flag("keep-open", "Wait for the next trainer when one has gone.", a.keep_open)});
  command.examples = {
      {"mlq-simigrad gen --gram-only --steps 20 | mlq-simigrad " + name + " --target 0.8",
       "what would it reply?"},
      {"mlq-simigrad " + name + " --target 0.2 --state run.state <requests >replies",
       "a run that can be resumed"},
      {"mlq-simigrad " + name + " --target 0.2 --in to.fifo --out from.fifo --keep-open",
       "over two FIFOs (mkfifo)"},
  };
  command.run = [arguments](Context& context) { return follow(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
