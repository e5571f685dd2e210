// mlq-serve check: ask every replica whether it can be served, and batched.
#include <fmt/format.h>

#include <memory>

#include "lib/base/io.h"
#include "lib/cli/provenance.h"
#include "lib/http/curl_engine.h"
#include "lib/jsonl/object.h"
#include "lib/records/serve_schema.h"
#include "lib/serve/gateway/metadata.h"
#include "lib/serve/protocol/merge.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"
#include "lib/serve/protocol/split.h"
#include "tools/mlq-serve/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

constexpr int64_t kTimeoutNs = 10'000'000'000;

struct CheckArguments {
  ModelArguments models;
  std::string row_file;
};

class Checker {
 public:
  Checker(const CheckArguments& arguments, records::Writer& writer) : writer_(writer) {
    if (!arguments.row_file.empty()) {
      row_ = read_file(arguments.row_file);
      row_.reserve(row_.size() + http::kBodyPadding);
    }
  }

  // False if a replica is not ready, or cannot be batched although that is asked for.
  bool model(const serve::ModelConfig& config) {
    bool all_ready = true, batchable = true;
    std::string note;
    const auto down = [&](const std::string& why) {
      if (why.empty()) return;
      all_ready = batchable = false;
      if (note.empty()) note = "a replica is not ready";
    };
    for (size_t k = 0; k < config.replicas.size(); ++k) {
      const std::string why = replica(config, config.replicas[k], batchable, note);
      writer_.write(records::Replica{0, config.name, static_cast<uint32_t>(k), config.replicas[k],
                                     why.empty() ? "up" : "down",
                                     why.empty() ? std::nullopt : std::optional(why)});
      down(why);
    }
    writer_.write(records::ServedModel{0, config.name, std::string(serve::dialect_name(config.dialect)),
                                       batchable, note.empty() ? std::nullopt : std::optional(note)});
    return all_ready && (batchable || config.batchable == serve::Batchable::no || !config.idempotent);
  }

 private:
  // Empty if it is ready, or why not.
  std::string replica(const serve::ModelConfig& config, const std::string& url, bool& batchable,
                      std::string& note) {
    client_.url = http::parse_url(url);
    client_.headers = {"Content-Type: application/json"};
    prefix_ = client_.url.target == "/" ? "" : client_.url.target;
    const http::FetchedReply health = get("/v2/health/ready");
    if (health.status == 0) return health.end.note;
    if (health.status >= 300 && health.status != 404)
      return fmt::format("/v2/health/ready answers {}", health.status);
    serve::Metadata metadata;
    if (config.dialect == serve::Dialect::v2) {
      const std::string path = "/v2/models/" + config.upstream_name;
      const http::FetchedReply reply = get(path);
      if (reply.status != 200) return fmt::format("{} answers {}", path, reply.status);
      metadata = serve::read_metadata(reply.body);
    }
    decide(config, metadata, batchable, note);
    return row_.empty() ? std::string() : answers(config, metadata, batchable, note);
  }

  static void decide(const serve::ModelConfig& config, const serve::Metadata& metadata, bool& batchable,
                     std::string& note) {
    if (!config.idempotent) {
      batchable = false;
      note = "it is not idempotent";
      return;
    }
    if (config.batchable == serve::Batchable::yes) return;
    if (config.batchable == serve::Batchable::automatic && metadata.open_rows) return;
    batchable = false;
    note = config.batchable == serve::Batchable::no ? "the configuration says so"
           : metadata.known                         ? metadata.why_not
                            : "it has no metadata that can be read; say \"batchable\": \"yes\"";
  }

  // The row alone, then twice in one batch: both answers must be what it got alone.
  std::string answers(const serve::ModelConfig& config, const serve::Metadata& metadata, bool& batchable,
                      std::string& note) {
    serve::ParsedRequest request;
    const serve::Rules rules{batchable, config.batch_params};
    std::optional<serve::Refusal> refusal;
    std::string target = config.path;
    switch (config.dialect) {
      case serve::Dialect::v2:
        refusal = serve::parse_v2(row_, std::nullopt, rules, request);
        target = fmt::format("/v2/models/{}/infer", config.upstream_name);
        break;
      case serve::Dialect::v1:
        refusal = serve::parse_v1(row_, rules, request);
        target = fmt::format("/v1/models/{}:predict", config.upstream_name);
        break;
      case serve::Dialect::plain:
        refusal = serve::parse_plain(row_, {config.rows_pointer, config.answers_pointer}, rules, request);
        break;
    }
    if (refusal) throw input_error("--row: {}", refusal->message);
    const http::FetchedReply alone = post(target, row_);
    if (alone.status != 200) return fmt::format("the row alone is answered with {}", alone.status);
    if (!batchable) return {};
    if (!request.alone.empty()) {
      batchable = false;
      note = request.alone;
      return {};
    }
    const std::array<const serve::ParsedRequest*, 2> two{&request, &request};
    const http::FetchedReply batch = post(target, serve::merge(two, "mlq-check").body.text());
    if (batch.status != 200) {
      batchable = false;
      note = fmt::format("a batch of two is answered with {}", batch.status);
      return {};
    }
    const serve::Split parts = serve::split({batch.body, std::nullopt}, two, "mlq-check",
                                            {config.broadcast_outputs, metadata.outputs});
    if (!parts.failure.empty()) {
      batchable = false;
      note = parts.failure;
    } else if (parts.replies[0].body.text() != parts.replies[1].body.text()) {
      note = "the same row twice in a batch has two answers: they depend on the place or on chance";
    }
    return {};
  }

  http::FetchedReply get(const std::string& path) { return ask(path, {}); }
  http::FetchedReply post(const std::string& path, const std::string& body) { return ask(path, body); }
  http::FetchedReply ask(const std::string& path, const std::string& body) {
    const std::string target = prefix_ + path;
    http::ClientRequest request;
    request.method = body.empty() ? "GET" : "POST";
    request.target = target;
    request.body = body;
    return http::fetch(client_, request, kTimeoutNs);
  }

  records::Writer& writer_;
  http::ClientConfig client_;
  std::string prefix_;
  std::string row_;
};

ExitKind check(const CheckArguments& arguments, Context& context) {
  const serve::ServeConfig config = read_models(arguments.models);
  records::Writer writer = cli::open_writer(context);
  writer.run(cli::run_record(context));
  Checker checker(arguments, writer);
  bool good = true;
  for (const serve::ModelConfig& model : config.models) good = checker.model(model) && good;
  writer.end({});
  return good ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command check_command() {
  const auto arguments = std::make_shared<CheckArguments>();
  cli::Command command;
  command.name = "check";
  command.summary = "Ask the replicas whether they can be served, and batched.";
  command.description =
      "Reads the configuration as run does, asks every replica for its health and metadata, and with --row "
      "for "
      "one answer alone and for a batch of two. Writes a replica record each and a model record. Exit status "
      "1 "
      "if a replica is not ready or a model cannot be batched as its configuration asks.";
  command.shared = {Shared::output, Shared::no_provenance};
  add_models(command, arguments->models);
  command.add("Check",
              {cli::text("row", "FILE", "The body of a request to try.", arguments->row_file).file()});
  command.examples = {
      {"mlq-serve check --model digits=http://127.0.0.1:8001", "is it there, and can it be batched?"}};
  command.run = [arguments](Context& context) { return check(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
