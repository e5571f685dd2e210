#include <algorithm>
#include <map>

#include "lib/cli/generate.h"
#include "lib/cli/roff.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

constexpr size_t kExampleWidth = 72;

// Commands that run, with their names below the root ("" for a root that runs).
struct Runnable {
  CommandPath path;
  std::string name;
};

std::vector<Runnable> runnables(const Program& program) {
  std::vector<Runnable> out;
  for (const CommandPath& path : all_commands(program)) {
    if (!path.back()->run) continue;
    out.push_back({path, full_name(CommandPath(path.begin() + 1, path.end()))});
  }
  return out;
}

// "[options] PROCESS [NAME]" with the words in italics.
std::string set_arguments(const Command& command) {
  std::string out, word;
  for (const char c : arguments_line(command) + ' ') {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_') {
      word += c;
      continue;
    }
    if (!word.empty()) out += roff::italic(word);
    word.clear();
    out += c;
  }
  out.pop_back();
  return out;
}

std::string synopsis(const Program& program) {
  std::string out;
  for (const Runnable& command : runnables(program)) {
    if (!out.empty()) out += ".br\n";
    out += roff::bold(full_name(command.path)) + ' ' + set_arguments(*command.path.back()) + '\n';
  }
  return out + ".br\n" + roff::bold(program.name) + ' ' + roff::bold("--help") + " | " +
         roff::bold("--version") + '\n';
}

std::string option_entry(const Option& option) {
  std::string tag;
  if (option.short_name != 0) tag = roff::bold(std::string{'-', option.short_name}) + ", ";
  tag += roff::bold("--" + option.name);
  if (!option.is_flag()) tag += ' ' + roff::italic(option.value);
  const std::string remarks = option_remarks(option);
  return roff::tagged(tag, remarks.empty() ? option.help : option.help + ' ' + remarks);
}

std::string positional_entry(const Positional& positional) {
  std::string out = roff::tagged(roff::italic(positional.name), positional.help);
  if (positional.choices.empty()) return out;
  const auto explained = [](const Choice& choice) { return !choice.help.empty(); };
  if (std::none_of(positional.choices.begin(), positional.choices.end(), explained)) {
    return out + roff::prose("One of " + join(choice_names(positional.choices), ", ") + '.') + '\n';
  }
  out += ".RS\n";
  for (const Choice& choice : positional.choices) out += roff::tagged(roff::bold(choice.name), choice.help);
  return out + ".RE\n";
}

// The options that only this command has, under their headings.
std::string own_options(const Command& command) {
  std::string out;
  for (const std::string& group : groups_of(command.options)) {
    if (!group.empty()) out += ".PP\n" + roff::italic(group) + '\n';
    for (const Option& option : command.options) {
      if (option.group == group) out += option_entry(option);
    }
  }
  return out;
}

std::string commands(const Program& program) {
  std::string out;
  for (const Runnable& command : runnables(program)) {
    const Command& its = *command.path.back();
    if (!command.name.empty()) {
      out +=
          ".SS " + roff::bold(command.name) + ' ' + set_arguments(its) + '\n' + roff::paragraphs(its.summary);
      if (!its.description.empty()) out += ".PP\n";
    }
    out += roff::paragraphs(its.description);
    for (const Positional& positional : its.positionals) out += positional_entry(positional);
    out += own_options(its);
  }
  return out;
}

std::string options(const Program& program) {
  std::vector<Shared> taken;
  for (const Runnable& command : runnables(program)) {
    const auto& more = command.path.back()->shared;
    taken.insert(taken.end(), more.begin(), more.end());
  }
  std::sort(taken.begin(), taken.end());
  taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
  SharedOptions unused;
  std::string out;
  for (const auto& rows : {shared_rows(taken, unused), common_rows(unused), help_rows(true)}) {
    for (const Option& option : rows) out += option_entry(option);
  }
  return out;
}

std::string examples(const Program& program) {
  std::vector<std::string> shown;
  std::string out;
  for (const CommandPath& path : all_commands(program)) {
    for (const Example& example : path.back()->examples) {
      if (std::find(shown.begin(), shown.end(), example.command) != shown.end()) continue;
      shown.push_back(example.command);
      out += ".PP\n" + roff::prose(example.what) + '\n';
      out += roff::display(wrap_command(example.command, kExampleWidth));
    }
  }
  return out;
}

std::string exit_status() {
  const std::pair<const char*, const char*> meanings[] = {
      {"0", "Done; also when the reader of standard output went away."},
      {"1", "It ran, and the answer is no: a check failed, a limit was missed."},
      {"2", "The command line is wrong."},
      {"3", "The input is wrong, or was cut."},
      {"4", "The environment failed: disk, network, memory or device."},
      {"5", "A fault of the program; please report it."},
      {"128+\\fIn\\fR",
       "Ended by signal n after a clean stop: 130 by SIGINT, 143 by SIGTERM. "
       "One that comes 0.1 s after the first, or later, kills."},
  };
  std::string out;
  for (const auto& [status, meaning] : meanings)
    out += roff::tagged("\\fB" + std::string(status) + "\\fR", meaning);
  return out;
}

std::string environment(const Program& program) {
  std::map<std::string, std::string> variables;
  for (const Runnable& command : runnables(program)) {
    for (const Option& option : rows_to_show(command.path)) {
      if (!option.env.empty())
        variables[option.env] = "The value of --" + option.name + " where it is not given.";
    }
  }
  variables["NO_COLOR"] = "If set and not empty, messages are not coloured.";
  std::string out;
  for (const auto& [name, meaning] : variables) out += roff::tagged(roff::bold(name), meaning);
  return out;
}

}  // namespace

std::string man_page(const Program& program, std::string_view prose) {
  return roff::filled(prose, program.version, [&](std::string_view name) {
    if (name == "SYNOPSIS") return synopsis(program);
    if (name == "COMMANDS") return commands(program);
    if (name == "OPTIONS") return options(program);
    if (name == "EXAMPLES") return examples(program);
    if (name == "EXIT STATUS") return exit_status();
    if (name == "ENVIRONMENT") return environment(program);
    throw input_error(
        "the page has a line for @{}@, which is not among SYNOPSIS, COMMANDS, OPTIONS, EXAMPLES, "
        "EXIT STATUS, ENVIRONMENT",
        name);
  });
}

}  // namespace mlq::cli
