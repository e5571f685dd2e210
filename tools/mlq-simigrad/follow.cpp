// mlq-simigrad follow: a request a step in, or a folder of dumps, a batch size out.
#include <chrono>
#include <filesystem>
#include <thread>

#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/gram/dump_source.h"
#include "lib/simigrad/live/serve.h"
#include "lib/simigrad/watch/folder_events.h"
#include "lib/simigrad/watch/folder_watch.h"
#include "tools/mlq-simigrad/commands.h"
#include "tools/mlq-simigrad/dumps.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct FollowArguments {
  std::string folder;  // that is watched; empty: requests are read
  DecidingArguments deciding;
  DumpArguments dumps;
  MeasuringArguments measuring;
  std::string in = "-";
  std::string out;  // --out; empty: -o
  std::optional<uint64_t> batch;
  std::string state;
  bool state_sync = false;
  bool keep_open = false;
  int64_t poll_ns = 1'000'000'000;
  simigrad::WatchOptions watching;
  bool remove = false;
};

// Measures the steps of a request or of a watched folder, one at a time.
class Measuring {
 public:
  Measuring(const FollowArguments& a, Context& context)
      : context_(context), dumps_(a.dumps.options(context)), measuring_(a.measuring.options(context)) {}

  // Of a dump request, whose path is a file or a folder of one step.
  records::Gram operator()(const records::Dump& request) {
    simigrad::DumpSet set;
    if (watched_) {
      set.steps = {watched_->files};
      set.groups = watched_->groups;
    } else {
      set = simigrad::find_dumps({request.path}, dumps_);
      if (set.steps.size() != 1)
        throw input_error("{}: has {} steps; a request names one", request.path, set.steps.size());
    }
    simigrad::DumpEvents events;
    events.warn = [this](const std::string& message) { context_.warn(message); };
    simigrad::DumpSource source(std::move(set), dumps_, measuring_, std::move(events));
    records::Gram gram;
    if (!source.next(gram))
      throw input_error("{}: {}", request.path,
                        source.stopped() ? "reading was stopped" : "a group is missing");
    return gram;
  }

  // Requests speak of this step from now on.
  void watch(const simigrad::WatchedStep& step) { watched_ = &step; }

