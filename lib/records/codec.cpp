#include "lib/records/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace mlq::records::detail {
namespace {

// Enough of a text to recognise it, cut between characters.
std::string quoted_beginning(std::string_view text) {
  size_t length = std::min<size_t>(text.size(), 40);
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
    --length;
  return fmt::format("\"{}{}\"", text.substr(0, length), length < text.size() ? "..." : "");
}

}  // namespace

void append(jsonl::Buffer& out, const std::vector<uint64_t>& v) {
  out.raw('[');
  for (size_t i = 0; i < v.size(); ++i) {
    if (i > 0) out.raw(',');
    out.integer(v[i]);
  }
  out.raw(']');
}

void append(jsonl::Buffer& out, const std::vector<double>& v) {
  out.raw('[');
  for (size_t i = 0; i < v.size(); ++i) {
    if (i > 0) out.raw(',');
    out.number(v[i]);
  }
  out.raw(']');
}

void append(jsonl::Buffer& out, const std::vector<std::string>& v) {
  out.raw('[');
  for (size_t i = 0; i < v.size(); ++i) {
    if (i > 0) out.raw(',');
    out.string(v[i]);
  }
  out.raw(']');
}

bool assign(const jsonl::Value& value, int64_t& out) {
  const auto number = value.as_int64();
  if (number) out = *number;
  return number.has_value();
}

bool assign(const jsonl::Value& value, uint64_t& out) {
  const auto number = value.as_uint64();
  if (number) out = *number;
  return number.has_value();
}

bool assign(const jsonl::Value& value, uint32_t& out) {
  const auto number = value.as_uint64();
  if (!number || *number > std::numeric_limits<uint32_t>::max()) return false;
  out = static_cast<uint32_t>(*number);
  return true;
}

bool assign(const jsonl::Value& value, double& out) {
  if (value.kind == jsonl::Kind::null) {
    out = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  const auto number = value.as_double();
  if (number) out = *number;
  return number.has_value();
}

bool assign(const jsonl::Value& value, bool& out) {
  if (value.kind != jsonl::Kind::boolean) return false;
  out = value.boolean;
  return true;
}

bool assign(const jsonl::Value& value, std::string& out) {
  if (value.kind != jsonl::Kind::string) return false;
  out = value.text;
  return true;
}

bool assign(const jsonl::Value& value, std::vector<uint64_t>& out) {
  return jsonl::read_uint64_array(value, out);
}

bool assign(const jsonl::Value& value, std::vector<double>& out) {
  return jsonl::read_double_array(value, out);
}

bool assign(const jsonl::Value& value, std::vector<std::string>& out) {
  return jsonl::read_string_array(value, out);
}

bool assign(const jsonl::Value& value, RawJson& out) {
  jsonl::Buffer text;
  switch (value.kind) {
    case jsonl::Kind::null:
      text.raw("null");
      break;
    case jsonl::Kind::boolean:
      text.boolean(value.boolean);
      break;
    case jsonl::Kind::signed_integer:
      text.integer(value.signed_integer);
      break;
    case jsonl::Kind::unsigned_integer:
      text.integer(value.unsigned_integer);
      break;
    case jsonl::Kind::real:
      text.number(value.real);
      break;
    case jsonl::Kind::string:
      text.string(value.text);
      break;
    case jsonl::Kind::array:
    case jsonl::Kind::object:
      text.raw(jsonl::json_text(value));
      break;
  }
  out.text = text.view();
  return true;
}

std::string wrong_value(std::string_view name, std::string_view wanted, const jsonl::Value& value) {
  std::string got;
  switch (value.kind) {
    case jsonl::Kind::null:
      got = "null";
      break;
    case jsonl::Kind::boolean:
      got = value.boolean ? "true" : "false";
      break;
    case jsonl::Kind::signed_integer:
      got = fmt::format("{}", value.signed_integer);
      break;
    case jsonl::Kind::unsigned_integer:
      got = fmt::format("{}", value.unsigned_integer);
      break;
    case jsonl::Kind::real:
      got = fmt::format("{}", value.real);
      break;
    case jsonl::Kind::string:
      got = quoted_beginning(value.text);
      break;
    case jsonl::Kind::array:
      got = "an array";
      break;
    case jsonl::Kind::object:
      got = "an object";
      break;
  }
  return fmt::format("field \"{}\" is {}; it must be of type {}", name, got, wanted);
}

}  // namespace mlq::records::detail
