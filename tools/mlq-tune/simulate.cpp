// mlq-tune simulate: a server that is only computed: its whole surface, or a live endpoint.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/http/listen_address.h"
#include "lib/tune/space/changed_point.h"
#include "lib/tune/surface/serve_sim.h"
#include "lib/tune/surface/write_surface.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/surfaces.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct SimulateArguments {
  std::string preset = "pool-batch@400";
  bool rows = false;
  std::string listen;
  tune::WriteSurfaceOptions surface;
  // --listen
  std::string start;
  uint32_t queue = 4096;
  int64_t duration_ns = 0;
  tune::SimFaults faults;
};

tune::PresetChoice chosen_preset(const SimulateArguments& a) {
  tune::PresetChoice choice = tune::find_preset(a.preset);
  if (choice.preset != nullptr) return choice;
  std::string names;
  for (const std::string& name : tune::preset_names()) names += (names.empty() ? "" : ", ") + name;
  throw usage_error("--preset: \"{}\" is no simulated server; there are {}, and without @.. all their levels",
                    a.preset, names);
}

ExitKind write_rows(SimulateArguments& a, Context& context) {
  const tune::PresetChoice choice = chosen_preset(a);
  a.surface.seed = context.shared().seed;
  a.surface.threads = context.threads();
  a.surface.data_dir = cli::data_folder();
  records::Run run = cli::run_record(context);
  run.seed = a.surface.seed;
  run.space_xxh3 = choice.preset->space->xxh3();
  records::Writer writer = cli::open_writer(context);
  writer.run(run);
  tune::write_surface(choice, a.surface, writer, context.stop(), [&context](uint64_t done, uint64_t all) {
    context.progress([&] { return fmt::format("{} of {} windows", done, all); });
  });
  records::End end;
  if (context.stop()) end.interrupted = true;
  writer.end(end);
  return ExitKind::done;
}

ExitKind serve(SimulateArguments& a, Context& context) {
  const http::ListenAddress address = http::parse_listen_address(a.listen);
  if (!address.loopback())
    throw usage_error("--listen {}: others could change its knobs; listen on 127.0.0.1 or unix:PATH",
                      a.listen);
  tune::SimServerOptions options;
  options.preset = chosen_preset(a);
  options.seed = context.shared().seed;
  options.version = context.program().version;
  options.queue_limit = a.queue;
  options.faults = a.faults;
  const tune::Space& space = *options.preset.preset->space;
  if (!a.start.empty()) {
    options.start =
        tune::changed_point(space, space.middle(), tune::parse_config(a.start, "--start"), "--start");
  }
  for (const auto* condition : {&a.faults.refuse, &a.faults.crash_on}) {
    if (!*condition) continue;
    for (const std::string& name : (*condition)->names())
      if (std::none_of(space.axes().begin(), space.axes().end(),
                       [&](const tune::Axis& axis) { return axis.name == name; }))
        throw usage_error("\"{}\": {} has no knob {}", (*condition)->text(), a.preset, name);
  }
  records::Writer writer = cli::open_writer(context);
  context.keep_output();
  records::Run run = cli::run_record(context);
  run.seed = options.seed;
  const tune::ServeSimOutcome outcome = tune::serve_sim(std::move(options), address.server_options(),
                                                        a.duration_ns, run, writer, context.stop());
  if (context.wants_summary()) context.print(format_count(outcome.requests, "request") + '\n');
  if (!outcome.crashed) return ExitKind::done;
  context.warn(fmt::format("it crashed: {}", a.faults.crash_on->text()));
  return ExitKind::answer_no;
}

ExitKind simulate(SimulateArguments& a, Context& context) {
  if (a.rows == !a.listen.empty()) throw usage_error("one of --rows and --listen says what is wanted");
  return a.rows ? write_rows(a, context) : serve(a, context);
}

tune::Expression parse_condition(std::string_view text) {
  try {
    return tune::Expression::parse(text, tune::machine_value);
  } catch (const Error& error) {
    throw usage_error("{}", error.what());
  }
}

}  // namespace

