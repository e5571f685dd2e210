#include "tools/mlq-tune/target.h"

#include <fmt/format.h>
#include <unistd.h>

#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/cli/launcher.h"
#include "lib/cli/provenance.h"
#include "lib/cli/secret.h"
#include "lib/replay/template.h"
#include "lib/tune/actuator/json.h"
#include "lib/tune/measure/machine.h"
#include "lib/tune/measure/measure_source.h"
#include "lib/tune/measure/replay_setup.h"
#include "lib/tune/preset/preset.h"

namespace mlq::tools {
namespace {

constexpr std::string_view kMlq = "mlq:";
constexpr std::string_view kPreset = "preset:";

std::string reveal(const std::string& text) { return cli::reveal(text, cli::process_environment()); }

// `NAME=VALUE`.
std::pair<std::string, std::string> parse_named(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0) throw usage_error("\"{}\" must be NAME=VALUE", text);
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

tune::Json parse_section(const std::string& text, const std::string& where) {
  std::string error;
  auto json = tune::Json::parse(text, error);
  if (!json) throw input_error("{}: no JSON: {}", where, error);
  return std::move(*json);
}

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// `$NAME` in the texts of the file's other sections stands for the same as in its actuator; $$ is a dollar.
std::string with_vars(std::string_view text, const tune::Json* vars, const std::string& where) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("$$") || text[0] != '$') {
      text.remove_prefix(text[0] == '$' ? 1 : 0);
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    size_t end = 1;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::string_view name = text.substr(1, end - 1);
    const tune::Json* value = vars == nullptr ? nullptr : vars->find(name);
    const auto* known = value == nullptr ? nullptr : value->as<std::string>();
    if (known == nullptr) throw input_error("{}: ${} is not in the actuator's \"vars\"", where, name);
    out += *known;
    text.remove_prefix(end);
  }
  return out;
}

void fill_vars(tune::Json& json, const tune::Json* vars, const std::string& where) {
  if (auto* text = json.as<std::string>()) *text = with_vars(*text, vars, where);
  if (auto* array = json.as<tune::Json::Array>())
    for (tune::Json& element : *array) fill_vars(element, vars, where);
  if (auto* object = json.as<tune::Json::Object>())
    for (auto& [name, value] : *object) fill_vars(value, vars, where + "." + name);
}

// A section of the file with the actuator's vars in it; empty if it has none.
std::string filled(const std::string& section, const tune::SpaceFile& file, const std::string& where) {
  if (section.empty()) return "";
  const tune::Json actuator = parse_section(file.actuator.empty() ? "{}" : file.actuator, where);
  tune::Json json = parse_section(section, where);
  fill_vars(json, actuator.find("vars"), where);
  return json.text();
}

// The file's load section: {"url":"$BASE/v2/..."}.
std::string load_url(const tune::SpaceFile& file, const std::string& where) {
  if (file.load.empty()) return "";
  const tune::Json load = parse_section(filled(file.load, file, where + ": load"), where);
  const tune::Json* url = load.find("url");
  const auto* text = url == nullptr ? nullptr : url->as<std::string>();
  if (text == nullptr) throw input_error("{}: load.url: it must be a text", where);
  for (const auto& [key, value] : *load.as<tune::Json::Object>())
    if (key != "url") throw input_error("{}: load.{}: there is no such key; there is url", where, key);
  return *text;
}

tune::SpaceFile preset_file(const std::string& name) {
  return tune::parse_space_file(tune::preset_text(name), "preset:" + name);
}

// What --space and --endpoint say together: knobs of the first that has any, the endpoint of the last.
struct Files {
  std::optional<tune::SpaceFile> space, endpoint;
  std::string space_path, endpoint_path;
};

