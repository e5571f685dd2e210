#include "lib/jsonl/object.h"

#include <simdjson.h>

#include <bit>
#include <cmath>
#include <new>
#include <type_traits>

#include "lib/jsonl/line_reader.h"

namespace mlq::jsonl {
namespace {

namespace dom = simdjson::dom;
static_assert(simdjson::SIMDJSON_PADDING <= kLinePadding);

// dom::element is a pointer and an index; so it can be kept where its type is not known.
static_assert(sizeof(Nested) == sizeof(dom::element) && std::is_trivially_copyable_v<dom::element>);

dom::element element_of(const Value& value) { return std::bit_cast<dom::element>(value.nested); }

Value to_value(dom::element element) {
  Value value;
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      break;
    case dom::element_type::BOOL:
      value.kind = Kind::boolean;
      value.boolean = bool(element);
      break;
    case dom::element_type::INT64:
      value.kind = Kind::signed_integer;
      value.signed_integer = int64_t(element);
      break;
    case dom::element_type::UINT64:
      value.kind = Kind::unsigned_integer;
      value.unsigned_integer = uint64_t(element);
      break;
    case dom::element_type::DOUBLE:
      value.kind = Kind::real;
      value.real = double(element);
      break;
    case dom::element_type::STRING:
      value.kind = Kind::string;
      value.text = std::string_view(element);
      break;
    case dom::element_type::ARRAY:
    case dom::element_type::OBJECT:
      value.kind = element.is_array() ? Kind::array : Kind::object;
      value.nested = std::bit_cast<Nested>(element);
      break;
  }
  return value;
}

std::string describe(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return "not UTF-8";
    case simdjson::INCORRECT_TYPE:
      return "not a JSON object";
    case simdjson::EMPTY:
      return "empty";
    case simdjson::NUMBER_ERROR:
      return "damaged JSON: a number is malformed or out of range";
    case simdjson::UNCLOSED_STRING:
      return "damaged JSON: a string is not closed";
    case simdjson::DEPTH_ERROR:
      return "damaged JSON: nested too deeply";
    case simdjson::MEMALLOC:
      return "too large for the memory of this machine";
    default:
      return "damaged JSON";
  }
}

}  // namespace

std::optional<int64_t> Value::as_int64() const {
  if (kind == Kind::signed_integer) return signed_integer;
  if (kind == Kind::real && std::trunc(real) == real && real >= -0x1p63 && real < 0x1p63) {
    return static_cast<int64_t>(real);
  }
  return std::nullopt;
}

std::optional<uint64_t> Value::as_uint64() const {
  if (kind == Kind::unsigned_integer) return unsigned_integer;
  if (kind == Kind::signed_integer && signed_integer >= 0) return static_cast<uint64_t>(signed_integer);
  if (kind == Kind::real && std::trunc(real) == real && real >= 0 && real < 0x1p64) {
    return static_cast<uint64_t>(real);
  }
  return std::nullopt;
}

std::optional<double> Value::as_double() const {
  switch (kind) {
    case Kind::real:
      return real;
    case Kind::signed_integer:
      return static_cast<double>(signed_integer);
    case Kind::unsigned_integer:
      return static_cast<double>(unsigned_integer);
    default:
      return std::nullopt;
  }
}

struct ObjectParser::State {
  dom::parser parser;

  simdjson::error_code parse(std::string_view text, bool copy, std::vector<Member>& members) {
    dom::object object;
    const auto parsed = parser.parse(text.data(), text.size(), copy);
    if (const auto error = parsed.get(object); error != simdjson::SUCCESS) return error;
    for (const auto [key, element] : object) members.push_back({key, to_value(element)});
    return simdjson::SUCCESS;
  }
};

ObjectParser::ObjectParser(size_t depth) : state_(std::make_unique<State>()) {
  // simdjson counts one more. A capacity comes with the first text; the depth stays.
  if (depth != kDefaultDepth && state_->parser.allocate(0, depth + 1) != simdjson::SUCCESS)
    throw std::bad_alloc();
}
ObjectParser::ObjectParser(ObjectParser&&) noexcept = default;
ObjectParser& ObjectParser::operator=(ObjectParser&&) noexcept = default;
ObjectParser::~ObjectParser() = default;

bool ObjectParser::parse(std::string_view line) { return parse(line, false); }
bool ObjectParser::parse_copy(std::string_view text) { return parse(text, true); }

bool ObjectParser::parse(std::string_view text, bool copy) {
  members_.clear();
  const auto error = state_->parse(text, copy, members_);
  if (error == simdjson::SUCCESS) return true;
  error_ = describe(error);
  members_.clear();
  return false;
}

const Value* ObjectParser::find(std::string_view key) const {
  for (const Member& member : members_) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string json_text(const Value& nested) { return simdjson::minify(element_of(nested)); }

std::optional<Value> member(const Value& object, std::string_view key) {
  if (object.kind != Kind::object) return std::nullopt;
  for (const auto [name, element] : dom::object(element_of(object))) {
    if (name == key) return to_value(element);
  }
  return std::nullopt;
}

std::optional<Value> element(const Value& array, size_t index) {
  if (array.kind != Kind::array) return std::nullopt;
  for (const dom::element each : dom::array(element_of(array))) {
    if (index-- == 0) return to_value(each);
  }
  return std::nullopt;
}

bool read_members(const Value& object, std::vector<Member>& out) {
  if (object.kind != Kind::object) return false;
  for (const auto [key, each] : dom::object(element_of(object))) out.push_back({key, to_value(each)});
  return true;
}

bool read_elements(const Value& array, std::vector<Value>& out) {
  if (array.kind != Kind::array) return false;
  for (const dom::element each : dom::array(element_of(array))) out.push_back(to_value(each));
  return true;
}

bool read_uint64_array(const Value& value, std::vector<uint64_t>& out) {
  if (value.kind != Kind::array) return false;
  for (const dom::element element : dom::array(element_of(value))) {
    uint64_t number = 0;
    if (element.get(number) != simdjson::SUCCESS) return false;
    out.push_back(number);
  }
  return true;
}

bool read_double_array(const Value& value, std::vector<double>& out) {
  if (value.kind != Kind::array) return false;
  for (const dom::element element : dom::array(element_of(value))) {
    double number = 0;
    if (element.get(number) != simdjson::SUCCESS) return false;
    out.push_back(number);
  }
  return true;
}

bool read_string_array(const Value& value, std::vector<std::string>& out) {
  if (value.kind != Kind::array) return false;
  for (const dom::element element : dom::array(element_of(value))) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) return false;
    out.emplace_back(text);
  }
  return true;
}

bool read_matrix(const Value& value, std::vector<std::vector<double>>& out) {
  if (value.kind != Kind::array) return false;
  for (const dom::element row : dom::array(element_of(value))) {
    dom::array cells;
    if (row.get(cells) != simdjson::SUCCESS) return false;
    std::vector<double>& values = out.emplace_back();
    for (const dom::element cell : cells) {
      double number = 0;
      if (cell.get(number) != simdjson::SUCCESS) return false;
      values.push_back(number);
    }
  }
  return true;
}

}  // namespace mlq::jsonl
