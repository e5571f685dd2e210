#include <fmt/format.h>

#include <algorithm>

#include "lib/cli/generate.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

std::string function_name(const CommandPath& path) {
  std::string name = fmt::format("_{}", full_name(path));
  std::replace(name.begin(), name.end(), '-', '_');
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// Between single quotes; with a backslash before each of `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out;
}

// `((a\:text b\:text))`, or `(a b)` where there are no texts; zsh evaluates it, so that everything but
// letters is escaped.
std::string described(const std::vector<Choice>& choices) {
  constexpr std::string_view special = " \t\"$`()[]{}<>|&;*?!#~^\\=%:,";
  const auto bare = [](const Choice& choice) { return choice.help.empty(); };
  const bool plain = std::all_of(choices.begin(), choices.end(), bare);
  std::vector<std::string> items;
  for (const Choice& choice : choices) {
    std::string item = escaped(choice.name, special);
    if (!plain) {
      // A colon of the word itself has to reach _describe with its backslash.
      for (size_t at = 0; (at = item.find("\\:", at)) != std::string::npos; at += 4) item.insert(at, "\\\\");
      std::string help = choice.help;
      // A quote would have to be escaped for two readers.
      help.erase(std::remove(help.begin(), help.end(), '\''), help.end());
      item += "\\:" + escaped(help, special);
    }
    items.push_back(item);
  }
  return plain ? '(' + join(items, " ") + ')' : "((" + join(items, " ") + "))";
}

std::string action(const std::vector<Choice>& choices, Complete complete) {
  if (!choices.empty()) return described(choices);
  if (complete == Complete::file) return "_files";
  if (complete == Complete::directory) return "_files -/";
  return " ";
}

std::string option_spec(const Option& option) {
  const std::string text = '[' + escaped(first_sentence(option.help), "[]\\") + ']';
  std::string value;
  if (!option.is_flag()) {
    value = fmt::format(":{}:{}", escaped(option.value, ":\\"), action(option.choices, option.complete));
  }
  const char* equals = option.is_flag() ? "" : "=";
  const char* plus = option.is_flag() ? "" : "+";
  if (option.short_name == 0) {
    return fmt::format("'{}--{}{}{}{}'", option.repeat ? "*" : "", option.name, equals, text, value);
  }
  const std::string before = option.repeat ? "*" : fmt::format("(-{} --{})", option.short_name, option.name);
  return fmt::format("'{}'{{-{}{},--{}{}}}'{}{}'", before, option.short_name, plus, option.name, equals, text,
                     value);
}

std::string positional_spec(const Positional& positional, size_t place) {
  const std::string at =
      positional.repeats() ? "*" : std::to_string(place) + (positional.is_required() ? "" : ":");
  return fmt::format("'{}:{}:{}'", at, escaped(positional.name, ":\\"),
                     action(positional.choices, positional.complete));
}

std::string group_function(const CommandPath& path, const std::string& options) {
  std::string names, cases;
  for (const Command& below : path.back()->commands) {
    names += fmt::format("        '{}:{}'\n", escaped(below.name, ":"),
                         escaped(first_sentence(below.summary), ""));
    CommandPath down = path;
    down.push_back(&below);
    cases += fmt::format("        {}) {} ;;\n", below.name, function_name(down));
  }
  return fmt::format(R"({}() {{
  local context state state_descr line
  typeset -A opt_args
  _arguments -C -s -S \
{}    '1:command:->command' \
    '*::argument:->argument'
  case $state in
    command)
      local -a commands
      commands=(
{}      )
      _describe command commands
      ;;
    argument)
      case $line[1] in
{}      esac
      ;;
  esac
}}

)",
                     function_name(path), options, names, cases);
}

std::string function_of(const CommandPath& path) {
  std::string options;
  for (const Option& option : rows_to_show(path)) options += "    " + option_spec(option) + " \\\n";
  if (!path.back()->commands.empty()) return group_function(path, options);
  size_t place = 0;
  for (const Positional& positional : path.back()->positionals) {
    options += "    " + positional_spec(positional, ++place) + " \\\n";
  }
  options.resize(options.size() - 3);  // the last line goes on nowhere
  return fmt::format("{}() {{\n  _arguments -s -S \\\n{}\n}}\n\n", function_name(path), options);
}

}  // namespace

std::string zsh_completion(const Program& program) {
  std::string out =
      fmt::format("#compdef {}\n# zsh completion for {}; made by `{} --generate zsh`, do not edit.\n\n",
                  program.name, program.name, program.name);
  for (const CommandPath& path : all_commands(program)) out += function_of(path);
  const std::string name = function_name({&program.root});
  return out + fmt::format("if [[ $funcstack[1] == {} ]]; then\n  {} \"$@\"\nelse\n  compdef {} {}\nfi\n",
                           name, name, name, program.name);
}

}  // namespace mlq::cli