Files read_files(const TargetArguments& a) {
  Files files;
  if (!a.space.empty()) {
    files.space = tune::read_space_file(a.space);
    files.space_path = a.space;
  }
  if (a.endpoint.starts_with(kPreset)) {
    files.endpoint = preset_file(a.endpoint.substr(kPreset.size()));
    files.endpoint_path = a.endpoint;
  } else if (!a.endpoint.empty() && !a.endpoint.starts_with(kMlq)) {
    files.endpoint = tune::read_space_file(a.endpoint);
    files.endpoint_path = a.endpoint;
  }
  if (!files.endpoint && files.space && !a.endpoint.starts_with(kMlq)) {
    files.endpoint = files.space;
    files.endpoint_path = files.space_path;
  }
  return files;
}

tune::ActuatorContext actuator_context(const std::string& where, const tune::Space* space,
                                       const Clock& clock) {
  tune::ActuatorContext context;
  context.where = where;
  context.reveal = reveal;
  context.clock = &clock;
  context.space = space;
  return context;
}

// The endpoint says itself what its knobs are.
Target mlq_target(const TargetArguments& a, const Files& files, cli::Context& context, const Clock& clock) {
  Target target;
  tune::MlqEndpoint endpoint = tune::parse_mlq_endpoint(std::string_view(a.endpoint).substr(kMlq.size()));
  const tune::ActuatorContext bare = actuator_context(a.endpoint, nullptr, clock);
  const tune::MlqSchema schema = tune::fetch_mlq_schema(endpoint, bare, context.stop());
  endpoint.model = schema.model;
  const tune::Space* narrow = files.space && files.space->space ? files.space->space.get() : nullptr;
  const tune::SchemaSpace found = tune::space_from_schema(schema.text, a.endpoint, narrow);
  target.endpoint.name = fmt::format("mlq:{}#{}", endpoint.admin_url, endpoint.model);
  target.endpoint.space = found.space;
  target.endpoint.settle_ns = found.settle_ns;
  if (files.space) {
    target.endpoint.safety = files.space->safety;
    target.endpoint.start = files.space->start;
    target.endpoint.levels = files.space->levels;
    target.measure = filled(files.space->measure, *files.space, files.space_path + ": measure");
    target.load_url = load_url(*files.space, files.space_path);
  }
  target.endpoint.actuator =
      tune::make_mlq_actuator(endpoint, actuator_context(a.endpoint, found.space.get(), clock));
  target.file = a.endpoint;
  return target;
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

tune::ReplaySetup load_setup(const LoadArguments& load, const http::Url& url, cli::Context& context) {
  tune::ReplaySetup setup;
  setup.client.url = url;
  for (const std::string& header : load.headers) {
    if (header.find(':') == header.npos || header.find_first_of("\r\n") != header.npos)
      throw usage_error("--header: it must be 'NAME: VALUE'");
    setup.client.headers.push_back(reveal(header));
  }
  setup.requests.api = load.api;
  setup.requests.target = url.target;
  if (!load.model.empty()) setup.requests.model = load.model;
  setup.requests.inputs = load.inputs;
  setup.requests.dims = load.dims;
  setup.requests.seed = context.shared().seed;
  if (load.body_file) setup.requests.body = read_file(*load.body_file);
  if (load.bodies_file) setup.requests.bodies = lines_of(read_file(*load.bodies_file));
  if (load.bodies_file && setup.requests.bodies.empty())
    throw input_error("{}: there is no body in it", *load.bodies_file);
  setup.load.sending.timeout_ns = load.timeout_ns;
  setup.load.same = load.same;
  setup.load.max_lag_ns = load.max_lag_ns;
  setup.speed = load.speed;
  setup.conns = load.conns;
  setup.max_inflight = load.max_inflight;
  return setup;
}

}  // namespace

