#include "lib/cli/generate.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

constexpr size_t kExamplesShown = 3;
constexpr size_t kBriefLines = 10;
constexpr size_t kWidestLeft = 26;  // a longer left column gets its own line

// What an entry of a list looks like: what it is called, and what it is.
struct Entry {
  std::string left;
  std::string right;
};

std::string option_left(const Option& option) {
  std::string left = option.short_name != 0 ? std::string{'-', option.short_name, ',', ' '} : "    ";
  left += "--" + option.name;
  if (!option.is_flag()) left += ' ' + option.value;
  return left;
}

std::string option_right(const Option& option) {
  const std::string remarks = option_remarks(option);
  return remarks.empty() ? option.help : option.help + ' ' + remarks;
}

void put_lines(std::string& out, const std::vector<std::string>& lines, std::string_view indent = "") {
  for (const std::string& line : lines) {
    if (!line.empty()) out += indent;
    out += line;
    out += '\n';
  }
}

void put_entries(std::string& out, const std::vector<Entry>& entries, size_t width) {
  size_t widest = 0;
  for (const Entry& entry : entries) {
    const size_t left = columns(entry.left);
    if (left <= kWidestLeft) widest = std::max(widest, left);
  }
  const size_t column = 2 + widest + 2;
  for (const Entry& entry : entries) {
    std::string line = "  " + entry.left;
    const auto right = wrap(entry.right, width - column);
    size_t first = 0;
    if (columns(entry.left) <= widest && !entry.right.empty()) {
      line += std::string(column - columns(line), ' ') + right[first++];
    }
    out += line + '\n';
    if (entry.right.empty()) continue;
    put_lines(out, {right.begin() + static_cast<std::ptrdiff_t>(first), right.end()},
              std::string(column, ' '));
  }
}

void put_commands(std::string& out, const Command& command, size_t width) {
  if (command.commands.empty()) return;
  std::vector<Entry> entries;
  for (const Command& below : command.commands) entries.push_back({below.name, below.summary});
  out += "\nCommands:\n";
  put_entries(out, entries, width);
}

void put_positionals(std::string& out, const Command& command, size_t width) {
  if (command.positionals.empty()) return;
  std::vector<Entry> entries;
  for (const Positional& positional : command.positionals)
    entries.push_back({positional.name, positional.help});
  out += "\nArguments:\n";
  put_entries(out, entries, width);
  for (const Positional& positional : command.positionals) {
    if (positional.choices.empty()) continue;
    entries.clear();
    for (const Choice& choice : positional.choices) entries.push_back({choice.name, choice.help});
    out += '\n' + positional.name + ":\n";
    put_entries(out, entries, width);
  }
}

void put_options(std::string& out, const CommandPath& path, size_t width) {
  const std::vector<Option> options = rows_to_show(path);
  for (const std::string& group : groups_of(options)) {
    std::vector<Entry> entries;
    for (const Option& option : options) {
      if (option.group == group) entries.push_back({option_left(option), option_right(option)});
    }
    out += '\n' + (group.empty() ? "Options" : group) + ":\n";
    put_entries(out, entries, width);
  }
}

void put_examples(std::string& out, const std::vector<Example>& examples, size_t width) {
  if (examples.empty()) return;
  out += "\nExamples:\n";
  for (size_t i = 0; i < std::min(examples.size(), kExamplesShown); ++i) {
    put_lines(out, wrap(examples[i].what, width - 4), "  # ");
    put_lines(out, wrap_command(examples[i].command, width - 2), "  ");
  }
}

std::string usage_line(const CommandPath& path) {
  return "usage: " + full_name(path) + ' ' + arguments_line(*path.back());
}

const std::string& summary_of(const Program& program, const CommandPath& path) {
  return is_root(path) ? program.summary : path.back()->summary;
}

}  // namespace

std::string help_text(const Program& program, const CommandPath& path, size_t width) {
  const Command& command = *path.back();
  std::string out;
  put_lines(out, wrap(usage_line(path), width));
  out += '\n';
  put_lines(out, wrap(summary_of(program, path), width));
  if (!command.description.empty()) {
    out += '\n';
    put_lines(out, wrap(command.description, width));
  }
  put_commands(out, command, width);
  put_positionals(out, command, width);
  put_options(out, path, width);
  put_examples(out, examples_of(program, command), width);
  return out;
}

std::string brief_help(const Program& program, const CommandPath& path, size_t width) {
  const Command& command = *path.back();
  const std::string last = "More: " + full_name(path) + " --help";
  std::vector<std::string> lines;
  const auto add = [&](const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  add(wrap(usage_line(path), width));
  add(wrap(summary_of(program, path), width));
  std::vector<std::string> names;
  for (const Command& below : command.commands) names.push_back(below.name);
  if (!names.empty()) add(wrap("Commands: " + join(names, " "), width));
  // As many whole examples as ten lines hold.
  for (const Example& example : examples_of(program, command)) {
    const auto broken = wrap_command(example.command, width - 2);
    if (lines.size() + broken.size() + 1 > kBriefLines) break;
    for (const std::string& line : broken) lines.push_back("  " + line);
  }
  if (lines.size() >= kBriefLines) lines.resize(kBriefLines - 1);
  lines.push_back(last);
  std::string out;
  put_lines(out, lines);
  return out;
}

}  // namespace mlq::cli
