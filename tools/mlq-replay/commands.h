// The commands of mlq-replay, a source each. A command owns its arguments.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lib/cli/program.h"
#include "lib/records/load.h"
#include "lib/records/reader.h"

namespace mlq::tools {

cli::Command run_command();
cli::Command serve_command();
cli::Command merge_command();
cli::Command report_command();

// What several of them have in common.

records::ReaderOptions reader_options(cli::Context& context);
// The summaries as tables, on standard error.
void print_summaries(cli::Context& context, const std::vector<records::Summary>& summaries);
// Exit status 1 if the objective was missed, and on request if the run cannot be trusted.
ExitKind answer(const records::Summary& all, bool require_valid);
cli::Option require_valid_option(bool& target);

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
cli::Option choice_option(std::string name, std::string value, std::string help, Enum& target,
                          std::vector<std::pair<std::string, Enum>> words) {
  cli::Option option;
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

}  // namespace mlq::tools
