#include "lib/tune/space/place.h"

#include <algorithm>
#include <limits>

#include "lib/base/nearest.h"
#include "lib/base/units.h"

namespace mlq::tune {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;

std::string meant(std::string_view given, const std::vector<std::string>& known) {
  const std::string near = nearest(given, known);
  return near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near);
}

std::vector<Member> members_of(const Value& value, const Place& place) {
  std::vector<Member> out;
  if (value.kind != Kind::object || !jsonl::read_members(value, out))
    throw place.error("an object is wanted");
  return out;
}

std::string text_of(const Value& value, const Place& place) {
  if (value.kind != Kind::string || value.text.empty()) throw place.error("a text is wanted");
  return std::string(value.text);
}

bool flag_of(const Value& value, const Place& place) {
  if (value.kind != Kind::boolean) throw place.error("true or false is wanted");
  return value.boolean;
}

uint32_t count_of(const Value& value, const Place& place) {
  const auto count = value.as_uint64();
  if (!count || *count > std::numeric_limits<uint32_t>::max()) throw place.error("a whole number is wanted");
  return static_cast<uint32_t>(*count);
}

double share_of(const Value& value, const Place& place) {
  double share = -1;
  try {
    share = value.kind == Kind::string ? parse_double(value.text) : value.as_double().value_or(-1);
  } catch (const Error&) {
  }
  if (!(share >= 0 && share <= 1)) throw place.error("a share is wanted, as in \"1%\" or 0.01");
  return share;
}

int64_t duration_of(const Value& value, const Place& place) {
  try {
    if (value.kind == Kind::string) return parse_duration(value.text);
  } catch (const Error&) {
    throw place.error("\"{}\" is no duration; one is \"30s\" or \"10min\"", value.text);
  }
  if (value.as_uint64() == 0) return 0;
  throw place.error("a duration is wanted, as in \"30s\"");
}

std::string object_text(const Value& value, const Place& place) {
  if (value.kind != Kind::object) throw place.error("an object is wanted");
  return jsonl::json_text(value);
}

size_t word_of(const Value& value, const Place& place, const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  if (value.kind != Kind::string) throw place.error("one of these is wanted: {}", all);
  const auto at = std::ranges::find(words, value.text);
  if (at == words.end())
    throw place.error("\"{}\" is none of {}{}", value.text, all, meant(value.text, words));
  return static_cast<size_t>(at - words.begin());
}

void check_members(const std::vector<Member>& members, const Place& place,
                   const std::vector<std::string>& known) {
  for (size_t k = 0; k < members.size(); ++k) {
    const std::string_view name = members[k].key;
    if (std::ranges::find(known, name) == known.end()) {
      std::string near = meant(name, known);
      if (near.empty()) near = fmt::format("; there are {}", fmt::join(known, " "));
      throw place.error("there is no \"{}\" here{}", name, near);
    }
    for (size_t j = 0; j < k; ++j)
      if (members[j].key == name) throw place.error("\"{}\" is there twice", name);
  }
}

const Value* find_member(const std::vector<Member>& members, std::string_view name) {
  const auto at = std::ranges::find(members, name, &Member::key);
  return at == members.end() ? nullptr : &at->value;
}

}  // namespace mlq::tune