void add_target(cli::Command& command, TargetArguments& a) {
  command.add(
      "Endpoint",
      {cli::text("space", "FILE",
                 "Knobs, and how the endpoint is set and measured: a space and endpoint file.", a.space)
           .file(),
       cli::text(
           "endpoint", "WHAT",
           "FILE, where it is not in the space file; mlq:URL[#MODEL], the admin address of mlq-serve or "
           "mlq-model, which says itself what its knobs are; or preset:NAME.",
           a.endpoint)
           .file()});
}

void add_load(cli::Command& command, LoadArguments& a) {
  std::vector<cli::Choice> apis;
  for (const auto& info : replay::api_infos())
    apis.emplace_back(std::string(info.name), std::string(info.summary));
  command.add(
      "Load",
      {cli::text("trace", "FILE", "Arrivals to send, a window a trial; - is standard input.", a.trace).file(),
       cli::value_option("url", "URL", "Where requests go: http, https, or unix:PATH[:/TARGET].", a.url,
                         http::parse_url)
           .shown_default("the file's load.url"),
       cli::text("api", "API", "Form of the requests; auto goes by the URL's path.", a.api)
           .shown_default("auto")
           .one_of(std::move(apis)),
       cli::text(
           "header", "'NAME: VALUE'",
           "A header of every request; @env:NAME and @file:PATH stand for secrets, and no value is recorded.",
           a.headers),
       cli::text("body", "FILE", "Body of every request; JSON is sent with that Content-Type.", a.body_file)
           .file(),
       cli::text("bodies", "FILE", "Bodies, one a line, taken in turn.", a.bodies_file).file(),
       cli::text("model", "NAME", "openai: name of the model.", a.model)
           .shown_default("the first of /v1/models"),
       cli::value_option("input", "NAME=HOW",
                         "kserve-v2, tf-serving: data of an input: random, zeros, seq or a JSON file.",
                         a.inputs, parse_named),
       cli::value_option(
           "dim", "NAME=N",
           "kserve-v2, tf-serving: size of an open dimension of an input; repeat it for the next one.",
           a.dims,
           [](std::string_view text) {
             auto [name, value] = parse_named(text);
             return std::pair(std::move(name), parse_count(value));
           }),
       cli::value_option("conns", "N", "Connections opened before the first window.", a.conns, parse_count)
           .shown_default("64"),
       cli::value_option("max-inflight", "N", "Cap on requests in flight, in all threads.", a.max_inflight,
                         cli::above_zero(parse_count))
           .shown_default("what ulimit -n allows, less 64"),
       cli::value_option("speed", "X", "Trace time over wall time: 2 sends twice as fast.", a.speed,
                         cli::above_zero(parse_ratio))
           .shown_default("1"),
       cli::value_option("timeout", "TIME", "From the send to the last byte.", a.timeout_ns,
                         cli::above_zero(parse_duration))
           .shown_default("10s"),
       cli::value_option("max-lag", "TIME",
                         "p99 of the sender's own lag that a window may have; beyond, it is void.",
                         a.max_lag_ns, parse_duration)
           .shown_default("1ms, or a quarter of the mean gap or of the statistic if that is longer"),
       cli::choice_option<bool>(
           "window-mode", "HOW",
           "walk: each window is the trace's next part, from the beginning again at its end; "
           "same: every window is its first part.",
           a.same, {{"walk", false}, {"same", true}})});
}

void add_window(cli::Command& command, WindowArguments& a) {
  cli::Option window;
  window.name = "window";
  window.value = "TIME|N";
  window.help = "Length of a window, or its number of requests.";
  window.default_text = "200 answers, for a p99 1,000; at least 3s, at most 60s";
  window.set = [&a](std::string_view text) {
    a.length_ns.reset();
    a.requests.reset();
    if (text.find_first_not_of("0123456789") == text.npos) {
      a.requests = parse_count(text);
      if (*a.requests == 0) throw usage_error("\"{}\" must be above 0", text);
    } else {
      a.length_ns = parse_duration(text);
      if (*a.length_ns == 0) throw usage_error("\"{}\" must be above 0", text);
    }
  };
  command.add("Windows",
              {std::move(window), cli::value_option("settle", "TIME", "Sent but not counted after a change.",
                                                    a.settle_ns, parse_duration)
                                      .shown_default("1s, or what the endpoint asks for if that is longer")});
}