cli::Command simulate_command() {
  const auto arguments = std::make_shared<SimulateArguments>();
  SimulateArguments& a = *arguments;
  cli::Command command;
  command.name = "simulate";
  command.summary = "A simulated server: its surface as records, or a live endpoint with knobs.";
  command.description =
      "A queue before a pool of instances with threads, batches and delays on a machine of so many cores: "
      "exact, "
      "from given arrivals. --rows writes a surface record for each level and configuration; replay and "
      "compare "
      "read it. --listen serves it on the real clock: POST /v2/models/sim/infer with any body, health, "
      "/metrics, "
      "and the knob routes of mlq-serve's admin interface under /admin/v1, on the same address, so that the "
      "whole "
      "of mlq-tune can be tried without a model: --endpoint mlq:http://ADDRESS. Without --duration a signal "
      "is how "
      "it ends, with exit status 0. The faults are for trying what a tuner makes of them.\n\n"
      "Exit status 1: it crashed, as --crash-on says.";
  command.shared = {Shared::output, Shared::threads, Shared::seed, Shared::no_provenance};
  command.add("What",
              {cli::text("preset", "NAME", "Which server; with @, under one of its loads alone.", a.preset)
                   .shown_default(a.preset)
                   .suggest(preset_choices()),
               cli::flag("rows", "Write its surface.", a.rows),
               cli::text("listen", "ADDRESS", "Serve it: HOST:PORT or unix:PATH; port 0 is any free one.",
                         a.listen)});
  command.add(
      "Surface",
      {cli::value_option("requests", "N", "Requests of a window.", a.surface.requests, parse_simulated)
           .shown_default("60000"),
       cli::value_option("repeats", "N", "Windows of each point, each with arrivals of its own.",
                         a.surface.repeats, cli::above_zero(parse_count))
           .shown_default("1"),
       cli::text("arrivals", "SPEC",
                 "Arrivals as mlq-loadgen gen takes them, as in 'gamma --rate 400/s --cv 3', in place of the "
                 "preset's.",
                 a.surface.arrivals)});
  command.add("Endpoint",
              {cli::text("start", "JSON", "The configuration to begin with, as in '{\"batch\":1}'.", a.start)
                   .shown_default("the middle of the grid"),
               cli::value_option("queue", "N", "Requests that may wait; what is over gets 503.", a.queue,
                                 cli::above_zero(parse_count))
                   .shown_default("4096"),
               cli::value_option("duration", "TIME", "End after this time.", a.duration_ns,
                                 cli::above_zero(parse_duration))});
  cli::Option drift;
  drift.name = "drift";
  drift.value = "FACTOR@TIME";
  drift.help = "From that time on everything takes so many times as long, as in 2@60s.";
  drift.set = [&a](std::string_view text) { tune::parse_drift(text, a.faults); };
  command.add(
      "Faults",
      {std::move(drift),
       cli::value_option(
           "refuse", "COND",
           "Knobs that are answered with 422, though the schema allows them, as in 'batch > 32'.",
           a.faults.refuse, parse_condition),
       cli::value_option("lie", "SHARE", "Share of the changes that are answered with 200 and not made.",
                         a.faults.lie, [](std::string_view text) { return parse_share(text); }),
       cli::value_option("crash-on", "COND", "Knobs with which the first inference ends the server.",
                         a.faults.crash_on, parse_condition)});
  command.examples = {
      {"mlq-tune simulate --listen 127.0.0.1:8000 --duration 1s",
       "an endpoint with three knobs; without --duration "
       "until Ctrl-C"},
      {"mlq-tune simulate --rows --preset pool-delay --requests 4000 -o surface.jsonl.zst",
       "all configurations at three loads"},
      {"mlq-tune simulate --listen 127.0.0.1:0 --lie 20% --refuse 'instances > 8' --duration 1s",
       "a server that cannot be trusted"},
  };
  command.run = [arguments](Context& context) { return simulate(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
