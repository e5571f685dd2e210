// Members of a JSON file, with messages that say where in the file they stand: `space.json: knobs.rows.min:
// `.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"

namespace mlq::tune {

struct Place {
  std::string file;
  std::string key;

  Place in(std::string_view name) const {
    return {file, key.empty() ? std::string(name) : key + "." + std::string(name)};
  }
  Place at(size_t index) const { return {file, fmt::format("{}[{}]", key, index)}; }
  std::string text() const { return key.empty() ? file : file + ": " + key; }
  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("{}: {}", text(), fmt::format(format, std::forward<Args>(args)...));
  }
};

// Errors if the value is not of that kind.
std::vector<jsonl::Member> members_of(const jsonl::Value& value, const Place& place);
std::string text_of(const jsonl::Value& value, const Place& place);
bool flag_of(const jsonl::Value& value, const Place& place);
uint32_t count_of(const jsonl::Value& value, const Place& place);
// 0.01 or "1%"; from 0 to 1.
double share_of(const jsonl::Value& value, const Place& place);
// "60s", or 0.
int64_t duration_of(const jsonl::Value& value, const Place& place);
// An object's text.
std::string object_text(const jsonl::Value& value, const Place& place);
// One of the words; `words` is what a message lists.
size_t word_of(const jsonl::Value& value, const Place& place, const std::vector<std::string>& words);
// An Error for a member that is not known, with the nearest that is, or that is there twice.
void check_members(const std::vector<jsonl::Member>& members, const Place& place,
                   const std::vector<std::string>& known);
// Null if there is none.
const jsonl::Value* find_member(const std::vector<jsonl::Member>& members, std::string_view name);

// `; did you mean "rows"?`, or nothing.
std::string meant(std::string_view given, const std::vector<std::string>& known);

}  // namespace mlq::tune