void add_objective(cli::Command& command, ObjectiveArguments& a) {
  command.add(
      "Objective",
      {cli::text("slo", "TERMS",
                 "What must hold, as in 'p99<=50ms && error_rate<=1%'; the first statistic in it is what "
                 "latency makes small.",
                 a.slo),
       cli::text(
           "objective", "WHAT",
           "What is made small: latency; min-resource, the CPU time a request; or a weighted sum, as in "
           "weighted:w_l=1,w_v=2,w_r=0.5,w_c=0.",
           a.objective)
           .shown_default("latency")
           .suggest({"latency", "min-resource", "weighted:w_l=1,w_v=1,w_r=1"})});
}

void add_state(cli::Command& command, StateArguments& a) {
  command.add(
      "Journal",
      {cli::text("state", "FILE",
                 "The journal: decisions, trials and events, on disk before they are acted on.", a.file)
           .file(),
       cli::flag("state-reset", "Begin a new journal; the old one is kept as FILE.old.", a.reset)});
}

void add_tuner(cli::Command& command, tune::TunerOptions& o) {
  std::vector<cli::Choice> names;
  for (const tune::TunerInfo& info : tune::tuner_infos())
    names.emplace_back(std::string(info.name), std::string(info.text));
  command.add(
      "Tuner",
      {cli::text("tuner", "NAME", "Who chooses.", o.name).shown_default("rrl-a").one_of(std::move(names)),
       cli::text("estimators", "WHICH", "rrl-a: alt (both in turn), gp or forest.", o.estimators)
           .shown_default(o.estimators)
           .one_of({"alt", "gp", "forest"}),
       cli::text("wide", "WHEN",
                 "rrl-a: trials that look outside the region: forest, never, every:N, stale:N.", o.wide)
           .shown_default(o.wide)
           .suggest({"forest", "never", "every:3", "stale:4"}),
       cli::text("region", "HOW", "rrl-a: adaptive, fixed or none.", o.region)
           .shown_default(o.region)
           .one_of({"adaptive", "fixed", "none"}),
       cli::value_option("repeats", "N", "rrl-a: tries of a configuration while it explores.", o.repeats,
                         cli::above_zero(parse_count))
           .shown_default("2"),
       cli::value_option("finalists", "N", "rrl-a: configurations that are measured again at the end.",
                         o.finalists, cli::above_zero(parse_count))
           .shown_default("5"),
       cli::flag("safe", "rrl-a: only configurations that are expected to keep the objective.", o.safe),
       cli::value_option("kappa", "K", "rrl-a: how sure of it, in standard deviations.", o.kappa,
                         parse_double)
           .shown_default(fmt::format("{}", o.kappa)),
       cli::value_option("radius", "R", "rrl, rrl-region: of the region, in its metric.", o.radius,
                         cli::above_zero(parse_double))
           .shown_default("0.3"),
       cli::value_option("radius-steps", "K", "rrl, rrl-region: of the region, in steps of the grid.",
                         o.radius_steps, cli::above_zero(parse_double)),
       cli::value_option("alpha", "A", "rrl, rrl-region, noregion: weight of what is new.", o.alpha,
                         cli::above_zero(parse_double)),
       cli::flag("repo-exact", "rrl: as its published code, to the letter.", o.repo_exact),
       cli::flag("observed-correction", "rrl: what was tried is corrected by what was observed.",
                 o.observed_correction)});
}

tune::Objective make_objective(const ObjectiveArguments& a) {
  return tune::Objective::parse(a.objective, a.slo);
}

