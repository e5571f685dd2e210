#include "lib/serve/protocol/row_array.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/pointer.h"
#include "lib/serve/protocol/row_find.h"

namespace mlq::serve {
namespace {

// A hash of the form of a value: nesting, lengths, keys, kinds of scalars, but no values. Takes the value.
bool skeleton(JsonCursor& cursor, uint64_t& hash) {
  const auto mix = [&](uint64_t x) {
    hash = (hash ^ x) * 0x9E3779B97F4A7C15;
    hash ^= hash >> 29;
  };
  const char c = cursor.peek();
  switch (c) {
    case '{':
      mix('{');
      return cursor.object([&](std::string_view key, size_t) {
        mix(XXH3_64bits(key.data(), key.size()));
        return skeleton(cursor, hash);
      }) && (mix('}'), true);
    case '[':
      mix('[');
      return cursor.array([&] { return skeleton(cursor, hash); }) && (mix(']'), true);
    case '"':
    case 'n':
      mix(static_cast<uint64_t>(c));
      return cursor.skip();
    case 't':
    case 'f':
      mix('t');
      return cursor.skip();
    default:
      mix('0');
      return cursor.skip();
  }
}

// Takes the row array and notes where it is.
bool read_row_array(JsonCursor& cursor, ParsedRequest& out) {
  cursor.peek();
  const size_t begin = cursor.offset() + 1;
  bool even = true;
  const bool read = cursor.array([&] {
    uint64_t form = 0;
    if (!skeleton(cursor, form)) return false;
    if (out.rows++ == 0) out.row_skeleton = form;
    even &= form == out.row_skeleton;
    return true;
  });
  if (!read) return false;
  const size_t end = cursor.offset() - 1;
  out.before_rows = out.body.substr(0, begin);
  out.row_text = trim_blanks(out.body.substr(begin, end - begin));
  out.after_rows = out.body.substr(end);
  if (out.rows == 0 && out.alone.empty()) out.alone = "no rows";
  if (!even && out.alone.empty()) out.alone = "rows of different form";
  return true;
}

}  // namespace

std::optional<Refusal> parse_plain(std::string_view body, const RowPlaces& places, const Rules& rules,
                                   ParsedRequest& out) {
  out = ParsedRequest{};
  out.dialect = Dialect::plain;
  out.body = body;
  out.answers_pointer = places.answers;
  if (!rules.batchable) out.alone = "the model is not batched";
  JsonCursor cursor(body);
  bool found = false;
  const auto tokens = pointer_tokens(places.rows).value_or(std::vector<std::string>{});
  if (!find_array(cursor, tokens, found, [&] { return read_row_array(cursor, out); }) || !cursor.at_end())
    return Refusal{400, fmt::format("{}: byte {}: {}", places.rows.empty() ? "request" : places.rows,
                                    cursor.error()->offset, cursor.error()->message)};
  if (out.alone.empty() && !found) out.alone = "no row array";
  if (out.alone.empty() && out.rows > rules.max_rows) out.alone = "more rows than max_rows";
  if (out.alone.empty() && body.size() > rules.max_batch_bytes) out.alone = "more bytes than max_batch_bytes";
  return std::nullopt;
}

std::optional<Refusal> parse_v1(std::string_view body, const Rules& rules, ParsedRequest& out) {
  auto refused = parse_plain(body, {"/instances", "/predictions"}, rules, out);
  out.dialect = Dialect::v1;
  return refused;
}

}  // namespace mlq::serve
