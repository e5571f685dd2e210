// mlq-model run: serve a model.
#include <fmt/format.h>

#include <memory>
#include <thread>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/http/listen_address.h"
#include "lib/serve/control/admin.h"
#include "lib/serve/model/serve.h"
#include "tools/mlq-model/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

constexpr int64_t kSecond = 1'000'000'000;

struct RunArguments {
  ModelArguments model;
  std::string name;
  std::string listen = "127.0.0.1:8001";
  std::string admin = "127.0.0.1:8003";
  std::string token_file;
  std::vector<std::string> knobs;
  serve::model::ServeOptions options;
};

// The defaults, with what --set says.
serve::model::ServeKnobs parse_knobs(const std::vector<std::string>& settings, serve::model::Backend backend,
                                     unsigned cores) {
  const auto table = serve::model::serve_knob_table(backend, cores);
  const serve::KnobRows rows = table.rows();
  std::vector<serve::KnobValue> values = rows.defaults();
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    if (equals == setting.npos) throw usage_error("--set: \"{}\" must be KNOB=VALUE", setting);
    const auto refused = rows.set(std::string_view(setting).substr(0, equals),
                                  std::string_view(setting).substr(equals + 1), values);
    if (refused) throw usage_error("--set: {}", refused->message);
  }
  if (const auto refused = rows.check(values)) throw usage_error("--set: {}", refused->message);
  return table.options(values);
}

// Limits as a server needs that anybody may reach.
http::ServerOptions server_options(const http::ListenAddress& address) {
  http::ServerOptions options = address.server_options();
  options.max_header_bytes = 16 * 1024;
  options.max_target_bytes = 8 * 1024;
  options.max_body_bytes = uint64_t{16} << 20;
  options.max_connections = 10'000;
  options.header_timeout_ns = 5 * kSecond;
  options.idle_timeout_ns = options.send_timeout_ns = 60 * kSecond;
  options.min_body_rate = 16 * 1024;
  return options;
}

void complete(RunArguments& a, const Context& context) {
  serve::model::ServeOptions& o = a.options;
  const serve::model::Backend backend = chosen_backend(a.model);
  o.listen = server_options(http::parse_listen_address(a.listen));
  if (a.admin != "off") {
    const http::ListenAddress address = http::parse_listen_address(a.admin);
    o.admin = server_options(address);
    if (!a.token_file.empty()) o.admin_token = serve::read_token_file(a.token_file);
    if (o.admin_token.empty() && !address.loopback()) {
      throw usage_error(
          "--admin {}: others than this machine can reach it; give it --admin-token-file, or listen on "
          "127.0.0.1",
          a.admin);
    }
  }
  const std::string own =
      a.model.model == kDigits ? std::string(kDigits) : std::string(serve::model::backend_info(backend).name);
  o.model.name = a.name.empty() ? own : a.name;
  if (o.model.name.find_first_of("/?#: \t\r\n") != std::string::npos)
    throw usage_error("--name: \"{}\" cannot stand in a path", o.model.name);
  o.model.program_version = context.program().version;
  o.model.backend = backend;
  o.model.seed = context.shared().seed;
  o.model.cores = std::max(1u, std::thread::hardware_concurrency());
  o.model.knobs = parse_knobs(a.knobs, backend, o.model.cores);
}

ExitKind serve_until_stopped(RunArguments& a, Context& context) {
  complete(a, context);
  serve::model::ModelMaker maker = make_models(a.model);
  records::Writer writer = cli::open_writer_of_server(context);
  context.keep_output();
  const auto outcome = serve::model::serve_model(a.options, std::move(maker), cli::run_record(context),
                                                 writer, context.stop());
  if (context.wants_summary()) context.print(format_count(outcome.requests, "request") + '\n');
  if (outcome.lost == 0) return ExitKind::done;
  context.warn(fmt::format("{} had no answer when the drain ended", format_count(outcome.lost, "request")));
  return ExitKind::answer_no;
}

}  // namespace

cli::Command run_command() {
  const auto arguments = std::make_shared<RunArguments>();
  RunArguments& a = *arguments;
  cli::Command command;
  command.name = "run";
  command.summary = "Serve a model.";
  command.description =
      "Serves the Open Inference Protocol v2 (JSON and binary tensors), KServe's v1, and POST /predict with "
      "{\"rows\":[..]}, until a signal or --duration. Requests of all clients share batches. What is sent to "
      "the "
      "data address while the queue is full gets 503.\n\n"
      "The run record, with the address in url, is passed on before the first request; with -o into a file "
      "it is seen at the end only.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  std::vector<cli::Option> model = model_options(a.model);
  model.push_back(
      cli::flag("echo", "noop and sleep: answer with the first value of each row as tag.", a.model.echo));
  model.push_back(cli::text("name", "NAME", "The model's name in requests.", a.name)
                      .shown_default("digits, or the back end's"));
  cli::Option set = cli::text("set", "KNOB=VALUE", "Set a knob; see KNOBS in the man page.", a.knobs);
  model.push_back(std::move(set));
  command.add("Model", std::move(model));
  command.add(
      "Serving",
      {cli::text("listen", "ADDRESS", "Where: HOST:PORT or unix:PATH; port 0 is any free one.", a.listen)
           .shown_default("127.0.0.1:8001"),
       cli::text("admin", "ADDRESS", "Where metrics and knobs are, or off.", a.admin)
           .shown_default("127.0.0.1:8003"),
       cli::text("admin-token-file", "FILE",
                 "The bearer token that the admin interface asks for; needed where others than this machine "
                 "can reach it.",
                 a.token_file)
           .file(),
       cli::value_option("duration", "TIME", "End after this time.", a.options.duration_ns,
                         cli::above_zero(parse_duration)),
       cli::value_option("drain-timeout", "TIME", "Time at the end for what was taken in.",
                         a.options.drain_timeout_ns, parse_duration)
           .shown_default("30s")});
  command.examples = {
      {"mlq-model run --model digits --listen 127.0.0.1:8001 --admin off --duration 1s",
       "digits; without --duration until Ctrl-C"},
      {"mlq-model run --backend sleep --listen 127.0.0.1:0 --admin 127.0.0.1:0 --set base_ns=2ms --set "
       "per_row_ns=10us --set instances=2 --duration 1s",
       "two instances that take 2 ms and 10 us for each row"},
      {"mlq-model run --backend noop --echo --listen unix:model.sock --admin off --duration 1s",
       "the tags of requests come back"},
  };
  command.run = [arguments](Context& context) { return serve_until_stopped(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
