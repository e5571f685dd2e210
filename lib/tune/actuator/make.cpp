#include <array>

#include "lib/base/error.h"
#include "lib/base/nearest.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {
namespace {

using Make = std::unique_ptr<Actuator> (*)(Fields&, const ActuatorContext&);
constexpr std::array<std::pair<std::string_view, Make>, 5> kTypes = {{{"http", &make_http_actuator},
                                                                      {"file", &make_file_actuator},
                                                                      {"exec", &make_exec_actuator},
                                                                      {"env", &make_env_actuator},
                                                                      {"pipe", &make_pipe_actuator}}};

}  // namespace

std::string_view apply_result_name(ApplyResult result) {
  constexpr std::array<std::string_view, 5> names = {"applied", "refused", "not_applied", "foreign",
                                                     "broken"};
  return names[static_cast<size_t>(result)];
}

std::unique_ptr<Actuator> make_actuator(std::string_view json, const ActuatorContext& context) {
  std::string error;
  const auto object = Json::parse(json, error);
  if (!object) throw input_error("{}: no JSON: {}", context.where, error);
  Fields fields(*object, context.where);
  const std::string type = fields.need_text("type");
  std::vector<std::string> known;
  for (const auto& [name, make] : kTypes) {
    if (name == type) return make(fields, context);
    known.emplace_back(name);
  }
  const std::string near = nearest(type, known);
  throw input_error("{}: there is no type \"{}\" (http file exec env pipe){}", fields.where("type"), type,
                    near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near));
}

}  // namespace mlq::tune
