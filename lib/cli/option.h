// What a program declares about its command line: one table, from which the parser, the help text, the man
// page and the completions of bash, zsh and fish come. Plain values without behaviour of their own; a program
// builds its table once, in main, so that nothing is constructed before it.
#pragma once

#include <concepts>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace mlq::cli {

class Context;

// What a shell offers where a value is typed, apart from the choices.
enum class Complete { none, file, directory };

// One of the words that a value may be, with a few words on it (may be empty).
struct Choice {
  Choice(const char* word) : name(word) {}             // NOLINT(google-explicit-constructor)
  Choice(std::string word) : name(std::move(word)) {}  // NOLINT(google-explicit-constructor)
  Choice(std::string word, std::string text) : name(std::move(word)), help(std::move(text)) {}
  std::string name;
  std::string help;
};

// One option. `set` is called once for each time the option is given, in the order of the command line, with
// the value ("" for a flag); it throws a usage Error whose message does not name the option: `--rate: ` is
// put in front. Without the option, `set` gets the value of the variable `env`, if that is set and not empty.
struct Option {
  std::string name = {};             // long name without dashes: "rate"
  char short_name = 0;               // 'j', or 0
  std::string value = {};            // what stands for the value in the help: "RATE"; empty for a flag
  std::string help = {};             // one sentence
  std::string default_text = {};     // shown as (default: ...); empty: nothing is shown
  std::string group = {};            // heading in help and man page
  std::vector<Choice> choices = {};  // offered by completion
  bool closed = true;                // only the choices are accepted (if there are any)
  Complete complete = Complete::none;
  bool repeat = false;   // several times add up; a flag without it may be given again, to no effect
  std::string env = {};  // of a value option: variable that gives the value when it is not given
  std::function<void(std::string_view)> set = {};

  bool is_flag() const { return value.empty(); }

  // The rest of the table row, in the manner of: value_option(...).shown_default("exp").suggest({"exp",
  // "gamma"}).
  Option shortened(char letter) && { return short_name = letter, std::move(*this); }
  Option shown_default(std::string text) && { return default_text = std::move(text), std::move(*this); }
  Option one_of(std::vector<Choice> words) && { return choices = std::move(words), std::move(*this); }
  Option suggest(std::vector<Choice> words) && {  // as one_of, but other values are accepted too
    closed = false;
    return choices = std::move(words), std::move(*this);
  }
  Option file() && { return complete = Complete::file, std::move(*this); }
  Option directory() && { return complete = Complete::directory, std::move(*this); }
  Option from_environment(std::string variable) && { return env = std::move(variable), std::move(*this); }
};

// One argument without dashes; in Command::positionals the required stand before the others, and only the
// last may repeat. `set` as for an option; `NAME: ` is put in front of its message.
struct Positional {
  enum class Arity { required, optional, one_or_more, any_number };
  std::string name = {};  // "PROCESS", "FILE"
  std::string help = {};  // one sentence
  Arity arity = Arity::required;
  std::vector<Choice> choices = {};  // listed in the help with their texts, offered by completion
  bool closed = true;                // only the choices are accepted (if there are any)
  Complete complete = Complete::none;
  std::function<void(std::string_view)> set = {};

  bool is_required() const { return arity == Arity::required || arity == Arity::one_or_more; }
  bool repeats() const { return arity == Arity::one_or_more || arity == Arity::any_number; }
};

// A command line that works as it stands, and what it is good for.
struct Example {
  std::string command = {};
  std::string what = {};
};

// The options that mean the same in every program. They are declared here once; a command says which it takes
// and finds the values in Context::shared(). -q, -v, --progress, --no-progress, --summary and --help
// belong to every command.
enum class Shared { output, threads, seed, strict, no_provenance, allow_truncated };

// A command: either with commands below it, or with a run of its own.
struct Command {
  std::string name = {};         // "gen"; of a program's root: the program's name
  std::string summary = {};      // one line, for lists
  std::string description = {};  // paragraphs, separated by blank lines; plain text
  std::vector<Shared> shared = {};
  std::vector<Option> options = {};
  std::vector<Positional> positionals = {};
  std::vector<Example> examples = {};  // the help ends with the first three, or with the program's
  std::vector<Command> commands = {};
  std::function<ExitKind(Context&)> run = {};

  // Adds options under a heading; headings appear in the order of their first use.
  Command& add(const std::string& group, std::vector<Option> more);
};

// A program. Its root has commands, or is itself the one command; the examples in its help are root.examples.
struct Program {
  std::string name = {};          // "mlq-loadgen"
  std::string version = {};       // "0.1.0"
  std::string summary = {};       // one line
  std::string version_note = {};  // a second line of --version: what this build lacks
  Command root = {};
};

