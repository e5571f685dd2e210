// The `parameters` objects of the protocol, and BYTES elements.
#pragma once

#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// Takes an object and appends its members. Fails on a name that stands there twice. `alone` gets a reason (if
// it has none) when a value is no string, number or boolean, or when a name has an escape: such an object is
// not compared with others.
bool read_parameters(JsonCursor& cursor, std::vector<Parameter>& out, std::string_view& alone);

// The first BYTES element of `data` with its length before it, taken off the front; none if it reaches past
// the end.
inline std::optional<std::string_view> take_bytes_element(std::string_view& data) {
  if (data.size() < 4) return std::nullopt;
  const auto byte = [&](size_t k) { return static_cast<uint32_t>(static_cast<unsigned char>(data[k])); };
  const uint32_t length = byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
  if (length > data.size() - 4) return std::nullopt;
  const std::string_view element = data.substr(0, size_t{4} + length);
  data.remove_prefix(element.size());
  return element;
}

// How many BYTES elements `data` holds; none if one reaches past the end.
std::optional<uint64_t> bytes_elements(std::string_view data);

}  // namespace mlq::serve
