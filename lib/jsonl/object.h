// One line of JSON Lines as a flat object. Hides simdjson.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::jsonl {

enum class Kind : uint8_t { null, boolean, signed_integer, unsigned_integer, real, string, array, object };

// Where an array or object lies in its document; for the functions below.
struct Nested {
  const void* document = nullptr;
  size_t place = 0;
};

// A value of a member. Views live as long as the parser's current line.
struct Value {
  Kind kind = Kind::null;
  union {
    bool boolean;
    int64_t signed_integer;     // every integer that fits
    uint64_t unsigned_integer;  // only integers past 2^63-1
    double real;
  };
  std::string_view text;  // string: its content, unescaped; else empty
  Nested nested;          // array, object

  // The number, if it is an integer in range; 1e3 and 1000.0 count as integers, since some writers print them
  // so.
  std::optional<int64_t> as_int64() const;
  std::optional<uint64_t> as_uint64() const;
  std::optional<double> as_double() const;
};

struct Member {
  std::string_view key;
  Value value;
};

constexpr size_t kDefaultDepth = 1023;

// Parses objects, one at a time; reuses its memory. Not thread-safe; movable.
class ObjectParser {
 public:
  // Objects and arrays may be nested in each other `depth` times, the outermost counted.
  explicit ObjectParser(size_t depth = kDefaultDepth);
  ObjectParser(ObjectParser&&) noexcept;
  ObjectParser& operator=(ObjectParser&&) noexcept;
  ~ObjectParser();

  // `line` must have kLinePadding readable bytes behind it (LineReader's lines have). Returns false for a
  // line that is not one JSON object in UTF-8; then error() says what is wrong. Duplicate keys are kept, in
  // order.
  bool parse(std::string_view line);
  // As parse, for text without padding: it is copied first.
  bool parse_copy(std::string_view text);
  std::span<const Member> members() const { return members_; }
  const Value* find(std::string_view key) const;
  const std::string& error() const { return error_; }

 private:
  struct State;
  bool parse(std::string_view text, bool copy);
  std::unique_ptr<State> state_;
  std::vector<Member> members_;
  std::string error_;
};

// A parser that has parsed `text`, without padding.
class OwnedObject {
 public:
  explicit OwnedObject(std::string_view text) : ok_(parser_.parse_copy(text)) {}
  bool ok() const { return ok_; }
  ObjectParser& parser() { return parser_; }

 private:
  ObjectParser parser_;
  bool ok_;
};

// The JSON text of an array or object, minified.
std::string json_text(const Value& nested);
// The first member of that name; none if `object` is no object or has none.
std::optional<Value> member(const Value& object, std::string_view key);
// Element `index`, from 0; none if `array` is no array or is shorter. Linear in `index`.
std::optional<Value> element(const Value& array, size_t index);
// The members of an object, or the elements of an array, appended to `out`; false if the value is anything
// else.
bool read_members(const Value& object, std::vector<Member>& out);
bool read_elements(const Value& array, std::vector<Value>& out);
// The elements of an array of unsigned integers, appended to `out`; false if the value is anything else.
bool read_uint64_array(const Value& value, std::vector<uint64_t>& out);
// The elements of an array of numbers, appended to `out`; false if the value is anything else.
bool read_double_array(const Value& value, std::vector<double>& out);
// The elements of an array of strings, appended to `out`; false if the value is anything else.
bool read_string_array(const Value& value, std::vector<std::string>& out);
// The elements of an array of arrays of numbers, row by row; false if the value is anything else.
bool read_matrix(const Value& value, std::vector<std::vector<double>>& out);

}  // namespace mlq::jsonl
