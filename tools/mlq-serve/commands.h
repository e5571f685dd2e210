// The commands of mlq-serve, a source each.
#pragma once

#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/serve/gateway/gateway.h"

namespace mlq::tools {

cli::Command run_command();
cli::Command check_command();

// What both need to know: which models, and with which knobs.
struct ModelArguments {
  std::string config_file;
  std::vector<std::string> models;  // NAME=URL[,URL..]
  std::string slo;
  std::vector<std::string> settings;  // [MODEL.]KNOB=VALUE
};
void add_models(cli::Command& command, ModelArguments& arguments);
// An input Error names what is wrong in the file, a usage Error what is wrong on the command line.
serve::ServeConfig read_models(const ModelArguments& arguments);

}  // namespace mlq::tools
