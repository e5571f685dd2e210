// The members of an object that a user wrote, read one by one, so that none is passed over in silence.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/tune/actuator/json.h"

namespace mlq::tune {

// Refers to the object, which must outlive it. Every function that reads a member throws an input Error if it
// is of another kind; messages begin with `where` and the member's name, as in "s.json: actuator.ready.url".
class Fields {
 public:
  Fields(const Json& object, std::string where);

  const Json* find(std::string_view name);  // null: not there
  const Json& need(std::string_view name);  // an Error if it is not there
  std::optional<std::string> text(std::string_view name);
  std::string need_text(std::string_view name);
  std::optional<bool> flag(std::string_view name);
  std::optional<int64_t> duration_ns(std::string_view name);  // "2s"; a bare number is refused, but for 0
  std::optional<uint64_t> count(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name);  // of an array that is not empty
  // To be called when all members that there may be have been asked for: an Error if there are others.
  void end() const;

  std::string where(std::string_view name) const { return where_ + "." + std::string(name); }
  const std::string& where() const { return where_; }
  const Json& object() const { return object_; }

 private:
  const Json& object_;
  std::string where_;
  std::vector<std::string> known_;
};

}  // namespace mlq::tune
