// mlq-replay serve: null servers with known answers.
#include <fmt/format.h>

#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/replay/null_server.h"
#include "tools/mlq-replay/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

void add_listening(cli::Command& command, replay::NullServerOptions& o) {
  command.add(
      "Listening",
      {cli::value_option("listen", "ADDRESS",
                         "Where: HOST:PORT or unix:PATH; port 0 is any free one, and run.url says which.",
                         o.listen, http::parse_listen_address)
           .shown_default("127.0.0.1:0"),
       cli::value_option("count", "N", "End after so many requests; further ones get 503.", o.count,
                         parse_count),
       cli::value_option("duration", "TIME", "End after this time.", o.duration_ns,
                         cli::above_zero(parse_duration))});
}

void add_answers(cli::Command& command, replay::NullServerOptions& o) {
  std::vector<cli::Choice> apis;
  for (const auto& info : replay::null_api_infos())
    apis.emplace_back(std::string(info.name), std::string(info.summary));
  command.add(
      "Answers",
      {cli::value_option("api", "API",
                         "What is served: by the path of each request (auto), or one API alone.", o.api,
                         replay::parse_null_api)
           .one_of(std::move(apis))
           .shown_default("auto"),
       cli::value_option("service", "LAW", "Service times, as in exp,mean=5ms or gamma:cv=2,mean=5ms.",
                         o.service, replay::parse_service)
           .shown_default("none, answers come at once"),
       cli::value_option("servers", "N",
                         "Requests (with --batch, batches) served at a time, first come, first served; 0 is "
                         "all that come.",
                         o.servers, parse_count)
           .shown_default("1"),
       cli::value_option("batch", "RULE",
                         "Serve in batches, in place of --service: max=32,delay=2ms,base=3ms,per=0.2ms. A "
                         "batch starts when max requests wait or the oldest has waited for delay, and takes "
                         "base and per for each request.",
                         o.batch, replay::parse_batch),
       cli::value_option("sse", "RULE",
                         "Pace of tokens after the service: ttft=200ms,itl=20ms,chunk=1. The first event "
                         "comes after ttft, then one every itl, with chunk tokens each; an answer that is "
                         "not streamed comes with the last.",
                         o.sse, replay::parse_sse)
           .shown_default("all tokens at once"),
       cli::value_option("tokens", "N", "Tokens of an answer whose request has no max_tokens.", o.tokens,
                         parse_count)
           .shown_default("16"),
       cli::value_option("body-bytes", "SIZE",
                         "Body of an answer of the raw api; it is never held in memory.", o.body_bytes,
                         parse_size)
           .shown_default("16")});
}

void add_faults(cli::Command& command, replay::NullServerOptions& o) {
  command.add(
      "Faults",
      {cli::value_option("stall", "RULE",
                         "Stop once, as in at=5s,for=1s from the first request: what is due then waits until "
                         "the end of it, and no service is done.",
                         o.stall, replay::parse_stall),
       cli::value_option("error", "RULE",
                         "Turn requests away at once by chance, as in p=0.01,status=503; the status is 503 "
                         "unless it is said.",
                         o.error, replay::parse_error_rule),
       cli::value_option("reset", "P",
                         "Reset the connection by chance, as in p=0.01, where the answer would begin.",
                         o.reset, replay::parse_reset),
       cli::value_option("close-after", "N", "Close a connection with the answer to its Nth request.",
                         o.close_after, parse_count),
       cli::value_option("slow-read", "RATE", "Read a connection at this pace, as in 10kB/s.", o.read_rate,
                         replay::parse_byte_rate),
       cli::value_option("drip", "RATE", "Send answers at this pace, as in 10kB/s.", o.write_rate,
                         replay::parse_byte_rate),
       cli::flag("endless-headers", "Answer with headers that never end.", o.endless_headers),
       cli::flag("invalid-sse", "Cut the last token of a stream, and leave out its [DONE].", o.invalid_sse)});
}

}  // namespace

cli::Command serve_command() {
  const auto arguments = std::make_shared<replay::NullServerOptions>();
  replay::NullServerOptions& options = *arguments;
  cli::Command command;
  command.name = "serve";
  command.summary = "Serve answers whose times are known, to try senders on.";
  command.description =
      "A null server of the usual APIs with nothing behind it. Inferences (with the raw api every request) "
      "take service and are written as arrival records, with t_ns from the start of the server; health, "
      "metadata and lists of models are answered at once and are not written. Queueing is computed from "
      "absolute times, so that a client should measure what theory says.\n\n"
      "Service times and faults depend on --seed and the request's index: its header x-mlq-index, or else "
      "its "
      "place in the order of arrival. The run record, with the address in url, is passed on before the first "
      "request; with -o into a file it is seen at the end only. While nobody takes the records the server "
      "waits. Without --count and --duration a signal is how it ends, with exit status 0.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  add_listening(command, options);
  add_answers(command, options);
  add_faults(command, options);
  command.examples = {
      {"mlq-replay serve --listen 127.0.0.1:8000 --service exp,mean=5ms --duration 1s",
       "an M/M/1 queue, if arrivals are "
       "Poisson"},
      {"mlq-replay serve --sse ttft=200ms,itl=20ms --stall at=5s,for=1s --duration 1s",
       "a language model that stalls once"},
      {"mlq-replay serve --service fixed,mean=2ms --error p=0.01,status=429 --duration 1s",
       "one request in a hundred turned away"},
  };
  command.run = [arguments](Context& context) {
    arguments->seed = context.shared().seed;
    records::Writer writer = cli::open_writer_of_server(context);
    const uint64_t taken =
        replay::run_null_server(*arguments, cli::run_record(context), writer, &context.stop());
    if (context.wants_summary()) context.print(fmt::format("{} requests\n", taken));
    if (arguments->count == 0 && arguments->duration_ns == 0) context.stop().request(0);  // it was meant to
    return ExitKind::done;
  };
  return command;
}

}  // namespace mlq::tools
