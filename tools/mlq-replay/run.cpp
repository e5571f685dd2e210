// mlq-replay run: from what was typed to a run.
#include <fmt/format.h>

#include <memory>

#include "lib/cli/launcher.h"
#include "lib/cli/provenance.h"
#include "lib/cli/secret.h"
#include "lib/replay/run.h"
#include "tools/mlq-replay/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Option;
using cli::Shared;
using Arity = cli::Positional::Arity;

// Options of `run` as they are typed; what they come to is a replay::RunOptions.
struct RunArguments {
  std::string file = "-";
  std::optional<http::Url> url;
  std::string host;
  std::vector<std::string> headers;
  std::optional<std::string> body_file;
  std::optional<std::string> bodies_file;
  std::optional<std::string> shard;
  std::string proxy;
  bool require_valid = false;
  replay::RunOptions options;
  replay::WindowOptions window;
};

// `NAME=VALUE`.
template <class Parse>
auto named(Parse parse) {
  return [parse](std::string_view text) {
    const size_t equals = text.find('=');
    if (equals == text.npos || equals == 0) throw usage_error("\"{}\" must be NAME=VALUE", text);
    return std::pair(std::string(text.substr(0, equals)), parse(text.substr(equals + 1)));
  };
}

void add_endpoint(cli::Command& command, RunArguments& a) {
  http::ClientConfig& c = a.options.client;
  using http::Version;
  command.add(
      "Endpoint",
      {cli::value_option("url", "URL", "Where requests go: http, https, or unix:PATH[:/TARGET].", a.url,
                         http::parse_url),
       cli::text("host", "NAME", "Host header, where it is not that of the URL.", a.host),
       cli::text(
           "header", "'NAME: VALUE'",
           "A header of every request; @env:NAME and @file:PATH stand for secrets, and no value is recorded.",
           a.headers),
       cli::choice_option<Version>(
           "http", "VERSION",
           "HTTP version: 2 where the TLS handshake agrees to it, 2-prior from the first byte.", c.version,
           {{"1.1", Version::http1_1}, {"2", Version::http2}, {"2-prior", Version::http2_prior}}),
       cli::flag("insecure", "Do not check the server's certificate.", c.insecure),
       cli::text("cacert", "FILE", "Certificates to trust instead of the system's.", c.cacert).file(),
       cli::text("proxy", "URL", "Send through this proxy; those of the environment are never used.",
                 a.proxy),
       cli::flag("follow", "Follow redirects.", c.follow)});
}

void add_requests(cli::Command& command, RunArguments& a) {
  replay::TemplateOptions& t = a.options.requests;
  using replay::Check;
  std::vector<cli::Choice> apis;
  for (const auto& info : replay::api_infos())
    apis.emplace_back(std::string(info.name), std::string(info.summary));
  const auto as_text = [](std::string_view text) { return std::string(text); };
  const std::string raw = "Requests (api raw)";
  const std::string models = "Requests (model APIs)";
  command.add(
      "Requests",
      {cli::text("api", "API", "Form of the requests; auto goes by the URL's path.", t.api)
           .shown_default("auto")
           .one_of(std::move(apis)),
       cli::choice_option<Check>(
           "check", "WHAT",
           "What makes an answer ok: that it is whole, a status of 2xx, or also the JSON that "
           "the API answers with.",
           t.check, {{"none", Check::none}, {"status", Check::status}, {"json", Check::json}}),
       cli::flag("tag", "Send each request's index as x-mlq-index.", a.options.sending.tag),
       cli::flag("send-deadline", "Send each arrival's deadline_ns as x-mlq-timeout.",
                 a.options.sending.send_deadline),
       cli::flag("retry", "Also send a POST again when a kept connection turns out dead, as is done for GET.",
                 a.options.sending.retry)});
  command.add(
      raw,
      {cli::text("method", "WORD", "HTTP method.", t.method).shown_default("GET; POST with a body"),
       cli::text("body", "FILE", "Body of every request; JSON is sent with that Content-Type.", a.body_file)
           .file(),
       cli::text("bodies", "FILE", "Bodies, one a line, taken in turn.", a.bodies_file).file(),
       cli::value_option("body-bytes", "SIZE", "Bodies of so many bytes, drawn from the seed.", t.body_bytes,
                         parse_size)});
  command.add(
      models,
      {cli::text("model", "NAME", "openai: name of the model.", t.model)
           .shown_default("the first of /v1/models"),
       cli::value_option("dim", "NAME=N",
                         "kserve-v2, tf-serving: size of an open dimension of an input; repeat it for the "
                         "next one.",
                         t.dims, named(parse_count)),
       cli::value_option("input", "NAME=HOW",
                         "kserve-v2, tf-serving: data of an input: random, zeros, seq or a JSON file.",
                         t.inputs, named(as_text)),
       cli::flag("no-stream", "openai: ask for the answer in one piece.", t.stream, false),
       cli::flag("ignore-eos", "openai: answers of full length (vLLM).", t.ignore_eos),
       cli::choice_option<bool>("prompt-as", "FORM", "openai-completions: the prompt as text or token ids.",
                                t.prompt_ids, {{"text", false}, {"ids", true}}),
       cli::value_option("tokens-per-word", "X", "openai: tokens that a word of filler text has.",
                         t.tokens_per_word, cli::above_zero(parse_double))
           .shown_default("measured by two short requests before the start")});
}

