#include <fmt/format.h>

#include <algorithm>

#include "lib/cli/generate.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

std::string key_of(const CommandPath& path) { return full_name(CommandPath(path.begin() + 1, path.end())); }

std::vector<std::string> dashed_names(const Option& option) {
  std::vector<std::string> names{"--" + option.name};
  if (option.short_name != 0) names.push_back(std::string{'-', option.short_name});
  return names;
}

// `'gen') commands='' options='--rate ...' takes=' --rate -o ' ;;`
std::string table_row(const CommandPath& path) {
  std::vector<std::string> commands, options, takes;
  for (const Command& below : path.back()->commands) commands.push_back(below.name);
  for (const Option& option : rows_to_show(path)) {
    for (const std::string& name : dashed_names(option)) {
      options.push_back(name);
      if (!option.is_flag()) takes.push_back(name);
    }
  }
  return fmt::format("    '{}') commands='{}' options='{}' takes=' {} ' ;;\n", key_of(path),
                     join(commands, " "), join(options, " "), join(takes, " "));
}

// What is offered for a value: words, or files; "" if nothing is.
std::string offer(const std::vector<Choice>& choices, Complete complete) {
  if (!choices.empty()) return "words='" + join(choice_names(choices), " ") + "'";
  if (complete == Complete::file) return "words=-f";
  if (complete == Complete::directory) return "words=-d";
  return "";
}

std::string value_rows(const CommandPath& path) {
  std::string out;
  for (const Option& option : rows_to_show(path)) {
    const std::string offered = offer(option.choices, option.complete);
    if (option.is_flag() || offered.empty()) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : dashed_names(option))
      patterns.push_back('\'' + key_of(path) + ':' + name + '\'');
    out += fmt::format("    {}) {} ;;\n", join(patterns, " | "), offered);
  }
  const auto& positionals = path.back()->positionals;
  for (size_t i = 0; i < positionals.size(); ++i) {
    const std::string offered = offer(positionals[i].choices, positionals[i].complete);
    if (offered.empty()) continue;
    // The argument that repeats is the last one, so it may stand for all later places.
    const std::string place = positionals[i].repeats() ? "*" : std::to_string(i);
    out += fmt::format("    '{}:#'{}) {} ;;\n", key_of(path), place, offered);
  }
  return out;
}

constexpr const char* kScript =
    R"(# bash completion for @PROGRAM@; made by `@PROGRAM@ --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_@NAME@_table() {
  case $command in
@TABLE@  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_@NAME@_words() {
  case $1 in
@VALUES@  esac
}

_@NAME@() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' commands options takes words='' word place=0 i
  COMPREPLY=()
  # "--option=value" arrives as three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $previous == : || $current == : ]]; then
    return
  fi

  _@NAME@_table
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == [=:] ]]; then
      ((i++))
    elif [[ $takes == *" $word "* ]]; then
      [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
      ((i++))
    elif [[ $word == -?* ]]; then
      continue
    elif [[ " $commands " == *" $word "* ]]; then
      command+=${command:+ }$word
      place=0
      _@NAME@_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _@NAME@_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _@NAME@_words "$command:#$place"
  fi
  case $words in
    '') ;;
    -f | -d)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen "$words" -- "$current")
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
  esac
}

complete -F _@NAME@ @PROGRAM@
)";

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

std::string bash_completion(const Program& program) {
  std::string table, values;
  for (const CommandPath& path : all_commands(program)) {
    table += table_row(path);
    values += value_rows(path);
  }
  std::string script = kScript;
  replace_all(script, "@TABLE@", table);
  replace_all(script, "@VALUES@", values);
  std::string name = program.name;
  std::replace(name.begin(), name.end(), '-', '_');
  replace_all(script, "@NAME@", name);
  replace_all(script, "@PROGRAM@", program.name);
  return script;
}

}  // namespace mlq::cli
