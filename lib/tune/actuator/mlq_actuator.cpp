// Endpoints of mlq's own programs: knobs with generations, so that no change is lost and none is mixed up.
#include <algorithm>

#include "lib/http/message.h"
#include "lib/http/url.h"
#include "lib/tune/actuator/verify.h"

namespace mlq::tune {
namespace {

constexpr int64_t kTimeoutNs = 10'000'000'000;
constexpr int64_t kBetweenLooksNs = 1'000'000'000;
constexpr int kLooks = 3;
constexpr uint32_t kTries = 3;
constexpr std::string_view kModels = "/admin/v1/models";

// Requests to one admin interface.
class AdminClient {
 public:
  AdminClient(const MlqEndpoint& endpoint, const ActuatorContext& context)
      : url_(http::parse_url(endpoint.admin_url)), secrets_(context.reveal) {
    Names names;
    for (const std::string& header : context.headers)
      headers_.push_back(Template::parse(header, names, context.where));
  }

  http::CallResult call(std::string_view method, const std::string& path, std::string body,
                        const std::string& if_match, const Attempt& attempt) {
    http::CallRequest request;
    request.config.url = url_;
    request.config.url.target = path;
    const Config none;
    const Scope scope{&none, nullptr, &secrets_, false};
    for (const Template& header : headers_) request.config.headers.push_back(header.fill(scope));
    if (!body.empty()) request.config.headers.emplace_back("Content-Type: application/merge-patch+json");
    if (!if_match.empty()) request.config.headers.push_back("If-Match: " + if_match);
    request.method = method;
    request.body = std::move(body);
    request.timeout_ns = kTimeoutNs;
    return http::http_call(request, attempt.clock(), attempt.stop());
  }
  // GET, tried again while that may help.
  Failed get(const std::string& path, const Attempt& attempt, http::CallResult& out) {
    for (uint32_t tries = 1;; ++tries) {
      out = call("GET", path, "", "", attempt);
      if (out.answered() && out.status == 200) return std::nullopt;
      if (!transient(out) || tries == kTries || !attempt.wait(retry_pause_ns(tries)))
        return failure_of(out, "GET " + shown(path), secrets_);
    }
  }
  std::string shown(const std::string& path) const {
    http::Url url = url_;
    url.target = path;
    return url.redacted();
  }
  const Secrets& secrets() const { return secrets_; }

 private:
  http::Url url_;
  Secrets secrets_;
  std::vector<Template> headers_;
};

// A model's name is one segment of a path.
std::string segment(const std::string& name) {
  const Config config = {{"model", name}};
  return Template::parse("${model|url}", {}, "").fill({&config, nullptr, nullptr, false});
}

std::string knobs_path(const std::string& model) {
  return fmt::format("{}/{}/knobs", kModels, segment(model));
}

// What GET and PATCH of knobs answer with.
struct KnobState {
  std::string gen;
  Config knobs;
};
std::optional<KnobState> read_state(const std::string& body) {
  std::string error;
  const auto json = Json::parse(body, error);
  const Json* gen = json ? json->find("gen") : nullptr;
  const Json* knobs = json ? json->find("knobs") : nullptr;
  if (gen == nullptr || knobs == nullptr || knobs->as<Json::Object>() == nullptr) return std::nullopt;
  KnobState state;
  state.gen = gen->as<std::string>() != nullptr ? *gen->as<std::string>() : gen->text();
  for (const auto& [name, value] : *knobs->as<Json::Object>())
    if (const auto knob = value.knob()) state.knobs.emplace_back(name, *knob);
  return state;
}

// The first knob that is not as wanted, in words; empty if all are.
std::string difference(const Config& wanted, const Config& found) {
  for (const auto& [name, value] : wanted) {
    const auto is = std::ranges::find(found, name, [](const auto& knob) { return knob.first; });
    if (is == found.end()) return fmt::format("there is no knob {}", name);
    if (!same_json(Json(value), Json(is->second)))
      return fmt::format("{} is {}, not {}", name, serve::knob_text(is->second), serve::knob_text(value));
  }
  return {};
}

class MlqActuator final : public Actuator {
 public:
  MlqActuator(const MlqEndpoint& endpoint, const ActuatorContext& context)
      : client_(endpoint, context), path_(knobs_path(endpoint.model)), clock_(*context.clock) {
    if (context.space == nullptr) return;
    for (const Axis& axis : context.space->axes()) axes_.push_back(axis.name);
  }

