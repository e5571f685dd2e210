// mlq-serve run: serve until a signal.
#include <fmt/format.h>

#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "tools/mlq-serve/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct RunArguments {
  ModelArguments models;
  serve::GatewayOptions options;
  std::string admin = "127.0.0.1:8002";
  std::string token_file;
};

void add_listening(cli::Command& command, RunArguments& a) {
  serve::GatewayOptions& o = a.options;
  command.add(
      "Listening",
      {cli::value_option(
           "listen", "ADDRESS",
           "HOST:PORT or unix:PATH for requests; port 0 is any free one, and the run and listen "
           "records say which.",
           o.listen, http::parse_listen_address)
           .shown_default("127.0.0.1:8000"),
       cli::text("admin", "ADDRESS", "Where metrics, knobs and the life cycle are, or off.", a.admin)
           .shown_default("127.0.0.1:8002"),
       cli::text("admin-token-file", "FILE",
                 "The bearer token that the admin interface asks for; needed where others than this machine "
                 "can reach it.",
                 a.token_file)
           .file(),
       cli::value_option("threads", "N", "Threads that serve connections; batches are made by the first.",
                         o.threads, parse_count)
           .shortened('j')
           .shown_default("1")});
}

void add_limits(cli::Command& command, serve::GatewayOptions& o) {
  command.add(
      "Limits",
      {cli::value_option("memory", "SIZE", "Of all bodies and queues; beyond, new requests get 503.",
                         o.memory_bytes, parse_size)
           .shown_default("1GiB"),
       cli::value_option("max-connections", "N", "Further ones get 503.", o.max_connections, parse_count)
           .shown_default("10000"),
       cli::value_option("max-header", "SIZE", "Of a request's head; a larger one gets 431.",
                         o.max_header_bytes, parse_size)
           .shown_default("16KiB"),
       cli::value_option("max-body", "SIZE", "Of a request's body; a larger one gets 413 before it is read.",
                         o.max_body_bytes, parse_size)
           .shown_default("16MiB"),
       cli::value_option("header-timeout", "TIME", "For a request's head, else 408.", o.header_timeout_ns,
                         parse_duration)
           .shown_default("5s"),
       cli::value_option("idle-timeout", "TIME", "Between requests of a connection.", o.idle_timeout_ns,
                         parse_duration)
           .shown_default("60s"),
       cli::value_option("min-body-rate", "SIZE",
                         "Bytes a second: a body may take 5 s and its length over this, else 408.",
                         o.min_body_rate, parse_size)
           .shown_default("16KiB")});
}

void add_life(cli::Command& command, serve::GatewayOptions& o) {
  command.add(
      "Life",
      {cli::value_option("emit", "LIST",
                         "Records on standard output, of state, window, request[:SHARE], batch[:SHARE] and "
                         "arrival.",
                         o.emit, serve::parse_emit)
           .shown_default("state,window"),
       cli::value_option("grace", "TIME",
                         "At a signal, go on accepting for so long, while readiness says no.", o.grace_ns,
                         parse_duration)
           .shown_default("0s"),
       cli::value_option("drain-timeout", "TIME", "Time at the end for what was taken in.",
                         o.drain_timeout_ns, parse_duration)
           .shown_default("30s"),
       cli::value_option("duration", "TIME", "End after this time.", o.for_ns,
                         cli::above_zero(parse_duration)),
       cli::text("state-dir", "DIR",
                 "Remember knobs that were set, replicas that were added and what was learnt of latencies.",
                 o.state_dir)
           .directory(),
       cli::flag("full-headers", "Answers say rows of the batch, time in the queue and replica.",
                 o.full_headers)});
}

void complete(RunArguments& a, Context& context) {
  serve::GatewayOptions& o = a.options;
  o.config = read_models(a.models);
  if (!a.models.config_file.empty()) o.reread = [models = a.models] { return read_models(models); };
  if (a.admin == "off") {
    o.admin.reset();
  } else {
    o.admin = http::parse_listen_address(a.admin);
    if (!a.token_file.empty())
      o.admin_token = serve::read_token_file(a.token_file);
    else if (!o.admin->loopback())
      throw usage_error(
          "--admin {}: others than this machine can reach it; give it --admin-token-file, or listen on "
          "127.0.0.1",
          a.admin);
  }
  if (o.threads < 1 || o.threads > 255) throw usage_error("--threads: 1 to 255 are possible");
  o.seed = context.shared().seed;
  if (context.shared().seed_given) o.id_keys = {o.seed, ~o.seed};
  o.version = context.program().version;
}

ExitKind serve_models(RunArguments& a, Context& context) {
  complete(a, context);
  records::Writer writer = cli::open_writer_of_server(context);
  context.keep_output();
  serve::Gateway gateway(a.options, [&context](const std::string& message) { context.warn(message); });
  const serve::GatewayOutcome outcome =
      gateway.run(cli::run_record(context), writer, context.stop(), &context.hangup());
  if (context.wants_summary())
    context.print(
        fmt::format("{}, {} of them good\n", format_count(outcome.requests, "request"), outcome.good));
  if (outcome.lost_requests == 0) return ExitKind::done;
  context.warn(fmt::format("{} had no answer when the time to drain was over",
                           format_count(outcome.lost_requests, "request")));
  return ExitKind::answer_no;
}

}  // namespace

cli::Command run_command() {
  const auto arguments = std::make_shared<RunArguments>();
  RunArguments& a = *arguments;
  cli::Command command;
  command.name = "run";
  command.summary = "Serve models: batch, queue and shed for the replicas behind.";
  command.description =
      "Stands before model servers, which need nothing for it: requests of many clients are merged into "
      "batches as large as the latency objective allows and worthwhile, the replies are cut so that each "
      "client gets the bytes that it would have got alone, and what cannot be answered in time is refused "
      "early, with the reason. Replicas are watched, put aside when they fail, and tried again elsewhere.\n\n"
      "Every knob can be read and changed while it runs, on the admin listener; every reply says by "
      "x-mlq-gen "
      "under which setting it was answered.\n\n"
      "Records go to standard output: what the server is and what happens to it, and a window each second. "
      "The first signal drains: readiness says no, queued work is finished; a second one kills.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  add_models(command, a.models);
  add_listening(command, a);
  add_limits(command, a.options);
  add_life(command, a.options);
  command.examples = {
      {"mlq-serve run --model digits=http://127.0.0.1:8001 --slo 'p99<=20ms' --duration 1s",
       "batches under an objective, before a model server on port 8001"},
      {"mlq-serve run --model digits=http://127.0.0.1:8001 --set controller=fixed --set max_rows=32 "
       "--duration 1s",
       "fixed batches instead"},
      {"mlq-serve run --model digits=http://127.0.0.1:8001,http://127.0.0.1:8004 --emit state,request:1% "
       "--duration 1s | "
       "jq -c 'select(.type==\"replica\")'",
       "two replicas, and what becomes of them"},
  };
  command.run = [arguments](Context& context) { return serve_models(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
