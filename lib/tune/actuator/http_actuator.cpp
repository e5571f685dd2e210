// Type http: what an endpoint has is read, changed and sent back, in the order of `steps`.
#include <variant>

#include "lib/serve/protocol/pointer.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {
namespace {

struct ReadStep {
  RequestTemplate request;
  std::string name;
};
struct SendStep {
  RequestTemplate request;
};
using Step = std::variant<ReadStep, PatchTemplate, SendStep>;

ReadStep parse_read(const Json& json, const std::string& where, BasicOptions& options) {
  Fields fields(json, where);
  ReadStep step;
  step.request = RequestTemplate::parse(fields, options.names, options.common, "GET", options.timeout_ns);
  step.name = fields.need_text("as");
  fields.end();
  options.names.documents.push_back(step.name);
  return step;
}

Step parse_step(const Json& json, const std::string& where, BasicOptions& options) {
  Fields fields(json, where);
  const Json* read = fields.find("read");
  const Json* patch = fields.find("patch");
  const Json* send = fields.find("send");
  const Json* set = fields.find("set");
  fields.end();
  if ((read != nullptr) + (patch != nullptr) + (send != nullptr) != 1)
    throw input_error("{}: one of \"read\", \"patch\" and \"send\" is wanted", where);
  if ((set != nullptr) != (patch != nullptr))
    throw input_error("{}: \"patch\" and \"set\" go together", where);
  if (read != nullptr) return parse_read(*read, fields.where("read"), options);
  if (send != nullptr) {
    Fields request(*send, fields.where("send"));
    SendStep step{RequestTemplate::parse(request, options.names, options.common, "POST", options.timeout_ns)};
    request.end();
    return step;
  }
  const std::string name = fields.need_text("patch");
  if (std::ranges::find(options.names.documents, name) == options.names.documents.end())
    throw input_error("{}: no earlier step reads \"{}\"", fields.where("patch"), name);
  return PatchTemplate::parse(name, *set, fields.where("set"), options.names);
}

class HttpActuator final : public BasicActuator {
 public:
  HttpActuator(BasicOptions options, std::vector<Step> steps, const ActuatorContext& context)
      : BasicActuator(std::move(options), context), steps_(std::move(steps)) {}

  std::string fingerprint() override { return server_; }

 protected:
  Failed set(const Config& config, const Attempt& attempt, Applied&) override {
    const Scope scope = scope_of(config);
    const int64_t deadline = attempt.now_ns() + options().timeout_ns;
    for (const Step& step : steps_) {
      if (attempt.now_ns() > deadline) return Failure{ApplyResult::broken, "the steps took too long"};
      Failed failed;
      if (const auto* read = std::get_if<ReadStep>(&step))
        failed = read_document(*read, scope, attempt);
      else if (const auto* patch = std::get_if<PatchTemplate>(&step))
        failed = patch->apply(scope, documents()[patch->document()]);
      else
        failed = send(std::get<SendStep>(step), scope, attempt);
      if (failed) return failed;
    }
    return std::nullopt;
  }

  std::vector<std::string> describe_set(const Scope& scope) const override {
    std::vector<std::string> lines;
    for (const Step& step : steps_) {
      if (const auto* read = std::get_if<ReadStep>(&step))
        lines.push_back(read->request.describe(scope) + " > " + read->name);
      else if (const auto* patch = std::get_if<PatchTemplate>(&step))
        lines.push_back(patch->describe(scope));
      else
        lines.push_back(std::get<SendStep>(step).request.describe(scope));
    }
    return lines;
  }

 private:
  Failed read_document(const ReadStep& step, const Scope& scope, const Attempt& attempt) {
    http::CallResult answer;
    if (Failed failed = step.request.send(scope, attempt, answer)) {
      failed->result = ApplyResult::broken;  // nothing was set yet
      return failed;
    }
    server_ = answer.header("server");
    std::string error;
    auto document = Json::parse(answer.body, error);
    if (!document)
      return Failure{ApplyResult::broken, step.request.name(scope) + ": the answer is no JSON: " + error};
    documents()[step.name] = std::move(*document);
    return std::nullopt;
  }

  Failed send(const SendStep& step, const Scope& scope, const Attempt& attempt) {
    http::CallResult answer;
    if (Failed failed = step.request.send(scope, attempt, answer)) return failed;
    server_ = answer.header("server");
    return std::nullopt;
  }

  std::vector<Step> steps_;
  std::string server_;
};

}  // namespace

std::unique_ptr<Actuator> make_http_actuator(Fields& fields, const ActuatorContext& context) {
  BasicOptions options = BasicOptions::parse(fields, context);
  const Json& json = fields.need("steps");
  const auto* array = json.as<Json::Array>();
  if (array == nullptr || array->empty())
    throw input_error("{}: an array of steps is wanted", fields.where("steps"));
  std::vector<Step> steps;
  for (size_t k = 0; k < array->size(); ++k)
    steps.push_back(parse_step((*array)[k], fmt::format("{}[{}]", fields.where("steps"), k), options));
  options.parse_checks(fields);
  fields.end();
  return std::make_unique<HttpActuator>(std::move(options), std::move(steps), context);
}

}  // namespace mlq::tune
