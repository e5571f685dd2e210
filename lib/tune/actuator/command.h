// Commands of an endpoint file: an argv whose words are templates, with environment, folder and log.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/tune/actuator/child.h"
#include "lib/tune/actuator/fields.h"
#include "lib/tune/actuator/template.h"

namespace mlq::tune {

// Names of environment variables and what they hold: {"MAX_BATCH": "${max_rows}"}.
using EnvTemplates = std::vector<std::pair<std::string, Template>>;
EnvTemplates parse_env(Fields& fields, const Names& names);

// Keys cwd and log: where commands of an actuator run, and where their output goes.
struct CommandPlace {
  std::string cwd;
  std::string log;
  static CommandPlace parse(Fields& fields);
};

// A value type.
class CommandTemplate {
 public:
  // From an array of texts.
  static CommandTemplate parse(Fields& fields, std::string_view key, const Names& names);
  ChildSpec fill(const Scope& scope, const EnvTemplates& env, const CommandPlace& place) const;
  std::string describe(const Scope& scope, const EnvTemplates& env) const;

 private:
  std::vector<Template> argv_;
};

}  // namespace mlq::tune
