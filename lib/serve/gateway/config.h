// What mlq-serve serves: a JSON file, or --model on the command line.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/gateway/model_knobs.h"
#include "lib/serve/protocol/request.h"

namespace mlq::serve {

enum class Batchable : uint8_t { automatic, yes, no };

struct ModelConfig {
  std::string name;
  Dialect dialect = Dialect::v2;
  std::vector<std::string> replicas;  // URLs
  std::string upstream_name;          // the model's name at the replicas
  Batchable batchable = Batchable::automatic;
  bool idempotent = true;
  std::vector<std::string> batch_params;     // request parameters that may stand in a batch
  std::vector<std::string> forward_headers;  // lower case; their values are part of the batch key
  std::vector<std::string> broadcast_outputs;
  std::optional<std::string> default_output;  // JSON: of v2 the outputs for one row, else the answer to one
  std::vector<std::string> relay;             // path prefixes that are passed through
  std::optional<std::string> warm_row;        // a request body that an added replica must answer
  // plain: where requests go, and where rows and answers are in them.
  std::string path = "/predict", rows_pointer = "/rows", answers_pointer = "/answers";
  // The knobs that the file names, and their values; the others keep what they have.
  std::map<std::string, KnobValue> knobs;

  bool operator==(const ModelConfig&) const = default;
};

struct ServeConfig {
  std::vector<ModelConfig> models;
};

// The whole of a file's text; `name` is for messages. An input Error names the member that is wrong; of an
// unknown one it suggests the nearest that there is.
ServeConfig parse_config(std::string_view text, std::string_view name);
// The value of a member of "models": for the admin interface. Errors as above.
ModelConfig parse_model_config(std::string_view json, std::string_view model);

// `digits=http://127.0.0.1:8001,http://127.0.0.1:8002`. A usage Error.
ModelConfig parse_model_option(std::string_view text);

// The knobs of a model at the start: the defaults, with what its configuration says. An input Error if they
// break a constraint.
std::vector<KnobValue> knob_values(const ModelConfig& config);

}  // namespace mlq::serve
