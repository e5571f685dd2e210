#include "lib/serve/model/model_file.h"

#include <algorithm>
#include <set>

namespace mlq::serve::model {
namespace {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;

std::vector<Member> members_of(jsonl::OwnedObject& parsed, const std::string& name) {
  if (!parsed.ok())
    throw input_error("{}: {}; the model file is damaged, or no model file", name, parsed.parser().error());
  const auto members = parsed.parser().members();
  return {members.begin(), members.end()};
}

std::vector<std::string_view> with_head(std::initializer_list<std::string_view> known) {
  std::vector<std::string_view> all{"format", "version"};
  all.insert(all.end(), known);
  return all;
}

}  // namespace

ModelFields::ModelFields(std::string where, std::vector<Member> members,
                         std::span<const std::string_view> known)
    : where_(std::move(where)), members_(std::move(members)) {
  std::set<std::string_view> seen;
  for (const Member& member : members_) {
    if (std::find(known.begin(), known.end(), member.key) == known.end())
      refuse(member.key, "it is not known here");
    if (!seen.insert(member.key).second) refuse(member.key, "it stands there twice");
  }
}

const Value& ModelFields::find(std::string_view key) const {
  for (const Member& member : members_) {
    if (member.key == key) return member.value;
  }
  refuse(key, "it is missing");
}

double ModelFields::number(std::string_view key) const {
  const auto number = find(key).as_double();
  if (!number) refuse(key, "it must be a number");
  return *number;
}

int64_t ModelFields::integer(std::string_view key, int64_t least, int64_t most) const {
  const auto number = find(key).as_int64();
  if (!number || *number < least || *number > most)
    refuse(key, "it must be a whole number from {} to {}", least, most);
  return *number;
}

std::string ModelFields::word(std::string_view key, std::initializer_list<std::string_view> words) const {
  const Value& value = find(key);
  if (value.kind == Kind::string && std::find(words.begin(), words.end(), value.text) != words.end())
    return std::string(value.text);
  refuse(key, "it must be \"{}\"", fmt::join(words, "\" or \""));
}

std::vector<Value> ModelFields::elements(std::string_view key, size_t size) const {
  std::vector<Value> values;
  if (!jsonl::read_elements(find(key), values)) refuse(key, "it must be an array");
  if (size > 0 && values.size() != size) refuse(key, "it has {} elements, not {}", values.size(), size);
  return values;
}

std::vector<int64_t> ModelFields::integers(std::string_view key, size_t size) const {
  std::vector<int64_t> numbers;
  for (const Value& value : elements(key, size)) {
    const auto number = value.as_int64();
    if (!number) refuse(key, "element {} is no whole number", numbers.size());
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<double> ModelFields::numbers(std::string_view key, size_t size) const {
  std::vector<double> numbers;
  for (const Value& value : elements(key, size)) {
    const auto number = value.as_double();
    if (!number) refuse(key, "element {} is no number", numbers.size());
    numbers.push_back(*number);
  }
  return numbers;
}

Matrix ModelFields::matrix(std::string_view key) const {
  std::vector<std::vector<double>> rows;
  if (!jsonl::read_matrix(find(key), rows)) refuse(key, "it must be an array of arrays of numbers");
  if (rows.empty() || rows[0].empty()) refuse(key, "there is nothing in it");
  Matrix matrix{rows.size(), rows[0].size(), {}};
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != matrix.columns)
      refuse(key, "row {} has {} values, not {} as row 0", i, rows[i].size(), matrix.columns);
    matrix.values.insert(matrix.values.end(), rows[i].begin(), rows[i].end());
  }
  return matrix;
}

std::vector<std::vector<Member>> ModelFields::objects(std::string_view key) const {
  std::vector<std::vector<Member>> objects;
  for (const Value& value : elements(key, 0)) {
    if (!jsonl::read_members(value, objects.emplace_back()))
      refuse(key, "element {} is no object", objects.size() - 1);
  }
  return objects;
}

ModelFile::ModelFile(const std::string& name, std::string_view text, std::string_view format,
                     std::initializer_list<std::string_view> known)
    : ModelFile(name, format, known, std::make_unique<jsonl::OwnedObject>(text)) {}

ModelFile::ModelFile(const std::string& name, std::string_view format,
                     std::initializer_list<std::string_view> known,
                     std::unique_ptr<jsonl::OwnedObject> parsed)
    : ModelFields(name, members_of(*parsed, name), with_head(known)), parsed_(std::move(parsed)) {
  word("format", {format});
  integer("version", 1, 1);
}

std::vector<int64_t> read_classes(const ModelFields& file) {
  std::vector<int64_t> classes = file.integers("classes");
  if (classes.size() < 2) file.refuse("classes", "there must be two at least");
  if (std::set<int64_t>(classes.begin(), classes.end()).size() != classes.size())
    file.refuse("classes", "a label stands there twice");
  return classes;
}

}  // namespace mlq::serve::model
