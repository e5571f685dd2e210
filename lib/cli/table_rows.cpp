#include "lib/cli/table_rows.h"

#include <algorithm>

#include "lib/base/random.h"
#include "lib/base/units.h"

namespace mlq::cli {
namespace {

constexpr unsigned kMostThreads = 1024;

unsigned parse_threads(std::string_view text) {
  const uint64_t threads = parse_count(text);
  if (threads > kMostThreads)
    throw usage_error("{} threads asked, but {} is the most", threads, kMostThreads);
  return static_cast<unsigned>(threads);
}

Option counted_flag(std::string name, std::string help, int& target) {
  Option option;
  option.name = std::move(name);
  option.help = std::move(help);
  option.repeat = true;
  option.set = [&target](std::string_view) { ++target; };
  return option;
}

Option shared_row(Shared which, SharedOptions& to) {
  switch (which) {
    case Shared::output:
      return text("output", "FILE",
                  "Write to FILE, which is there at the end, whole; a name that ends in .zst is compressed.",
                  to.output)
          .shortened('o')
          .shown_default("-, standard output")
          .file();
    case Shared::threads:
      return value_option("threads", "N", "Use N threads; the output does not depend on it.", to.threads,
                          parse_threads)
          .shortened('j')
          .shown_default("one for each core")
          .from_environment("MLQ_THREADS");
    case Shared::seed:
      return value_option("seed", "SEED", "Seed of all randomness: a number of 64 bits, or any text.",
                          to.seed,
                          [&to](std::string_view given) {
                            to.seed_given = true;
                            return parse_seed(given);
                          })
          .shown_default("1");
    case Shared::strict:
      return flag("strict", "Refuse records with unknown types or fields instead of passing over them.",
                  to.strict);
    case Shared::no_provenance:
      return flag("no-provenance", "Leave out the run and end records.", to.provenance, false);
    case Shared::allow_truncated:
      return flag("allow-truncated",
                  "Accept input that was cut: a stream with a run record but no end record.",
                  to.allow_truncated);
  }
  throw std::logic_error("a shared option that is not in the table");
}

void walk(const CommandPath& path, std::vector<CommandPath>& out) {
  out.push_back(path);
  for (const Command& command : path.back()->commands) {
    CommandPath below = path;
    below.push_back(&command);
    walk(below, out);
  }
}

void append(std::vector<Option>& to, std::vector<Option> more, const char* group) {
  for (Option& option : more) {
    if (group != nullptr) option.group = group;
    to.push_back(std::move(option));
  }
}

}  // namespace

Command& Command::add(const std::string& group, std::vector<Option> more) {
  append(options, std::move(more), group.c_str());
  return *this;
}

std::vector<Option> shared_rows(const std::vector<Shared>& which, SharedOptions& target) {
  std::vector<Option> rows;
  rows.reserve(which.size());
  for (const Shared one : which) rows.push_back(shared_row(one, target));
  return rows;
}

std::vector<Option> common_rows(SharedOptions& target) {
  return {
      flag("summary", "Print the summary on standard error even where that is no terminal.", target.summary),
      flag("progress", "Show progress on standard error even where that is no terminal.", target.progress),
      flag("no-progress", "Show no progress.", target.progress, false),
      flag("quiet", "Print warnings and errors only.", target.quiet).shortened('q'),
      counted_flag("verbose", "Say more about what is done.", target.verbose).shortened('v'),
  };
}

std::vector<Option> help_rows(bool root) {
  const auto nothing = [](std::string_view) {};
  std::vector<Option> rows(1);
  rows[0].name = "help";
  rows[0].short_name = 'h';
  rows[0].help = "Print this help.";
  rows[0].set = nothing;
  if (root) {
    rows.emplace_back();
    rows[1].name = "version";
    rows[1].help = "Print the version.";
    rows[1].set = nothing;
  }
  return rows;
}

std::string full_name(const CommandPath& path) {
  std::string name;
  for (const Command* command : path) {
    if (!name.empty()) name += ' ';
    name += command->name;
  }
  return name;
}

bool is_root(const CommandPath& path) { return path.size() == 1; }

std::vector<CommandPath> all_commands(const Program& program) {
  std::vector<CommandPath> out;
  walk({&program.root}, out);
  return out;
}

std::vector<Option> rows_of(const CommandPath& path, SharedOptions& target) {
  const Command& command = *path.back();
  std::vector<Option> rows = command.options;
  if (command.run) {
    append(rows, shared_rows(command.shared, target), kCommonGroup);
    append(rows, common_rows(target), kCommonGroup);
  }
  append(rows, help_rows(is_root(path)), kCommonGroup);
  return rows;
}

std::vector<Option> rows_to_show(const CommandPath& path) {
  static SharedOptions unused;
  return rows_of(path, unused);
}

std::vector<std::string> choice_names(const std::vector<Choice>& choices) {
  std::vector<std::string> names;
  names.reserve(choices.size());
  for (const Choice& choice : choices) names.push_back(choice.name);
  return names;
}

std::vector<std::string> groups_of(const std::vector<Option>& options) {
  std::vector<std::string> groups;
  for (const Option& option : options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  return groups;
}

}  // namespace mlq::cli
