// Type env: a file of KEY=VALUE lines, as systemd, docker compose and shells read them, and a restart.
#include <unistd.h>

#include <algorithm>

#include "lib/base/io.h"
#include "lib/tune/actuator/command.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {
namespace {

constexpr size_t kMostBytes = size_t{16} << 20;

// Quoted where a reader could take it for anything else.
std::string env_value(const std::string& name, const std::string& value) {
  if (value.find_first_of(std::string_view("\n\r\0", 3)) != value.npos)
    throw input_error("{}: a line end cannot stand in a file of KEY=VALUE lines", name);
  if (value.find_first_of(" \t\"'\\$#`;&|<>()*?") == value.npos) return value;
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == '$' || c == '`') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
  std::string out;
  value = value.substr(1, value.size() - 2);
  for (size_t k = 0; k < value.size(); ++k) {
    if (value[k] == '\\' && k + 1 < value.size()) ++k;
    out += value[k];
  }
  return out;
}

// A line of the file: KEY=VALUE, or a comment that is kept as it is.
struct Line {
  std::string key;  // empty: not KEY=VALUE
  std::string text;
  std::string_view value() const { return std::string_view(text).substr(text.find('=') + 1); }
};

std::vector<Line> read_lines(const std::string& path) {
  std::vector<Line> out;
  if (::access(path.c_str(), F_OK) != 0) return out;
  const std::string text = read_file(path, kMostBytes);
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t equals = line.find('=');
    const bool assigns = equals != line.npos && !line.starts_with('#');
    out.push_back({assigns ? std::string(line.substr(0, equals)) : "", std::string(line)});
  }
  return out;
}

class EnvActuator final : public BasicActuator {
 public:
  EnvActuator(BasicOptions options, std::string path, EnvTemplates env,
              std::optional<CommandTemplate> restart, CommandPlace place, const ActuatorContext& context)
      : BasicActuator(std::move(options), context),
        path_(std::move(path)),
        env_(std::move(env)),
        restart_(std::move(restart)),
        place_(std::move(place)) {}

 protected:
  Failed set(const Config& config, const Attempt& attempt, Applied&) override {
    const Scope scope = scope_of(config);
    std::vector<Line> lines = read_lines(path_);
    for (const auto& [name, value] : env_) {
      const std::string text = name + "=" + env_value(name, value.fill(scope));
      const auto line = std::ranges::find(lines, name, &Line::key);
      if (line == lines.end())
        lines.push_back({name, text});
      else
        line->text = text;
    }
    Output out = Output::open(path_);
    for (const Line& line : lines) out.write(line.text + "\n");
    out.close();
    if (!restart_) return std::nullopt;
    ChildSpec spec = restart_->fill(scope, {}, place_);
    spec.leaves_others = true;
    return run_command(spec, attempt, options().timeout_ns);
  }

  Failed read_more(const Attempt&, Config& out) override {
    const std::vector<Line> lines = read_lines(path_);
    for (const auto& [name, value] : env_) {
      const auto sole = value.sole();
      const auto line = std::ranges::find(lines, name, &Line::key);
      if (!sole || line == lines.end()) continue;
      const auto knob = unfilled(*sole, Json(Json::Value(unquoted(line->value()))), space());
      if (knob && std::ranges::none_of(out, [&](const auto& k) { return k.first == sole->name; }))
        out.emplace_back(sole->name, *knob);
    }
    return std::nullopt;
  }

  std::vector<std::string> describe_set(const Scope& scope) const override {
    std::vector<std::string> lines;
    std::string line = "write " + path_ + ":";
    for (const auto& [name, value] : env_) line += " " + name + "=" + value.fill(scope);
    lines.push_back(std::move(line));
    if (restart_) lines.push_back("run " + restart_->describe(scope, {}));
    return lines;
  }

 private:
  std::string path_;
  EnvTemplates env_;
  std::optional<CommandTemplate> restart_;
  CommandPlace place_;
};

}  // namespace

std::unique_ptr<Actuator> make_env_actuator(Fields& fields, const ActuatorContext& context) {
  BasicOptions options = BasicOptions::parse(fields, context);
  const std::string path = fields.need_text("path");
  fields.need("env");
  EnvTemplates env = parse_env(fields, options.names);
  if (env.empty()) throw input_error("{}: nothing is set", fields.where("env"));
  std::optional<CommandTemplate> restart;
  if (fields.find("restart") != nullptr) restart = CommandTemplate::parse(fields, "restart", options.names);
  CommandPlace place = CommandPlace::parse(fields);
  options.parse_checks(fields);
  fields.end();
  return std::make_unique<EnvActuator>(std::move(options), path, std::move(env), std::move(restart),
                                       std::move(place), context);
}

}  // namespace mlq::tune
