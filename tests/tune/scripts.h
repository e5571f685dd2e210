// Texts in the JSON of endpoint files, for tests.
#pragma once

#include <string>

#include "lib/tune/actuator/json.h"

namespace mlq::tune::test {

inline std::string text(const std::string& value) { return Json(Json::Value(value)).text(); }

// A script of sh, where a dollar is written twice.
inline std::string script(const std::string& lines) {
  std::string out;
  for (const char c : lines) out += c == '$' ? std::string("$$") : std::string(1, c);
  return text(out);
}

}  // namespace mlq::tune::test
