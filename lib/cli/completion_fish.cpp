#include <fmt/format.h>

#include "lib/cli/generate.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

// When a row applies: after the commands of `path`, and before one of those below it.
std::string condition(const CommandPath& path) {
  std::string out;
  for (size_t i = 1; i < path.size(); ++i) {
    out += (i > 1 ? "; and " : "") + std::string("__fish_seen_subcommand_from ") + path[i]->name;
  }
  std::vector<std::string> below;
  for (const Command& command : path.back()->commands) below.push_back(command.name);
  if (below.empty()) return out;
  return out + (out.empty() ? "" : "; and ") + "not __fish_seen_subcommand_from " + join(below, " ");
}

std::string row(const Program& program, const std::string& when) {
  return "complete -c " + program.name + (when.empty() ? "" : " -n " + quoted(when));
}

std::string value_part(const Option& option) {
  if (option.is_flag()) return "";
  if (!option.choices.empty()) return " -x -a " + quoted(join(choice_names(option.choices), " "));
  if (option.complete == Complete::file) return " -r -F";
  if (option.complete == Complete::directory) return " -x -a '(__fish_complete_directories)'";
  return " -x";
}

std::string option_row(const Program& program, const std::string& when, const Option& option) {
  std::string out = row(program, when);
  if (option.short_name != 0) out += fmt::format(" -s {}", option.short_name);
  return out + fmt::format(" -l {}{} -d {}\n", option.name, value_part(option),
                           quoted(first_sentence(option.help)));
}

std::string choice_rows(const Program& program, const std::string& when, const std::vector<Choice>& choices) {
  std::string out;
  const std::string unseen = when + (when.empty() ? "" : "; and ") + "not __fish_seen_subcommand_from " +
                             join(choice_names(choices), " ");
  for (const Choice& choice : choices) {
    out += row(program, unseen) + " -a " + quoted(choice.name);
    if (!choice.help.empty()) out += " -d " + quoted(first_sentence(choice.help));
    out += '\n';
  }
  return out;
}

std::string rows_of_command(const Program& program, const CommandPath& path) {
  const std::string when = condition(path);
  std::string out;
  for (const Command& below : path.back()->commands) {
    out += row(program, when) + " -a " + quoted(below.name) + " -d " + quoted(first_sentence(below.summary)) +
           '\n';
  }
  for (const Positional& positional : path.back()->positionals) {
    if (!positional.choices.empty()) out += choice_rows(program, when, positional.choices);
    if (positional.complete == Complete::file) out += row(program, when) + " -F\n";
    if (positional.complete == Complete::directory) {
      out += row(program, when) + " -a '(__fish_complete_directories)'\n";
    }
  }
  for (const Option& option : rows_to_show(path)) out += option_row(program, when, option);
  return out;
}

}  // namespace

std::string fish_completion(const Program& program) {
  std::string out = fmt::format("# fish completion for {}; made by `{} --generate fish`, do not edit.\n",
                                program.name, program.name);
  out += "complete -c " + program.name + " -f\n";
  for (const CommandPath& path : all_commands(program)) out += rows_of_command(program, path);
  return out;
}

}  // namespace mlq::cli
