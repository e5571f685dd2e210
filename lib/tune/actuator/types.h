// The types of actuators, each from its object; internal to this folder. `fields` has not been read but for
// `type`; each calls fields.end().
#pragma once

#include <memory>

#include "lib/tune/actuator/basic.h"

namespace mlq::tune {

std::unique_ptr<Actuator> make_http_actuator(Fields& fields, const ActuatorContext& context);
std::unique_ptr<Actuator> make_file_actuator(Fields& fields, const ActuatorContext& context);
std::unique_ptr<Actuator> make_exec_actuator(Fields& fields, const ActuatorContext& context);
std::unique_ptr<Actuator> make_env_actuator(Fields& fields, const ActuatorContext& context);
std::unique_ptr<Actuator> make_pipe_actuator(Fields& fields, const ActuatorContext& context);

// Changes of a JSON document: {POINTER: VALUE}, texts of values being templates. A value type.
class PatchTemplate {
 public:
  static PatchTemplate parse(std::string document, const Json& set, const std::string& where,
                             const Names& names);
  const std::string& document() const { return document_; }
  // `broken` if a pointer leads nowhere.
  Failed apply(const Scope& scope, Json& document) const;
  // Knobs that the document tells, added to `out`.
  void read(const Json& document, const Space* space, Config& out) const;
  std::string describe(const Scope& scope) const;

 private:
  struct Change {
    std::string pointer;
    std::vector<std::string> tokens;
    JsonTemplate value;
    std::optional<Template::Sole> knob;
  };
  std::string document_;
  std::vector<Change> changes_;
};

}  // namespace mlq::tune