tune::TurnOptions turn_options(const WindowArguments& window) {
  tune::TurnOptions options;
  options.window.length_ns = window.length_ns;
  options.window.requests = window.requests;
  options.settle_ns = window.settle_ns;
  return options;
}

Target make_target(const TargetArguments& a, cli::Context& context, const Clock& clock) {
  if (a.space.empty() && a.endpoint.empty())
    throw usage_error(
        "--space or --endpoint is missing; which endpoint? mlq-tune init writes a file to begin with");
  const Files files = read_files(a);
  if (a.endpoint.starts_with(kMlq)) return mlq_target(a, files, context, clock);
  Target target;
  const tune::SpaceFile& file = *files.endpoint;
  target.file = files.endpoint_path;
  target.endpoint.space = files.space && files.space->space ? files.space->space : file.space;
  if (!target.endpoint.space) throw input_error("{}: knobs: there are none", target.file);
  if (file.actuator.empty())
    throw input_error("{}: actuator: it is missing; how is a configuration set?", files.endpoint_path);
  target.endpoint.name = file.name.empty() ? files.endpoint_path : file.name;
  target.endpoint.safety = file.safety;
  target.endpoint.start = file.start ? file.start : files.space ? files.space->start : std::nullopt;
  target.endpoint.levels = file.levels.empty() ? "rate" : file.levels;
  tune::ActuatorContext actuator =
      actuator_context(files.endpoint_path + ": actuator", target.endpoint.space.get(), clock);
  actuator.pid_file = files.endpoint_path.starts_with(kPreset) ? "" : files.endpoint_path + ".pid";
  target.endpoint.actuator = tune::make_actuator(file.actuator, actuator);
  const tune::ActuatorFacts facts = target.endpoint.actuator->facts();
  target.endpoint.settle_ns = facts.settle_ns.value_or(0);
  target.endpoint.warmup_requests = facts.warmup_requests;
  target.unverified = facts.unverified;
  target.measure = filled(file.measure, file, files.endpoint_path + ": measure");
  target.load_url = load_url(file, files.endpoint_path);
  return target;
}

void check_files(const TargetArguments& a, cli::Context& context, const Clock& clock) {
  const Files files = read_files(a);
  if (a.endpoint.starts_with(kMlq) || !files.endpoint || files.endpoint->actuator.empty()) return;
  const Target target = make_target(a, context, clock);
  const std::optional<tune::Config>& start = target.endpoint.start;
  if (!start) return;
  const tune::Space& space = *target.endpoint.space;
  const tune::PointId nearest = space.nearest(*start);
  for (const auto& [name, value] : space.config(nearest)) {
    const auto wanted =
        std::find_if(start->begin(), start->end(), [&](const auto& k) { return k.first == name; });
    if (wanted != start->end() && !tune::same_value(wanted->second, value))
      context.warn(fmt::format("{}: start: {} is no value of {}; the nearest is {}", target.file,
                               serve::knob_text(wanted->second), name, serve::knob_text(value)));
  }
}

namespace {

// A server that runs only once a configuration is set: the load's source must ask it what requests look like.
// `dead`: one that runs does not answer, as where it was being started when the run before was killed.
bool start_server(const Target& target, bool dead, cli::Context& context) {
  tune::Actuator& actuator = *target.endpoint.actuator;
  if (!actuator.starts_server() || !target.endpoint.start) return false;
  if (!dead && actuator.read(context.stop())) return false;
  const tune::Space& space = *target.endpoint.space;
  const tune::Config& start = *target.endpoint.start;
  const tune::Applied applied = actuator.apply(space.config(space.nearest(start), start), context.stop());
  if (applied.result != tune::ApplyResult::applied)
    throw environment_error("{}: the start configuration cannot be set: {}", target.endpoint.name,
                            applied.note);
  return true;
}

}  // namespace

