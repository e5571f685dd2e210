#include "lib/cli/parser.h"

#include <CLI/CLI.hpp>
#include <map>

#include "lib/base/nearest.h"
#include "lib/cli/table_rows.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

std::string dashed(const Option& option) { return "--" + option.name; }

bool looks_like_option(const std::string& arg) {
  const bool negative_number = arg.size() > 1 && (arg[1] == '.' || (arg[1] >= '0' && arg[1] <= '9'));
  return arg.size() > 1 && arg[0] == '-' && !negative_number;
}

const Option* find_dashed(const std::vector<Option>& options, std::string_view arg) {
  for (const Option& option : options) {
    if (arg == dashed(option)) return &option;
    if (option.short_name != 0 && arg == std::string{'-', option.short_name}) return &option;
  }
  return nullptr;
}

Error unknown_option(const std::vector<Option>& options, const std::string& arg) {
  const std::string name = arg.starts_with("--") ? arg.substr(0, arg.find('=')) : arg.substr(0, 2);
  std::vector<std::string> known;
  known.reserve(options.size());
  for (const Option& option : options) known.push_back(dashed(option));
  const std::string near = name.starts_with("--") ? nearest(name, known) : "";
  if (near.empty()) return usage_error("unknown option \"{}\"; --help lists the options", name);
  return usage_error("unknown option \"{}\"; did you mean \"{}\"?", name, near);
}

Error missing_value(const Option& option) {
  return usage_error("{}: a value is missing: {} {}", dashed(option), dashed(option), option.value);
}

// CLI11 takes `--opt=` for an option without value; as two arguments the empty value is safe.
std::vector<std::string> with_empty_values_apart(const std::vector<Option>& options,
                                                 const std::vector<std::string>& args) {
  std::vector<std::string> out;
  bool after_mark = false;
  for (const std::string& arg : args) {
    after_mark = after_mark || arg == "--";
    const Option* option = nullptr;
    if (!after_mark && arg.ends_with('=')) option = find_dashed(options, arg.substr(0, arg.size() - 1));
    if (option != nullptr && !option->is_flag() && arg.starts_with("--")) {
      out.push_back(dashed(*option));
      out.emplace_back();
    } else {
      out.push_back(arg);
    }
  }
  return out;
}

void declare(CLI::App& app, const Option& option, std::map<const CLI::Option*, const Option*>& known) {
  std::string names = dashed(option);
  if (option.short_name != 0) names += std::string(",-") + option.short_name;
  CLI::Option* added = nullptr;
  if (option.is_flag()) {
    added = app.add_flag(names)->disable_flag_override();
  } else {
    added =
        app.add_option(names)->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(false);
  }
  known[added->take_all()] = &option;
}

// CLI11 reports in its own words and does not say which option it means; the same is found out again here.
Error in_our_words(const std::vector<Option>& options, const std::vector<std::string>& args,
                   const CLI::ParseError& error) {
  for (const std::string& arg : args) {
    if (arg == "--") break;
    const size_t equals = arg.find('=');
    const Option* option =
        equals == std::string::npos ? nullptr : find_dashed(options, arg.substr(0, equals));
    if (option != nullptr && option->is_flag()) return usage_error("{}: it takes no value", dashed(*option));
  }
  const std::string& last = args.back();
  const bool cluster = last.size() > 2 && last[0] == '-' && last[1] != '-';
  const Option* option = find_dashed(options, cluster ? std::string{'-', last.back()} : last);
  if (option != nullptr && !option->is_flag()) return missing_value(*option);
  return usage_error("{}", error.what());
}

// `--rate --duration 5s` gives --duration to --rate as its value; nobody means that.
void refuse_option_as_value(const std::vector<Option>& options, const std::vector<std::string>& args,
                            const Parsed& parsed) {
  for (const auto& [option, value] : parsed.given) {
    if (option->is_flag() || !value.starts_with("--") || find_dashed(options, value) == nullptr) continue;
    if (std::find(args.begin(), args.end(), value) != args.end()) throw missing_value(*option);
  }
}

