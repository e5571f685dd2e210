// The commands of mlq-replay, a source each. A command owns its arguments.
#pragma once

#include <string>
#include <string_view>
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

}  // namespace mlq::tools
