#include "lib/tune/actuator/verify.h"

#include <algorithm>
#include <charconv>

#include "lib/serve/protocol/pointer.h"

namespace mlq::tune {
namespace {

constexpr int kLooks = 3;
constexpr int64_t kBetweenLooksNs = 1'000'000'000;
constexpr int64_t kBetweenPollsNs = 100'000'000;

using Labels = std::vector<std::pair<std::string, std::string>>;

void skip_blanks(std::string_view& line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
}

// `name="value",...}` with \\ \" \n; false if it is none.
bool read_labels(std::string_view& line, Labels& out) {
  while (true) {
    skip_blanks(line);
    if (line.starts_with('}')) break;
    const size_t equals = line.find("=\"");
    if (equals == line.npos) return false;
    auto& [name, value] = out.emplace_back(line.substr(0, equals), "");
    line.remove_prefix(equals + 2);
    while (!line.empty() && line.front() != '"') {
      if (line.front() == '\\' && line.size() > 1) line.remove_prefix(1);
      value += line.front();
      line.remove_prefix(1);
    }
    if (line.empty()) return false;
    line.remove_prefix(1);
    skip_blanks(line);
    if (line.starts_with(',')) line.remove_prefix(1);
  }
  line.remove_prefix(1);
  return true;
}

std::optional<double> sample_of(std::string_view line, std::string_view name, const Labels& labels) {
  if (!line.starts_with(name)) return std::nullopt;
  line.remove_prefix(name.size());
  Labels has;
  skip_blanks(line);
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    if (!read_labels(line, has)) return std::nullopt;
  }
  for (const auto& label : labels)
    if (std::ranges::find(has, label) == has.end()) return std::nullopt;
  skip_blanks(line);
  double value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || end == line.data()) return std::nullopt;
  if (end != line.data() + line.size() && *end != ' ' && *end != '\r') return std::nullopt;
  return value;
}

Labels parse_labels(Fields& fields, Names names) {
  names.places = false;
  Labels out;
  const Json* labels = fields.find("labels");
  if (labels == nullptr) return out;
  const Fields members(*labels, fields.where("labels"));
  for (const auto& [name, value] : *labels->as<Json::Object>()) {
    const auto* text = value.as<std::string>();
    if (text == nullptr) throw input_error("{}: a text is wanted", members.where(name));
    out.emplace_back(name, Template::parse(*text, names, members.where(name)).fill({}));
  }
  return out;
}

std::optional<Template::Sole> sole_of(const Json& wanted, const Names& names, const std::string& where) {
  const auto* text = wanted.as<std::string>();
  return text == nullptr ? std::nullopt : Template::parse(*text, names, where).sole();
}

std::string shown(const std::optional<Json>& value) { return value ? value->text() : "nothing"; }

}  // namespace

bool same_json(const Json& wanted, const Json& found) {
  const auto a = wanted.number(), b = found.number();
  return a && b ? *a == *b : wanted == found;
}

std::optional<double> metric_value(std::string_view text, std::string_view name, const Labels& labels) {
  std::optional<double> value;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto sample = sample_of(line, name, labels);
    if (!sample) continue;
    if (value) return std::nullopt;
    value = sample;
  }
  return value;
}

Ready Ready::parse(const Json& json, const std::string& where, const Names& names, const HttpCommon& common,
                   int64_t default_timeout_ns) {
  Fields fields(json, where);
  Ready out;
  out.request_ = RequestTemplate::parse(fields, names, common, "GET", default_timeout_ns);
  out.timeout_ns_ = out.request_.timeout_ns();
  fields.end();
  return out;
}

Failed Ready::wait(const Scope& scope, const Attempt& attempt, const std::function<Failed()>& dead) const {
  const int64_t deadline = attempt.now_ns() + timeout_ns_;
  while (true) {
    if (dead)
      if (Failed failed = dead()) return failed;
    const int64_t left = deadline - attempt.now_ns();
    const http::CallResult answer = request_.send_once(scope, attempt, left);
    if (answer.answered() && request_.expected(answer.status)) return std::nullopt;
    if (!answer.stopped && attempt.now_ns() + kBetweenPollsNs < deadline && attempt.wait(kBetweenPollsNs))
      continue;
    Failure failure = failure_of(answer, request_.name(scope), *scope.secrets);
    failure.note = "not ready: " + failure.note;
    failure.result = attempt.stopped() ? ApplyResult::broken : ApplyResult::refused;
    return failure;
  }
}

std::string Ready::describe(const Scope& scope) const { return "until ready: " + request_.describe(scope); }

