#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/values.h"

namespace mlq::serve {
namespace {

Refusal refusal(std::string_view field, std::string_view what) {
  return {400, fmt::format("{}: {}", field, what)};
}

std::string field_of(const InputTensor& tensor) { return fmt::format("input \"{}\"", tensor.name); }

std::string beyond(std::string_view token, std::string_view type) {
  return fmt::format("{} is beyond the range of {}", token.substr(0, 40), type);
}

// IEEE 754 binary16, exactly.
float half_to_float(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

template <class Stored>
Stored load(const char* at) {
  static_assert(std::endian::native == std::endian::little);
  Stored value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T, class Stored, class Convert>
void append_binary(std::string_view data, std::vector<T>& out, Convert&& convert) {
  for (size_t k = 0; k < data.size(); k += sizeof(Stored))
    out.push_back(static_cast<T>(convert(load<Stored>(data.data() + k))));
}

// Calls use with a value of the type that holds an element; false for BYTES.
template <class Use>
bool with_type(Datatype type, Use&& use) {
  const auto same = [](auto value) { return value; };
  switch (type) {
    case Datatype::boolean:
      return use(uint8_t{}, [](uint8_t value) { return value != 0 ? 1 : 0; }), true;
    case Datatype::uint8:
      return use(uint8_t{}, same), true;
    case Datatype::uint16:
      return use(uint16_t{}, same), true;
    case Datatype::uint32:
      return use(uint32_t{}, same), true;
    case Datatype::uint64:
      return use(uint64_t{}, same), true;
    case Datatype::int8:
      return use(int8_t{}, same), true;
    case Datatype::int16:
      return use(int16_t{}, same), true;
    case Datatype::int32:
      return use(int32_t{}, same), true;
    case Datatype::int64:
      return use(int64_t{}, same), true;
    case Datatype::fp16:
      return use(uint16_t{}, half_to_float), true;
    case Datatype::bf16:
      return use(uint16_t{}, [](uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }), true;
    case Datatype::fp32:
      return use(float{}, same), true;
    case Datatype::fp64:
      return use(double{}, same), true;
    case Datatype::bytes:
      return false;
  }
  return false;
}

// The whole of `token`, which is a JSON number, as a value of the type; false if it is out of range.
template <class Stored>
bool parse(std::string_view token, Stored& value) {
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error == std::errc()) return end == token.data() + token.size();
  if constexpr (std::is_floating_point_v<Stored>) {
    // Too small is zero or nearly so; only too large is out of range.
    value = static_cast<Stored>(std::strtod(std::string(token).c_str(), nullptr));
    return std::isfinite(value);
  }
  return false;
}

// Blanks, brackets and commas only separate: the text has been validated.
std::string_view next_token(std::string_view& text) {
  while (!text.empty() &&
         (is_blank(text.front()) || text.front() == ',' || text.front() == '[' || text.front() == ']'))
    text.remove_prefix(1);
  const std::string_view token = text.substr(0, text.find_first_of(" \t\r\n,]"));
  text.remove_prefix(token.size());
  return token;
}

template <class T>
std::optional<Refusal> read_json(const InputTensor& tensor, std::vector<T>& out) {
  std::string_view text = tensor.data;
  if (tensor.datatype == Datatype::boolean) {
    for (std::string_view token; !(token = next_token(text)).empty();) out.push_back(token == "true" ? 1 : 0);
    return std::nullopt;
  }
  std::optional<Refusal> refused;
  with_type(tensor.datatype, [&](auto value, auto) {
    for (std::string_view token; !(token = next_token(text)).empty();) {
      if (!parse(token, value)) {
        refused = refusal(field_of(tensor), beyond(token, datatype_name(tensor.datatype)));
        return;
      }
      out.push_back(static_cast<T>(value));
    }
  });
  return refused;
}

template <class T>
std::optional<Refusal> read_tensor(const InputTensor& tensor, std::vector<T>& out) {
  if (tensor.datatype == Datatype::bytes) return refusal(field_of(tensor), "BYTES, where numbers are needed");
  if (tensor.form != Form::binary) return read_json(tensor, out);
  out.reserve(out.size() + tensor.elements);
  with_type(tensor.datatype,
            [&](auto value, auto convert) { append_binary<T, decltype(value)>(tensor.data, out, convert); });
  return std::nullopt;
}

template <class T>
std::optional<Refusal> read_row_array(const ParsedRequest& request, std::vector<T>& out, size_t& width) {
  const std::string_view text = request.row_text;
  const size_t before = out.size();
  size_t depth = 0, row_begin = before, rows = 0;
  width = 0;
  const auto end_row = [&] {
    const size_t found = out.size() - row_begin;
    if (rows++ == 0) width = found;
    row_begin = out.size();
    return found == width;
  };
  const auto uneven = [&] {
    return refusal("rows", fmt::format("row {} is not as long as row 0", rows - 1));
  };
  for (size_t k = 0; k < text.size();) {
    const char c = text[k];
    const size_t number = number_length(text.substr(k));
    T value = 0;
    if (number > 0) {
      if (!parse(text.substr(k, number), value))
        return refusal("rows", beyond(text.substr(k, number), "the model"));
      out.push_back(value);
    } else if (c == 't' || c == 'f') {
      out.push_back(c == 't' ? 1 : 0);
    } else if (c == '[') {
      ++depth;
    } else if (c == ']') {
      --depth;
    } else if (c == ',') {
      if (depth == 0 && !end_row()) return uneven();
    } else if (!is_blank(c)) {
      return refusal("rows", "something that is no number, where numbers are needed");
    }
    k += number > 0 ? number : c == 't' ? 4 : c == 'f' ? 5 : 1;
  }
  if (!text.empty() && !end_row()) return uneven();
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> read_values(const InputTensor& tensor, std::vector<float>& out) {
  return read_tensor(tensor, out);
}
std::optional<Refusal> read_values(const InputTensor& tensor, std::vector<double>& out) {
  return read_tensor(tensor, out);
}
std::optional<Refusal> read_rows(const ParsedRequest& request, std::vector<float>& out, size_t& width) {
  return read_row_array(request, out, width);
}
std::optional<Refusal> read_rows(const ParsedRequest& request, std::vector<double>& out, size_t& width) {
  return read_row_array(request, out, width);
}

}  // namespace mlq::serve
