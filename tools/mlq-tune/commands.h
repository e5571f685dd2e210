// The commands of mlq-tune, a source each. A command owns its arguments.
#pragma once

#include "lib/cli/program.h"

namespace mlq::tools {

cli::Command init_command();
cli::Command check_command();
cli::Command search_command(const std::string& name);  // search, and run, its other name
cli::Command measure_command();
cli::Command sweep_command();
cli::Command simulate_command();
cli::Command replay_command();
cli::Command compare_command();
cli::Command ask_command();
cli::Command tell_command();
cli::Command live_command();
cli::Command status_command();
cli::Command rollback_command();
cli::Command explain_command();
cli::Command export_command();

}  // namespace mlq::tools
