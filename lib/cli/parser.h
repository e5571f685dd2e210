// The command line taken apart. The one source that includes CLI11 is parser.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/cli/option.h"

namespace mlq::cli {

struct Parsed {
  std::vector<std::pair<const Option*, std::string>> given;  // in the order of the command line
  std::vector<std::string> words;                            // what is no option
};

// Where options may stand: anywhere before `--`, or only before the first word (and all after it is words).
enum class OptionsStand { anywhere, before_words };

// Knows `--opt value`, `--opt=value`, `-o value`, `-ovalue`, `-qv` and `--`; a word such as -5 is no option.
// `options` must outlive the result. Throws a usage Error for an unknown option, a value that is missing, and
// one too many. Values are not looked at.
Parsed parse_options(const std::vector<Option>& options, const std::vector<std::string>& args,
                     OptionsStand stand);

// Calls `set` of all that was given, in order, then for the options that were not, with their variable's
// value
// (`environment` returns null where a variable is not set). Checks repetition and choices.
void assign_options(const std::vector<Option>& options, const Parsed& parsed,
                    const std::function<const char*(const char*)>& environment);

// Gives the words to the positionals; a usage Error where there are too few or too many.
void assign_positionals(const std::vector<Positional>& positionals, const std::vector<std::string>& words);

// `"Gama" is none of exp, gamma; did you mean "gamma"?`: what to say of a word that is not in `words`.
std::string not_among(std::string_view given, const std::vector<Choice>& words);

}  // namespace mlq::cli
