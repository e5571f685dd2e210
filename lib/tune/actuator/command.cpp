#include "lib/tune/actuator/command.h"

#include <algorithm>

namespace mlq::tune {
namespace {

bool is_env_name(std::string_view name) {
  return !name.empty() && std::ranges::none_of(name, [](char c) {
    return c == '=' || c == '\0' || c == ' ' || c == '\n' || c == '#' || c == '"' || c == '\'';
  });
}

void check_text(const std::string& text) {
  if (text.find('\0') != text.npos) throw input_error("a zero byte cannot be passed to a command");
}

}  // namespace

EnvTemplates parse_env(Fields& fields, const Names& names) {
  EnvTemplates out;
  const Json* env = fields.find("env");
  if (env == nullptr) return out;
  const Fields members(*env, fields.where("env"));
  for (const auto& [name, value] : *env->as<Json::Object>()) {
    if (!is_env_name(name)) throw input_error("{}: no name of a variable", members.where(name));
    const auto* text = value.as<std::string>();
    if (text == nullptr) throw input_error("{}: a text is wanted", members.where(name));
    out.emplace_back(name, Template::parse(*text, names, members.where(name)));
  }
  return out;
}

CommandPlace CommandPlace::parse(Fields& fields) {
  return {fields.text("cwd").value_or(""), fields.text("log").value_or("")};
}

CommandTemplate CommandTemplate::parse(Fields& fields, std::string_view key, const Names& names) {
  fields.need(key);
  CommandTemplate out;
  const std::vector<std::string> words = *fields.texts(key);
  if (words[0].empty()) throw input_error("{}: the first word names the program", fields.where(key));
  for (size_t k = 0; k < words.size(); ++k)
    out.argv_.push_back(Template::parse(words[k], names, fmt::format("{}[{}]", fields.where(key), k)));
  return out;
}

ChildSpec CommandTemplate::fill(const Scope& scope, const EnvTemplates& env,
                                const CommandPlace& place) const {
  ChildSpec spec;
  for (const Template& word : argv_) {
    spec.argv.push_back(word.fill(scope));
    check_text(spec.argv.back());
  }
  for (const auto& [name, value] : env) {
    spec.env.emplace_back(name, value.fill(scope));
    check_text(spec.env.back().second);
  }
  spec.cwd = place.cwd;
  spec.log = place.log;
  return spec;
}

std::string CommandTemplate::describe(const Scope& scope, const EnvTemplates& env) const {
  Scope shown = scope;
  shown.show = true;
  std::vector<std::string> words;
  for (const auto& [name, value] : env) words.push_back(name + "=" + value.fill(shown));
  for (const Template& word : argv_) words.push_back(word.fill(shown));
  return command_text(words);
}

}  // namespace mlq::tune