Verify Verify::parse(const Json& json, const std::string& where, const Names& names, const HttpCommon& common,
                     int64_t default_timeout_ns) {
  Verify out;
  const auto* array = json.as<Json::Array>();
  const Json::Array one = array == nullptr ? Json::Array{json} : Json::Array();
  for (const Json& object : array == nullptr ? one : *array) {
    Fields fields(object, where);
    Look look;
    look.request = RequestTemplate::parse(fields, names, common, "GET", default_timeout_ns);
    const auto metric = fields.text("metric");
    const Json& equals = fields.need("equals");
    const std::string at = fields.where("equals");
    look.metric = metric.has_value();
    look.labels = parse_labels(fields, names);
    if (!metric && !look.labels.empty())
      throw input_error("{}: only a \"metric\" has labels", fields.where("labels"));
    fields.end();
    if (metric) {
      look.claims.push_back(
          {*metric, {}, JsonTemplate::parse(equals, names, at), sole_of(equals, names, at)});
    } else {
      Fields claims(equals, at);
      for (const auto& [pointer, wanted] : *equals.as<Json::Object>()) {
        const auto tokens = serve::pointer_tokens(pointer);
        if (!tokens)
          throw input_error("{}: \"{}\" is no JSON pointer; write it as in /a/0/b", claims.where(), pointer);
        look.claims.push_back({pointer, *tokens, JsonTemplate::parse(wanted, names, claims.where(pointer)),
                               sole_of(wanted, names, claims.where(pointer))});
      }
    }
    if (look.claims.empty()) throw input_error("{}: nothing is asserted", at);
    out.looks_.push_back(std::move(look));
  }
  if (out.looks_.empty()) throw input_error("{}: nothing is asserted; to go without, write \"none\"", where);
  return out;
}

Failed Verify::fetch(const Look& look, const Scope& scope, const Attempt& attempt, Json& document) {
  http::CallResult answer;
  if (Failed failed = look.request.send(scope, attempt, answer)) {
    failed->result = ApplyResult::broken;  // a read says nothing of the configuration
    return failed;
  }
  if (look.metric) {
    document = Json(Json::Value(std::move(answer.body)));
    return std::nullopt;
  }
  std::string error;
  auto read = Json::parse(answer.body, error);
  if (!read)
    return Failure{ApplyResult::broken, look.request.name(scope) + ": the answer is no JSON: " + error};
  document = std::move(*read);
  return std::nullopt;
}

std::optional<Json> Verify::found(const Look& look, const Claim& claim, const Json& document) {
  if (!look.metric) {
    const Json* at = document.at(claim.tokens);
    return at == nullptr ? std::nullopt : std::optional<Json>(*at);
  }
  const auto value = metric_value(*document.as<std::string>(), claim.pointer, look.labels);
  return value ? std::optional<Json>(Json(Json::Value(*value))) : std::nullopt;
}

Failed Verify::look_once(const Scope& scope, const Attempt& attempt, std::string& wrong) const {
  wrong.clear();
  for (const Look& look : looks_) {
    Json document;
    if (Failed failed = fetch(look, scope, attempt, document)) return failed;
    for (const Claim& claim : look.claims) {
      const Json wanted = claim.wanted.fill(scope);
      const auto is = found(look, claim, document);
      if (is && same_json(wanted, *is)) continue;
      wrong = scope.secrets->hide(fmt::format("{}: {} is {}, not {}", look.request.name(scope), claim.pointer,
                                              shown(is), wanted.text()));
      return std::nullopt;
    }
  }
  return std::nullopt;
}

Failed Verify::check(const Scope& scope, const Attempt& attempt) const {
  std::string wrong;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0 && !attempt.wait(kBetweenLooksNs)) return Failure{ApplyResult::broken, "stopped"};
    if (Failed failed = look_once(scope, attempt, wrong)) return failed;
    if (wrong.empty()) return std::nullopt;
  }
  return Failure{ApplyResult::not_applied, wrong};
}

Failed Verify::read(const Scope& scope, const Attempt& attempt, const Space* space, Config& out) const {
  for (const Look& look : looks_) {
    const bool tells = std::ranges::any_of(look.claims, [](const Claim& c) { return c.knob.has_value(); });
    if (!tells) continue;
    Json document;
    if (Failed failed = fetch(look, scope, attempt, document)) return failed;
    for (const Claim& claim : look.claims) {
      const auto is = claim.knob ? found(look, claim, document) : std::nullopt;
      const auto value = is ? unfilled(*claim.knob, *is, space) : std::nullopt;
      const bool known =
          std::ranges::any_of(out, [&](const auto& k) { return claim.knob && k.first == claim.knob->name; });
      if (value && !known) out.emplace_back(claim.knob->name, *value);
    }
  }
  return std::nullopt;
}

bool Verify::reads_metrics_only() const {
  return std::ranges::all_of(looks_, [](const Look& look) { return look.metric; });
}

std::vector<std::string> Verify::describe(const Scope& scope) const {
  Scope to_show = scope;
  to_show.show = true;
  std::vector<std::string> lines;
  for (const Look& look : looks_) {
    std::string line = "verify: " + look.request.describe(scope);
    for (const Claim& claim : look.claims)
      line += fmt::format(" {}={}", claim.pointer, claim.wanted.fill(to_show).text());
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace mlq::tune