  std::optional<Config> read(const StopFlag& stop) override {
    KnobState state;
    const Attempt attempt(clock_, &stop);
    if (Failed failed = look(attempt, state)) throw environment_error("{}", failed->note);
    return state.knobs;
  }

  Applied apply(const Config& config, const StopFlag& stop, bool ignore_stop) override {
    const Attempt attempt(clock_, ignore_stop ? nullptr : &stop);
    Applied applied;
    const int64_t begin = attempt.now_ns();
    Failed failed;
    try {
      failed = attempt.stopped() ? Failure{ApplyResult::broken, "stopped"}
                                 : set(settable(config), attempt, applied);
    } catch (const Error& error) {
      failed = Failure{ApplyResult::broken, error.what()};
    }
    applied.apply_ns = attempt.now_ns() - begin;
    applied.verified = failed ? "none" : "readback";
    if (failed) {
      etag_.clear();
      applied.result = failed->result;
      applied.note = failed->note;
    }
    return applied;
  }

  std::vector<std::string> describe(const Config& config) const override {
    return {fmt::format("PATCH {} [If-Match: {}] {}", client_.shown(path_),
                        etag_.empty() ? "the present" : etag_, body_of(settable(config)))};
  }
  std::string fingerprint() override {
    http::CallResult answer;
    const Attempt attempt(clock_, nullptr);
    if (client_.get("/admin/v1/version", attempt, answer)) return {};
    std::string error;
    const auto json = Json::parse(answer.body, error);
    const auto part = [&](std::string_view name) {
      const Json* found = json ? json->find(name) : nullptr;
      const auto* text = found == nullptr ? nullptr : found->as<std::string>();
      return text == nullptr ? std::string() : *text;
    };
    return part("name") + " " + part("version");
  }
  bool can_verify() const override { return true; }
  std::string gen_header() const override { return "x-mlq-gen"; }

 private:
  // Derived knobs of a file are no knobs of the endpoint.
  Config settable(const Config& config) const {
    Config out = config;
    if (!axes_.empty())
      std::erase_if(out,
                    [&](const auto& knob) { return std::ranges::find(axes_, knob.first) == axes_.end(); });
    return out;
  }
  static std::string body_of(const Config& config) {
    Json::Object object;
    for (const auto& [name, value] : config) object.emplace_back(name, Json(value));
    return Json(Json::Value(std::move(object))).text();
  }

  Failed take(const http::CallResult& answer, const char* method, KnobState& state) {
    auto read = read_state(answer.body);
    if (!read)
      return Failure{ApplyResult::broken, fmt::format("{} {}: the answer has no \"gen\" and \"knobs\"",
                                                      method, client_.shown(path_))};
    state = std::move(*read);
    const std::string_view etag = answer.header("etag");
    etag_ = etag.empty() ? "\"" + state.gen + "\"" : std::string(etag);
    return std::nullopt;
  }

  Failed look(const Attempt& attempt, KnobState& state) {
    http::CallResult answer;
    if (Failed failed = client_.get(path_, attempt, answer)) {
      failed->result = ApplyResult::broken;
      return failed;
    }
    return take(answer, "GET", state);
  }

  Failed set(const Config& config, const Attempt& attempt, Applied& applied) {
    KnobState state;
    if (etag_.empty())
      if (Failed failed = look(attempt, state)) return failed;
    if (Failed failed = patch(config, attempt, state)) return failed;
    std::string wrong = difference(config, state.knobs);
    for (int looks = 1; !wrong.empty() && looks < kLooks; ++looks) {
      if (!attempt.wait(kBetweenLooksNs)) return Failure{ApplyResult::broken, "stopped"};
      if (Failed failed = look(attempt, state)) return failed;
      wrong = difference(config, state.knobs);
    }
    if (!wrong.empty()) return Failure{ApplyResult::not_applied, client_.shown(path_) + ": " + wrong};
    applied.gen = state.gen;
    return std::nullopt;
  }

