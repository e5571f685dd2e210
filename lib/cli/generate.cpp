#include "lib/cli/generate.h"

#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

std::string positional_text(const Positional& positional) {
  const std::string name = positional.name + (positional.repeats() ? "..." : "");
  return positional.is_required() ? name : '[' + name + ']';
}

}  // namespace

std::string arguments_line(const Command& command) {
  if (!command.commands.empty()) return "COMMAND [options]";
  std::string line = "[options]";
  for (const Positional& positional : command.positionals) line += ' ' + positional_text(positional);
  return line;
}

std::string option_remarks(const Option& option) {
  std::vector<std::string> remarks;
  if (!option.choices.empty() && option.closed) {
    remarks.push_back("one of " + join(choice_names(option.choices), ", "));
  }
  if (!option.default_text.empty()) remarks.push_back("default: " + option.default_text);
  if (option.repeat) remarks.emplace_back("may be repeated");
  if (!option.env.empty()) remarks.push_back("environment: " + option.env);
  return remarks.empty() ? "" : '(' + join(remarks, "; ") + ')';
}

const std::vector<Example>& examples_of(const Program& program, const Command& command) {
  return command.examples.empty() ? program.root.examples : command.examples;
}

std::string first_sentence(std::string_view help) {
  help = help.substr(0, help.find(". "));
  if (help.ends_with('.')) help.remove_suffix(1);
  return std::string(help);
}

}  // namespace mlq::cli