void add_source(Target& target, const LoadArguments& load, tune::Objective& objective, cli::Context& context,
                const Clock& clock, records::Run& run, bool dry) {
  objective.set_most_errors(target.endpoint.safety.error_rate);
  if (load.trace.empty()) {
    if (target.measure.empty())
      throw usage_error(
          "--trace is missing, and the endpoint file has no \"measure\"; what is to be measured?");
    if (!dry) start_server(target, false, context);
    target.endpoint.source = tune::make_measure_source(target.measure, target.file + ": measure", objective,
                                                       clock, reveal, context.stop());
    return;
  }
  if (!load.url && target.load_url.empty())
    throw usage_error("--url is missing; where are the requests to go?");
  tune::ReplaySetup setup =
      load_setup(load, load.url ? *load.url : http::parse_url(target.load_url), context);
  if (!target.endpoint.actuator->gen_header().empty())
    setup.gen_header = target.endpoint.actuator->gen_header();
  tune::Actuator* actuator = target.endpoint.actuator.get();
  setup.load.server_use = [actuator]() -> std::optional<tune::ServerUse> {
    const int pid = actuator->server_pid();
    return pid > 0 ? tune::process_tree_use(pid) : std::nullopt;
  };
  setup.start_server = [&](bool dead) { return start_server(target, dead, context); };
  records::ReaderOptions reading;
  reading.strict = context.shared().strict;
  reading.allow_truncated = context.shared().allow_truncated;
  reading.stop = &context.stop();
  records::Reader trace(load.trace, reading);
  if (dry)
    target.endpoint.source = tune::make_planned_source(setup, objective, trace, clock);
  else
    target.endpoint.source =
        tune::make_replay_source(setup, objective, trace, clock, context.stop(),
                                 [&context](const std::string& message) { context.note(message); });
  if (!trace.runs().empty()) run.inputs = records::RawJson{trace.runs_json()};
}

std::shared_ptr<const tune::Space> make_space(const TargetArguments& a, cli::Context& context) {
  if (a.endpoint.starts_with(kMlq)) {
    const SteadyClock clock;
    return make_target(a, context, clock).endpoint.space;
  }
  if (a.space.empty() && a.endpoint.empty())
    throw usage_error("--space is missing; which knobs? mlq-tune init writes a file to begin with");
  const Files files = read_files(a);
  const auto space = files.space && files.space->space ? files.space->space : files.endpoint->space;
  if (!space) throw input_error("{}: knobs: there are none", files.endpoint_path);
  return space;
}

tune::PointId start_point(const TargetArguments& a, const tune::Space& space, cli::Context& /*context*/) {
  const Files files = read_files(a);
  for (const auto* file : {&files.space, &files.endpoint})
    if (*file && (*file)->start) return space.nearest(*(*file)->start);
  return space.middle();
}

std::unique_ptr<tune::Journal> open_journal(const StateArguments& a, const std::string& command,
                                            const tune::Space& space, cli::Context& context) {
  if (a.file.empty()) {
    if (a.reset) throw usage_error("--state-reset needs --state FILE");
    return nullptr;
  }
  tune::JournalOptions options;
  options.path = a.file;
  options.command = command;
  options.space_xxh3 = space.xxh3();
  options.reset = a.reset;
  options.now_unix_ns = unix_now_ns();
  return std::make_unique<tune::Journal>(options,
                                         [&context](const std::string& message) { context.warn(message); });
}

records::Run tune_run(cli::Context& context, const tune::Endpoint& endpoint,
                      const ObjectiveArguments& objective, const std::string& fingerprint) {
  records::Run run = cli::run_record(context);
  run.argv = cli::redact(std::move(run.argv));
  run.endpoint = endpoint.name;
  run.space_xxh3 = endpoint.space->xxh3();
  if (!fingerprint.empty()) run.server_fingerprint = fingerprint;
  if (!objective.slo.empty()) run.slo = objective.slo;
  run.objective = objective.objective;
  run.start_unix_ns = unix_now_ns();
  return run;
}

}  // namespace mlq::tools
