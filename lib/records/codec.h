// Reading and writing of any record type from its field list (schema.h).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <tuple>

#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"
#include "lib/records/schema.h"

namespace mlq::records {

namespace detail {

inline void append(jsonl::Buffer& out, int64_t v) { out.integer(v); }
inline void append(jsonl::Buffer& out, uint64_t v) { out.integer(v); }
inline void append(jsonl::Buffer& out, uint32_t v) { out.integer(v); }
inline void append(jsonl::Buffer& out, double v) { out.number(v); }
inline void append(jsonl::Buffer& out, bool v) { out.boolean(v); }
inline void append(jsonl::Buffer& out, const std::string& v) { out.string(v); }
inline void append(jsonl::Buffer& out, const RawJson& v) { out.raw(v.text); }
void append(jsonl::Buffer& out, const std::vector<uint64_t>& v);
void append(jsonl::Buffer& out, const std::vector<double>& v);
void append(jsonl::Buffer& out, const std::vector<std::string>& v);

// Each stores `value` and returns true, or returns false if it is of the wrong type or out of range.
bool assign(const jsonl::Value& value, int64_t& out);
bool assign(const jsonl::Value& value, uint64_t& out);
bool assign(const jsonl::Value& value, uint32_t& out);
bool assign(const jsonl::Value& value, double& out);  // null is NaN
bool assign(const jsonl::Value& value, bool& out);
bool assign(const jsonl::Value& value, std::string& out);
bool assign(const jsonl::Value& value, std::vector<uint64_t>& out);
bool assign(const jsonl::Value& value, std::vector<double>& out);  // no nulls
bool assign(const jsonl::Value& value, std::vector<std::string>& out);
bool assign(const jsonl::Value& value, RawJson& out);

template <class F, class T>
void write_field(jsonl::Buffer& out, const F&, const T& record) {
  const auto& member = F::in(record);
  if constexpr (F::required) {
    out.raw(F::key);
    append(out, member);
  } else if (member.has_value()) {
    out.raw(F::key);
    append(out, *member);
  }
}

std::string wrong_value(std::string_view name, std::string_view wanted, const jsonl::Value& value);

// What came of trying one member against one field.
enum class Taken { no, yes, failed };

template <class F, class T>
Taken take(const F&, const jsonl::Member& member, T& record, bool& seen, std::string& error) {
  if (member.key != F::name) return Taken::no;
  if (seen) {
    error = "duplicate field \"" + std::string(F::name) + "\"";
    return Taken::failed;
  }
  seen = true;
  using Value = typename F::Value;
  bool good = true;
  if constexpr (F::required) {
    good = assign(member.value, F::in(record));
  } else {
    // null stands for an optional value that could not be had; the reason is in `note`.
    if (member.value.kind == jsonl::Kind::null) return Taken::yes;
    good = assign(member.value, F::in(record).emplace());
  }
  if (good) return Taken::yes;
  error = wrong_value(F::name, type_name<Value>(), member.value);
  return Taken::failed;
}

}  // namespace detail

// Appends the record as one line with its line end.
template <class T>
void write_record(jsonl::Buffer& out, const T& record) {
  out.raw("{\"type\":\"");
  out.raw(Schema<T>::type);
  out.raw('"');
  std::apply([&](const auto&... fields) { (detail::write_field(out, fields, record), ...); },
             Schema<T>::fields);
  out.raw("}\n");
}

struct ReadResult {
  bool ok = true;
  std::string error;    // what is wrong, naming the field
  std::string unknown;  // the first field that the type does not have, if any
};

// Fills `record` (freshly constructed by the caller) from the members of an object; `type` itself is passed
// over.
template <class T>
ReadResult read_record(std::span<const jsonl::Member> members, T& record) {
  ReadResult result;
  std::array<bool, std::tuple_size_v<decltype(Schema<T>::fields)>> seen{};
  for (const jsonl::Member& member : members) {
    if (member.key == "type") continue;
    detail::Taken taken = detail::Taken::no;
    std::apply(
        [&](const auto&... fields) {
          size_t at = 0;
          const auto try_field = [&](const auto& f) {
            taken = detail::take(f, member, record, seen[at++], result.error);
            return taken != detail::Taken::no;
          };
          static_cast<void>((try_field(fields) || ...));
        },
        Schema<T>::fields);
    if (taken == detail::Taken::failed) {
      result.ok = false;
      return result;
    }
    if (taken == detail::Taken::no && result.unknown.empty()) result.unknown = member.key;
  }
  std::apply(
      [&](const auto&... fields) {
        size_t at = 0;
        const auto check = [&](const auto& f) {
          if (!seen[at++] && f.required && result.ok) {
            result.ok = false;
            result.error = "missing field \"" + std::string(f.name) + "\"";
          }
        };
        (check(fields), ...);
      },
      Schema<T>::fields);
  return result;
}

}  // namespace mlq::records