  Failed patch(const Config& config, const Attempt& attempt, KnobState& state) {
    const std::string body = body_of(config);
    for (uint32_t tries = 1;; ++tries) {
      const http::CallResult answer = client_.call("PATCH", path_, body, etag_, attempt);
      if (answer.answered() && answer.status == 200) return take(answer, "PATCH", state);
      if (answer.answered() && answer.status == 412) return overtaken(config, tries, answer, attempt, state);
      if (!transient(answer) || tries == kTries || !attempt.wait(retry_pause_ns(tries)))
        return failure_of(answer, "PATCH " + client_.shown(path_), client_.secrets());
    }
  }

  // 412: the generation has gone on. By our own doing, if an earlier try did arrive.
  Failed overtaken(const Config& config, uint32_t tries, const http::CallResult& answer,
                   const Attempt& attempt, KnobState& state) {
    if (tries > 1) {
      if (Failed failed = look(attempt, state)) return failed;
      if (difference(config, state.knobs).empty()) return std::nullopt;
    }
    Failure failure = failure_of(answer, "PATCH " + client_.shown(path_), client_.secrets());
    failure.result = ApplyResult::foreign;
    return failure;
  }

  AdminClient client_;
  std::string path_;
  const Clock& clock_;
  std::vector<std::string> axes_;  // empty: all knobs of a configuration
  std::string etag_;               // of what was last seen; empty: nothing was
};

std::vector<std::string> model_names(const Json& json) {
  std::vector<std::string> out;
  const Json* models = json.find("models");
  const auto* array = models == nullptr ? nullptr : models->as<Json::Array>();
  if (array == nullptr) return out;
  for (const Json& model : *array)
    if (const Json* name = model.find("model"); name != nullptr && name->as<std::string>() != nullptr)
      out.push_back(*name->as<std::string>());
  return out;
}

}  // namespace

MlqEndpoint parse_mlq_endpoint(std::string_view text) {
  if (text.starts_with("mlq:")) text.remove_prefix(4);
  MlqEndpoint endpoint;
  const size_t hash = text.rfind('#');
  endpoint.admin_url = text.substr(0, hash);
  if (hash != text.npos) endpoint.model = text.substr(hash + 1);
  const http::Url url = http::parse_url(endpoint.admin_url);
  if (url.target != "/")
    throw usage_error(
        "mlq:{}: the address of the admin interface alone is wanted, as in mlq:http://127.0.0.1:8001",
        url.redacted());
  return endpoint;
}

MlqSchema fetch_mlq_schema(const MlqEndpoint& endpoint, const ActuatorContext& context,
                           const StopFlag& stop) {
  AdminClient client(endpoint, context);
  const Attempt attempt(*context.clock, &stop);
  const auto get = [&](const std::string& path) {
    http::CallResult answer;
    if (Failed failed = client.get(path, attempt, answer)) throw environment_error("{}", failed->note);
    return answer.body;
  };
  const std::string list(kModels);
  std::string error;
  const auto json = Json::parse(get(list), error);
  const std::vector<std::string> names = json ? model_names(*json) : std::vector<std::string>();
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  if (names.empty()) throw input_error("{}: there are no models", client.shown(list));
  if (endpoint.model.empty() && names.size() > 1)
    throw input_error("{}: there are several models ({}); name one, as in mlq:URL#{}", client.shown(list),
                      all, names[0]);
  const std::string model = endpoint.model.empty() ? names[0] : endpoint.model;
  if (std::ranges::find(names, model) == names.end())
    throw input_error("{}: there is no model \"{}\", but {}", client.shown(list), model, all);
  return {model, get(knobs_path(model) + "/schema")};
}

std::unique_ptr<Actuator> make_mlq_actuator(const MlqEndpoint& endpoint, const ActuatorContext& context) {
  return std::make_unique<MlqActuator>(endpoint, context);
}

}  // namespace mlq::tune