void collect_words(const std::vector<Option>& options, OptionsStand stand, const CLI::App& app,
                   Parsed& parsed) {
  bool after_mark = false;
  for (const std::string& arg : app.remaining()) {
    const bool words_only = after_mark || (stand == OptionsStand::before_words && !parsed.words.empty());
    if (!words_only && arg == "--") {
      after_mark = true;
    } else if (!words_only && looks_like_option(arg)) {
      throw unknown_option(options, arg);
    } else {
      parsed.words.push_back(arg);
    }
  }
}

void check_choice(const std::vector<Choice>& choices, bool closed, std::string_view value) {
  if (!closed || choices.empty()) return;
  const auto same = [value](const Choice& choice) { return choice.name == value; };
  if (std::none_of(choices.begin(), choices.end(), same)) throw usage_error("{}", not_among(value, choices));
}

// As of a variable of a script that is not set.
void refuse_empty_name(Complete complete, std::string_view value) {
  if (complete != Complete::none && value.empty())
    throw usage_error("the name is empty; name a {}", complete == Complete::file ? "file" : "folder");
}

// Runs `action`; a usage Error from it gets `who` in front.
template <class Action>
void named(const std::string& who, Action action) {
  try {
    action();
  } catch (const Error& error) {
    throw Error(error.kind(), who + ": " + error.what());
  }
}

}  // namespace

Parsed parse_options(const std::vector<Option>& options, const std::vector<std::string>& args,
                     OptionsStand stand) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.prefix_command(stand == OptionsStand::before_words);
  std::map<const CLI::Option*, const Option*> known;
  for (const Option& option : options) declare(app, option, known);

  std::vector<std::string> reversed = with_empty_values_apart(options, args);
  std::reverse(reversed.begin(), reversed.end());
  Parsed parsed;
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    throw in_our_words(options, args, error);
  }
  std::map<const CLI::Option*, size_t> seen;
  for (const CLI::Option* option : app.parse_order()) {
    parsed.given.emplace_back(known.at(option), option->results().at(seen[option]++));
  }
  collect_words(options, stand, app, parsed);
  refuse_option_as_value(options, args, parsed);
  return parsed;
}

void assign_options(const std::vector<Option>& options, const Parsed& parsed,
                    const std::function<const char*(const char*)>& environment) {
  std::map<const Option*, std::string> seen;
  for (const auto& [option, value] : parsed.given) {
    const auto [before, first] = seen.emplace(option, value);
    if (!first && !option->repeat && !option->is_flag()) {
      throw usage_error("{}: given twice, as \"{}\" and as \"{}\"", dashed(*option), before->second, value);
    }
    named(dashed(*option), [&, &chosen = *option, &text = value] {
      check_choice(chosen.choices, chosen.closed, text);
      refuse_empty_name(chosen.complete, text);
      chosen.set(chosen.is_flag() ? "" : text);
    });
  }
  for (const Option& option : options) {
    if (option.env.empty() || seen.contains(&option)) continue;
    const char* value = environment(option.env.c_str());
    if (value == nullptr || *value == '\0') continue;
    named("environment variable " + option.env, [&] {
      check_choice(option.choices, option.closed, value);
      option.set(value);
    });
  }
}

void assign_positionals(const std::vector<Positional>& positionals, const std::vector<std::string>& words) {
  size_t next = 0;
  for (const Positional& positional : positionals) {
    if (next == words.size() && positional.is_required()) {
      throw usage_error("{} is missing: {}", positional.name, positional.help);
    }
    const size_t take = positional.repeats() ? words.size() : std::min(next + 1, words.size());
    for (; next < take; ++next) {
      named(positional.name, [&] {
        check_choice(positional.choices, positional.closed, words[next]);
        refuse_empty_name(positional.complete, words[next]);
        positional.set(words[next]);
      });
    }
  }
  if (next < words.size()) throw usage_error("unexpected argument \"{}\"", words[next]);
}

std::string not_among(std::string_view given, const std::vector<Choice>& words) {
  const std::vector<std::string> names = choice_names(words);
  const std::string near = nearest(given, names);
  if (!near.empty()) return fmt::format("\"{}\" is unknown; did you mean \"{}\"?", given, near);
  return fmt::format("\"{}\" is unknown; it must be one of {}", given, join(names, ", "));
}

}  // namespace mlq::cli