constexpr uint64_t kMostThreads = 1024;

uint32_t parse_threads(std::string_view text) {
  const uint64_t threads = parse_count(text);
  if (threads == 0 || threads > kMostThreads)
    throw usage_error("\"{}\" must be from 1 to {}", text, kMostThreads);
  return static_cast<uint32_t>(threads);
}

// `none`, or a time.
int64_t parse_clock_error(std::string_view text) {
  return text == "none" ? replay::StartOptions::kAnyClockError : parse_duration(text);
}

void parse_warmup(std::string_view text, replay::RunOptions& options) {
  if (text.find_first_not_of("0123456789") == text.npos && text != "0") {
    options.warmup_requests = parse_count(text);
  } else {
    options.sending.warmup_ns = parse_duration(text);
  }
}

void add_sending(cli::Command& command, RunArguments& a) {
  replay::RunOptions& o = a.options;
  using replay::OnCap;
  using replay::Priority;
  Option warmup;
  warmup.name = "warmup";
  warmup.value = "TIME|N";
  warmup.help = "Leave requests due before TIME out of the summary; or send N requests before the start.";
  warmup.default_text = "0";
  warmup.set = [&o](std::string_view text) { parse_warmup(text, o); };
  command.add(
      "Sending",
      {cli::value_option("speed", "X", "Trace time over wall time: 2 sends twice as fast.", o.reading.speed,
                         cli::above_zero(parse_ratio))
           .shown_default("1"),
       cli::value_option("threads", "N", "Sending threads; one that is over 80% busy needs company.",
                         o.reading.rule.threads, parse_threads)
           .shortened('j')
           .shown_default("1"),
       cli::value_option("conns", "N", "Connections opened before the start, in all threads.", o.conns,
                         parse_count)
           .shown_default("64; 1 with HTTP/2"),
       cli::value_option("max-inflight", "N", "Cap on requests in flight, in all threads.", o.max_inflight,
                         cli::above_zero(parse_count))
           .shown_default("what ulimit -n allows, less 64"),
       cli::choice_option<OnCap>(
           "on-cap", "WHAT", "At the cap: wait and count it, drop the request, or stop.", o.sending.on_cap,
           {{"queue", OnCap::queue}, {"drop", OnCap::drop}, {"abort", OnCap::abort}}),
       std::move(warmup),
       cli::text("warm", "TARGET", "GET this path to open connections.", o.warm_target)
           .shown_default("the API's health path; raw has none"),
       cli::choice_option<Priority>("rt", "HOW", "Priority of the sending threads.", o.priority,
                                    {{"auto", Priority::automatic},
                                     {"fifo", Priority::fifo},
                                     {"nice", Priority::nice},
                                     {"off", Priority::off}}),
       cli::flag("dry-run", "Open no socket: the lag that this machine can hold.", o.dry_run)});
  command.add(
      "Time limits",
      {cli::value_option("connect-timeout", "TIME", "To open a connection.", o.client.connect_timeout_ns,
                         cli::above_zero(parse_duration))
           .shown_default("5s"),
       cli::value_option("first-byte-timeout", "TIME", "From the send to the first byte.",
                         o.sending.first_byte_timeout_ns, cli::above_zero(parse_duration))
           .shown_default("none"),
       cli::value_option("idle-timeout", "TIME", "Between two pieces of an answer.",
                         o.sending.idle_timeout_ns, cli::above_zero(parse_duration))
           .shown_default("none"),
       cli::value_option("timeout", "TIME", "From the send to the last byte.", o.sending.timeout_ns,
                         cli::above_zero(parse_duration))
           .shown_default("60s"),
       cli::value_option("grace", "TIME", "Wait after the last due time; what is left then is censored.",
                         o.sending.grace_ns, parse_duration)
           .shown_default("30s")});
}

