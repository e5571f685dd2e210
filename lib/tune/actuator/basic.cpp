#include "lib/tune/actuator/basic.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::tune {
namespace {

bool is_variable_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::map<std::string, std::string> parse_vars(Fields& fields) {
  std::map<std::string, std::string> out;
  const Json* vars = fields.find("vars");
  if (vars == nullptr) return out;
  const Fields members(*vars, fields.where("vars"));
  for (const auto& [name, value] : *vars->as<Json::Object>()) {
    if (!is_variable_name(name))
      throw input_error("{}: a variable's name has letters, digits and _", members.where(name));
    const auto* text = value.as<std::string>();
    if (text == nullptr) throw input_error("{}: a text is wanted", members.where(name));
    out.emplace(name, *text);
  }
  return out;
}

void parse_on_fail(Fields& fields) {
  const auto on_fail = fields.text("on_fail");
  if (on_fail && *on_fail != "revert")
    throw input_error("{}: \"revert\" is all that there is", fields.where("on_fail"));
}

}  // namespace

BasicOptions BasicOptions::parse(Fields& fields, const ActuatorContext& context) {
  BasicOptions out;
  fields.find("type");  // known to whoever chose this type
  out.names.space = context.space;
  out.names.vars = parse_vars(fields);
  out.timeout_ns = fields.duration_ns("timeout").value_or(out.timeout_ns);
  out.facts.settle_ns = fields.duration_ns("settle");
  out.facts.warmup_requests = fields.count("warmup_requests").value_or(0);
  parse_on_fail(fields);
  out.common = HttpCommon::parse(fields, out.names);
  return out;
}

void BasicOptions::parse_checks(Fields& fields) {
  if (const Json* json = fields.find("ready"))
    ready = Ready::parse(*json, fields.where("ready"), names, common, timeout_ns);
  const Json* json = fields.find("verify");
  if (json == nullptr) return;
  const auto* word = json->as<std::string>();
  facts.unverified = word != nullptr && *word == "none";
  if (!facts.unverified) verify = Verify::parse(*json, fields.where("verify"), names, common, timeout_ns);
}

BasicActuator::BasicActuator(BasicOptions options, const ActuatorContext& context)
    : options_(std::move(options)), clock_(context.clock), space_(context.space), secrets_(context.reveal) {}

Failed BasicActuator::read_more(const Attempt&, Config&) { return std::nullopt; }
Failed BasicActuator::dead() { return std::nullopt; }
Failed BasicActuator::settled(const Config&, const Attempt&, Applied&) { return std::nullopt; }

std::optional<Config> BasicActuator::read(const StopFlag& stop) {
  const Attempt attempt(*clock_, &stop);
  Config config;
  const Config nothing;
  Failed failed;
  if (options_.verify) failed = options_.verify->read(scope_of(nothing), attempt, space_, config);
  if (failed && may_be_down()) failed.reset();
  if (!failed) failed = read_more(attempt, config);
  if (failed) throw environment_error("{}", secrets_.hide(failed->note));
  if (config.empty()) return std::nullopt;
  return config;
}

Failed BasicActuator::apply_steps(const Config& config, const Attempt& attempt, Applied& applied) {
  const auto is_dead = [this] { return dead(); };
  if (Failed failed = set(config, attempt, applied)) return failed;
  if (options_.ready)
    if (Failed failed = options_.ready->wait(scope_of(config), attempt, is_dead)) return failed;
  if (Failed failed = settled(config, attempt, applied)) return failed;
  if (!options_.verify) return std::nullopt;
  if (Failed failed = options_.verify->check(scope_of(config), attempt)) return failed;
  applied.verified = options_.verify->reads_metrics_only() ? "metric" : "readback";
  return std::nullopt;
}

Applied BasicActuator::apply(const Config& config, const StopFlag& stop, bool ignore_stop) {
  const Attempt attempt(*clock_, ignore_stop ? nullptr : &stop);
  Applied applied;
  applied.verified = "none";
  const int64_t begin = attempt.now_ns();
  Failed failed;
  try {
    failed =
        attempt.stopped() ? Failure{ApplyResult::broken, "stopped"} : apply_steps(config, attempt, applied);
  } catch (const Error& error) {  // a template that cannot be filled, a secret that is not there, a full disk
    failed = Failure{ApplyResult::broken, error.what()};
  }
  applied.apply_ns = attempt.now_ns() - begin;
  if (failed) {
    applied.result = failed->result;
    applied.note = secrets_.hide(failed->note);
    applied.verified = "none";
  }
  return applied;
}

std::vector<std::string> BasicActuator::describe(const Config& config) const {
  const Scope scope = shown_scope_of(config);
  std::vector<std::string> lines = describe_set(scope);
  if (options_.ready) lines.push_back(options_.ready->describe(scope));
  if (options_.verify) std::ranges::move(options_.verify->describe(scope), std::back_inserter(lines));
  return lines;
}

}  // namespace mlq::tune