 private:
  Context& context_;
  simigrad::DumpOptions dumps_;
  simigrad::MeasureOptions measuring_;
  const simigrad::WatchedStep* watched_ = nullptr;
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

void remove_files(const simigrad::StepFiles& files, Context& context) {
  for (const auto& [group, shards] : files.groups) {
    for (const simigrad::GroupFile& file : shards) {
      std::error_code error;
      std::filesystem::remove(file.path, error);
      if (error) context.warn(fmt::format("{}: cannot remove: {}", file.path, error.message()));
    }
  }
}

// The steps that appear in a folder, until a signal. True if one was refused.
bool watch_folder(FollowArguments& a, simigrad::Advisor& advisor, Measuring& measuring,
                  simigrad::StateFile* state, Context& context) {
  a.watching.dumps = a.dumps.options(context);
  simigrad::FolderWatch watch(a.folder, a.watching, advisor.last_step());
  records::Writer writer = cli::open_writer(context);
  writer.keep_interrupted();
  writer.run(run_record(context, nullptr));
  writer.flush();
  bool refused = false;
  simigrad::FolderEvents events(a.folder);
  while (!context.stop()) {
    events.cover();
    for (const simigrad::WatchedStep& step :
         watch.look(std::chrono::steady_clock::now().time_since_epoch().count())) {
      for (const records::MissingGroup& missing : step.missing) writer.write(missing);
      if (step.missing.empty()) {
        measuring.watch(step);
        records::Dump request;
        request.step = step.files.step;
        request.path = step.files.groups.begin()->second.front().path;
        if (step.files.incarnation > 0) request.incarnation = step.files.incarnation;
        const simigrad::Advisor::Reply reply = advisor.answer(request);
        if (context.stop() && reply.refused) break;  // the signal came while it was read
        refused |= reply.refused;
        if (state != nullptr && reply.changed) state->append(reply.request, reply.line);
        writer.lines(reply.line, 1);
        if (a.remove && reply.changed) remove_files(step.files, context);
      }
      refused |= !step.missing.empty();
      writer.flush();
    }
    for (const std::string& wrong : watch.take_refused()) context.warn(wrong);
    events.wait(a.poll_ns, context.stop());
  }
  records::End end;
  end.interrupted = true;
  writer.end(end);
  return refused;
}

ExitKind follow(FollowArguments& a, Context& context) {
  a.deciding.options.batch = a.batch.value_or(0);
  a.deciding.finish();
  if (a.keep_open && (a.in == "-" || a.out.empty() || a.out == "-"))
    throw usage_error("--keep-open: needs --in and --out; standard input ends once");
  if (a.state_sync && a.state.empty()) throw usage_error("--state-sync: needs --state");
  context.keep_output();
  if (!a.folder.empty() && (a.in != "-" || a.keep_open))
    throw usage_error("DIR: a folder is watched, or requests are read from --in; give one of them");
  if (a.remove && a.folder.empty()) throw usage_error("--remove: needs a folder that is watched");
  const auto measuring = std::make_shared<Measuring>(a, context);
  simigrad::Advisor advisor(a.deciding.options, a.batch,
                            [measuring](const records::Dump& request) { return (*measuring)(request); });
  std::optional<simigrad::StateFile> state;
  if (!a.state.empty())
    state.emplace(a.state, canonical(a.deciding.options), context.program().version, a.state_sync, advisor,
                  [&context](const std::string& text) { context.note(text); });
  bool refused =
      !a.folder.empty() && watch_folder(a, advisor, *measuring, state ? &*state : nullptr, context);
  for (bool more = a.folder.empty(); more;) {
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
  if (!a.folder.empty())
    throw input_error("{}: a step was not read; see the simigrad_fault and missing records", a.folder);
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
      "A dump record with the path of a file or folder of one step is a request too. With DIR the steps that "
      "appear in a "
      "folder are answered as they become whole, until a signal; a step that lacks a group at its deadline "
      "is passed over, "
      "with a missing record.\n\n"
      "With --state the run can be killed at any time and goes on where it was. hook prints the side of the "
      "trainer.";
  command.shared = {Shared::output, Shared::threads, Shared::no_provenance};
  cli::Positional folder = cli::text_positional("DIR", cli::Positional::Arity::optional,
                                                "Watch a folder of dumps, in place of requests.", a.folder);
  folder.complete = cli::Complete::directory;
  command.positionals = {std::move(folder)};
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
  add_dumps(command, a.dumps);
  add_measuring(command, a.measuring);
  command.add(
      "Folder",
      {cli::value_option(
           "poll", "TIME",
           "Longest time between two looks; where the kernel tells of new files, each is looked at at once.",
           a.poll_ns, cli::above_zero(parse_duration))
           .shown_default("1s"),
       cli::value_option("settle", "TIME",
                         "How long nothing must have happened to what does not say itself that it is whole.",
                         a.watching.settle_ns, parse_duration)
           .shown_default("2s"),
       cli::value_option("deadline", "TIME", "How long a step's groups are waited for.",
                         a.watching.deadline_ns, cli::above_zero(parse_duration))
           .shown_default("60s"),
       cli::flag("remove", "Remove a step's dumps when it is answered.", a.remove)});
  command.examples = {
      {"mlq-simigrad gen --gram-only --steps 20 | mlq-simigrad " + name + " --target 0.8",
       "what would it reply?"},
      {"mlq-simigrad " + name + " --target 0.2 --state run.state <requests >replies",
       "a run that can be resumed"},
      {"mlq-simigrad " + name + " --target 0.2 --controller simigrad --micro 8 --dp 4 <requests",
       "by the published rule"},
  };
  command.run = [arguments](Context& context) { return follow(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