void add_shards(cli::Command& command, RunArguments& a) {
  replay::RunOptions& o = a.options;
  Option start;
  start.name = "start-at";
  start.value = "WHEN";
  start.help =
      "When t_ns = 0 is: 2026-01-02T03:04:05Z, +30s, or @FILE, which the first process makes; under MPI, "
      "when all ranks have met.";
  start.default_text = "now";
  start.set = [&o](std::string_view text) {
    const int64_t most = o.start.max_clock_error_ns;
    o.start = replay::parse_start(text);
    o.start.max_clock_error_ns = most;
  };
  command.add(
      "Several processes",
      {cli::text("shard", "K/N",
                 "Send part K, from 0, of N parts; auto asks the launcher for both, auto/N for K.", a.shard)
           .shown_default("0/1"),
       std::move(start),
       cli::value_option("max-clock-error", "TIME",
                         "With N > 1 and a start by the clock, a wall clock known no better than this "
                         "is an error; none: start all the same, as on one machine.",
                         o.start.max_clock_error_ns, parse_clock_error)
           .shown_default("10ms")});
}

void add_measuring(cli::Command& command, RunArguments& a) {
  replay::RunOptions& o = a.options;
  Option slo;
  slo.name = "slo";
  slo.value = "TERMS";
  slo.help =
      "Objective, as in 'p99<=50ms && ttft<=200ms'; terms on each request say what is good, the others what "
      "is exit status 1.";
  slo.set = [&o](std::string_view text) {
    o.sending.slo = stats::parse_slo(text);
    o.slo_text = stats::slo_text(o.sending.slo);
  };
  command.add("Measuring",
              {std::move(slo),
               cli::value_option("window", "TIME", "Windows of this length, by due time.", a.window.window_ns,
                                 cli::above_zero(parse_duration))
                   .shown_default("none"),
               cli::value_option("window-n", "N", "Windows of this many consecutive requests.",
                                 a.window.window_n, cli::above_zero(parse_count))
                   .shown_default("none"),
               cli::value_option("window-wait", "TIME", "Time for answers after a window's end.",
                                 a.window.wait_ns, parse_duration)
                   .shown_default("a window"),
               cli::value_option("results", "WHICH", "Which result records: all, errors, none, sample:SHARE.",
                                 o.results, replay::parse_result_filter)
                   .shown_default("all")
                   .suggest({"all", "errors", "none", "sample:1%"}),
               cli::choice_option<bool>("itl", "HOW", "full: itl_ns in each result.", o.sending.keep_gaps,
                                        {{"summary", false}, {"full", true}}),
               cli::value_option("stall-factor", "X", "A gap over so many medians is a stall.",
                                 o.requests.stall_factor, cli::above_zero(parse_double))
                   .shown_default("5"),
               cli::value_option("max-lag", "TIME", "p99 of the lag that a valid run may have.", o.max_lag_ns,
                                 parse_duration)
                   .shown_default("1ms, or 5% of the mean gap if that is longer"),
               require_valid_option(a.require_valid),
               cli::value_option("buffer", "SIZE", "Rendered requests ahead of their time.",
                                 o.reading.buffer_bytes, parse_size)
                   .shown_default("256MiB"),
               cli::value_option("record-buffer", "SIZE", "Results on their way to the output.",
                                 o.record_bytes, parse_size)
                   .shown_default("64MiB")});
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// Of any scheme that libcurl has for proxies. What is wrong is not shown, since it may hold a password.
void check_proxy(std::string_view proxy) {
  if (proxy.empty()) return;
  const size_t scheme = proxy.find("://");
  try {
    http::parse_url("http://" + std::string(proxy.substr(scheme == proxy.npos ? 0 : scheme + 3)));
  } catch (const Error&) {
    throw usage_error("--proxy: it is no URL; write it as in http://127.0.0.1:3128");
  }
}

// From what was typed to what is run.
void complete(RunArguments& a, const Context& context) {
  replay::RunOptions& o = a.options;
  const cli::Environment environment = cli::process_environment();
  if (!a.url && !o.dry_run) throw usage_error("--url is missing; where are the requests to go?");
  o.client.url = a.url.value_or(http::parse_url("http://localhost/"));
  o.client.proxy = cli::reveal(a.proxy, environment);
  check_proxy(o.client.proxy);
  if (a.host.find_first_of(" \t\r\n") != a.host.npos) throw usage_error("--host: it must be one word");
  if (!a.host.empty()) o.client.headers.push_back("Host: " + a.host);
  for (const std::string& header : a.headers) {
    if (header.find(':') == header.npos || header.find_first_of("\r\n") != header.npos) {
      throw usage_error("--header: it must be 'NAME: VALUE'");
    }
    o.client.headers.push_back(cli::reveal(header, environment));
  }
  o.requests.target = o.client.url.target;
  o.requests.seed = o.results.seed = o.seed = context.shared().seed;
  if (a.body_file) o.requests.body = read_file(*a.body_file);
  if (a.bodies_file) o.requests.bodies = lines_of(read_file(*a.bodies_file));
  if (a.bodies_file && o.requests.bodies.empty())
    throw input_error("{}: there is no body in it", *a.bodies_file);
  if (a.window.window_ns > 0 && a.window.window_n > 0)
    throw usage_error("--window and --window-n exclude each other");
  if (a.window.window_ns > 0 || a.window.window_n > 0) o.sending.windows = a.window;
  const cli::ShardChoice choice = cli::choose_shard(a.shard, environment);
  o.reading.rule.shard = o.sending.shard = choice.shard;
  o.reading.rule.shards = choice.shards;
  o.start.common = choice.shards > 1;
  if (choice.may_be_mpi && o.start.kind == replay::StartOptions::Kind::now)
    o.start.kind = replay::StartOptions::Kind::mpi;
}

// `%k` in a path is the shard's number.
std::string path_of_shard(std::string path, const cli::ShardChoice& choice) {
  for (size_t at = path.find("%k"); at != path.npos; at = path.find("%k", at)) {
    path.replace(at, 2, std::to_string(choice.shard));
  }
  return path;
}

ExitKind send_trace(RunArguments& a, Context& context) {
  complete(a, context);
  const cli::ShardChoice choice = cli::choose_shard(a.shard, cli::process_environment());
  std::string& output = context.shared().output;
  if (choice.shares_stdout && output.find("%k") == output.npos) {
    throw usage_error("all ranks share standard output; say -o with %k in it, as in -o part-%k.jsonl");
  }
  output = path_of_shard(output, choice);
  records::Reader trace(a.file, reader_options(context));
  records::Run run = cli::run_record(context);
  run.argv = cli::redact(std::move(run.argv));
  records::Writer writer = cli::open_writer(context);
  context.keep_output();
  const replay::RunOutcome outcome = replay::run_replay(
      a.options, trace, std::move(run), writer, context.stop(),
      [&context](const std::string& message) { context.note(message); },
      [&context](uint64_t done) { context.progress([done] { return fmt::format("{} requests", done); }); });
  if (outcome.summaries.empty()) return ExitKind::done;  // interrupted before the start
  if (context.wants_summary()) print_summaries(context, outcome.summaries);
  const records::Summary& all = outcome.summaries.front();
  if (!all.valid) context.warn(fmt::format("the run is not valid: {}", all.why.value_or("")));
  const bool asked = a.require_valid || !a.options.slo_text.empty();
  if (asked && all.planned == 0 && !context.stop()) {
    context.warn("no request counts, which is no answer; is --warmup longer than the trace?");
    return ExitKind::answer_no;
  }
  return outcome.cap_aborted ? ExitKind::answer_no : answer(all, a.require_valid);
}

}  // namespace

