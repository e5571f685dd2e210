// The rows of the option table that no program writes itself, and how the generators walk the table.
#pragma once

#include <string>
#include <vector>

#include "lib/cli/context.h"
#include "lib/cli/option.h"

namespace mlq::cli {

// The rows of `which`, bound to `target`, which must outlive them.
std::vector<Option> shared_rows(const std::vector<Shared>& which, SharedOptions& target);
// -q, -v, --summary, --progress, --no-progress: in every command that runs.
std::vector<Option> common_rows(SharedOptions& target);
// -h, --help, and for a root --version.
std::vector<Option> help_rows(bool root);

// From the root down to one command.
using CommandPath = std::vector<const Command*>;

// "mlq-loadgen gen": the program's name and those of the commands below the root.
std::string full_name(const CommandPath& path);
bool is_root(const CommandPath& path);

// Every command of a program with the way to it, parents before children, in the order of declaration.
std::vector<CommandPath> all_commands(const Program& program);

// All that a command accepts, in the order in which it is shown.
std::vector<Option> rows_of(const CommandPath& path, SharedOptions& target);
// The same for those who only read names and texts; set must not be called.
std::vector<Option> rows_to_show(const CommandPath& path);

// The words of all that may be chosen.
std::vector<std::string> choice_names(const std::vector<Choice>& choices);

// Headings in the order of their first use.
std::vector<std::string> groups_of(const std::vector<Option>& options);

// The heading of the options that every program has.
inline constexpr const char* kCommonGroup = "Common options";

}  // namespace mlq::cli
