// The commands of mlq-model, a source each, and what they have in common. A command owns its arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/serve/model/load.h"

namespace mlq::tools {

cli::Command run_command();
cli::Command check_command();

// The word that stands for the digits model that comes with mlq.
constexpr std::string_view kDigits = "digits";

// Which model is meant.
struct ModelArguments {
  std::optional<serve::model::Backend> backend;
  std::string model;  // path, `digits`, or nothing
  bool echo = false;
  bool isolate = false;
};
std::vector<cli::Option> model_options(ModelArguments& arguments);

// The back end that was said, or the linear one for digits: the smallest good one. A usage Error without
// both.
serve::model::Backend chosen_backend(const ModelArguments& arguments);
serve::model::ModelMaker make_models(const ModelArguments& arguments);
// A file of the digits that come with mlq.
std::string digits_file(std::string_view name);

}  // namespace mlq::tools