cli::Command run_command() {
  const auto arguments = std::make_shared<RunArguments>();
  RunArguments& a = *arguments;
  cli::Command command;
  command.name = "run";
  command.summary = "Send a trace and measure what comes of it.";
  command.description =
      "Every request is sent at its due time, whatever became of those before it (open loop), and its "
      "latency counts from that time: a server that stalls cannot silence the load. Writes one result a "
      "request, then hist, outcome and summary records.\n\n"
      "Errors of the endpoint are data and leave the exit status 0; it is 1 if an aggregate term of --slo is "
      "missed, and 4 if no connection could be opened before the start. The summary says whether the run is "
      "valid, that is, whether the sender kept its plan.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.positionals = {
      cli::file_positional("TRACE", Arity::optional, "The trace; - is standard input.", a.file)};
  add_endpoint(command, a);
  add_requests(command, a);
  add_sending(command, a);
  add_measuring(command, a);
  add_shards(command, a);
  command.examples = {
      {"mlq-loadgen gen poisson --rate 200/s --duration 2s | mlq-replay run --url http://127.0.0.1:8000/ "
       "--results none --summary >summary.jsonl",
       "a Poisson load, and what came of it as a table"},
      {"mlq-replay run --url http://127.0.0.1:8000/v1/chat/completions --slo 'p99(ttft)<=500ms' trace.jsonl "
       "-o run.jsonl",
       "token streams against an objective"},
      {"mlq-loadgen gen deterministic --rate 1k/s --duration 2s | mlq-replay run --dry-run --results none | "
       "jq 'select(.type==\"summary\") | .lag_p99_ns'",
       "the lag that this machine can hold"},
  };
  command.run = [arguments](Context& context) { return send_trace(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
