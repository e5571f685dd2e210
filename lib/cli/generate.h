// Everything that is written from a program's option table: help, man page, completions. Pure functions from
// the table to text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/cli/option.h"
#include "lib/cli/table_rows.h"
#include "lib/records/registry.h"

namespace mlq::cli {

// The help of a command, in lines of at most `width` columns (a single longer word excepted).
std::string help_text(const Program& program, const CommandPath& path, size_t width);
// At most ten lines, for those who gave no arguments.
std::string brief_help(const Program& program, const CommandPath& path, size_t width);

// A man(7) page: `prose` with `@VERSION@` and these lines replaced (headings are the prose's business):
//   .\" @SYNOPSIS@     one line for each command
//   .\" @COMMANDS@     each command with what is its own
//   .\" @OPTIONS@      the options that mean the same in every command
//   .\" @EXAMPLES@     .\" @EXIT STATUS@     .\" @ENVIRONMENT@
// Throws an input Error for another line of that form.
std::string man_page(const Program& program, std::string_view prose);

// The page mlq-records(5): `prose` with `@VERSION@` and the line `.\" @RECORDS@` replaced.
std::string records_page(const Program& program, const std::vector<records::TypeInfo>& types,
                         std::string_view prose);

std::string bash_completion(const Program& program);
std::string zsh_completion(const Program& program);
std::string fish_completion(const Program& program);

// Parts that several of these share.

// "[options] PROCESS [NAME] [FILE...]", or "COMMAND ...".
std::string arguments_line(const Command& command);
// "(default: 1; may be repeated; environment: MLQ_SEED)" and such, or "".
std::string option_remarks(const Option& option);
// The examples of a command, or of the program if it has none.
const std::vector<Example>& examples_of(const Program& program, const Command& command);
// Help for a shell's menu: the first sentence, without its full stop.
std::string first_sentence(std::string_view help);

}  // namespace mlq::cli