// Values that can be added to several times.
template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

// What a target holds: T of T, std::optional<T> and std::vector<T>.
template <class T>
struct HeldBy {
  using type = T;
};
template <class T>
struct HeldBy<std::optional<T>> {
  using type = T;
};
template <class T>
struct HeldBy<std::vector<T>> {
  using type = T;
};

// `value` as a Target; a usage Error if it is an integer that a Target cannot hold.
template <class Target, class Value>
Target converted(Value&& value) {
  using V = std::remove_cvref_t<Value>;
  if constexpr (std::is_integral_v<Target> && std::is_integral_v<V> && !std::is_same_v<V, bool> &&
                !std::is_same_v<Target, bool>) {
    if (!std::in_range<Target>(value))
      throw usage_error("{} does not fit; the largest is {}", value, std::numeric_limits<Target>::max());
    return static_cast<Target>(value);
  } else {
    return std::forward<Value>(value);
  }
}

// An option whose value `parse` (such as mlq::parse_duration) turns into T. The target is a T, a
// std::optional<T>, or a std::vector<T>, which makes the option repeatable. It must outlive the parse.
template <class Target, std::invocable<std::string_view> Parse>
Option value_option(std::string name, std::string value, std::string help, Target& target, Parse parse) {
  Option option;
  option.name = std::move(name);
  option.value = std::move(value);
  option.help = std::move(help);
  option.repeat = is_list<Target>;
  option.set = [&target, parse = std::move(parse)](std::string_view text) {
    auto parsed = converted<typename HeldBy<Target>::type>(parse(text));
    if constexpr (is_list<Target>) {
      target.push_back(std::move(parsed));
    } else {
      target = std::move(parsed);
    }
  };
  return option;
}

// An option whose value is the text itself: std::string, std::optional<std::string> or
// std::vector<std::string>.
template <class Target>
Option text(std::string name, std::string value, std::string help, Target& target) {
  return value_option(std::move(name), std::move(value), std::move(help), target,
                      [](std::string_view given) { return std::string(given); });
}

// A flag that sets `target` to `value`; the target is a bool, or an optional of one.
template <class Target>
Option flag(std::string name, std::string help, Target& target, bool value = true) {
  Option option;
  option.name = std::move(name);
  option.help = std::move(help);
  option.set = [&target, value](std::string_view) { target = value; };
  return option;
}

// A positional whose text goes through `parse`; targets as for value_option.
template <class Target, std::invocable<std::string_view> Parse>
Positional value_positional(std::string name, Positional::Arity arity, std::string help, Target& target,
                            Parse parse) {
  Positional positional;
  positional.set = value_option("", name, "", target, std::move(parse)).set;
  positional.name = std::move(name);
  positional.help = std::move(help);
  positional.arity = arity;
  return positional;
}

// A positional that is kept as it is.
template <class Target>
Positional text_positional(std::string name, Positional::Arity arity, std::string help, Target& target) {
  return value_positional(std::move(name), arity, std::move(help), target,
                          [](std::string_view given) { return std::string(given); });
}

// A positional that is the path of a file.
template <class Target>
Positional file_positional(std::string name, Positional::Arity arity, std::string help, Target& target) {
  Positional positional = text_positional(std::move(name), arity, std::move(help), target);
  positional.complete = Complete::file;
  return positional;
}

// `parse`, of a quantity that must be above 0.
template <class Parse>
auto above_zero(Parse parse) {
  return [parse](std::string_view text) {
    const auto value = parse(text);
    using Value = std::remove_cv_t<decltype(value)>;
    bool above = value != Value{};
    if constexpr (std::is_arithmetic_v<Value>) above = value > 0;
    if (!above) throw usage_error("\"{}\" must be above 0", text);
    return value;
  };
}

// A value that is one of some words; the default is what the target holds.
template <class Enum>
Option choice_option(std::string name, std::string value, std::string help, Enum& target,
                     std::vector<std::pair<std::string, Enum>> words) {
  Option option;
  option.name = std::move(name);
  option.value = std::move(value);
  option.help = std::move(help);
  for (const auto& [word, meaning] : words) {
    option.choices.emplace_back(word);
    if (meaning == target) option.default_text = word;
  }
  option.set = [&target, words = std::move(words)](std::string_view text) {
    for (const auto& [word, meaning] : words) {
      if (word == text) target = meaning;
    }
  };
  return option;
}

}  // namespace mlq::cli
