#include "lib/arrival/import/columns.h"

#include <algorithm>
#include <array>
#include <limits>

#include "lib/arrival/import/format.h"
#include "lib/arrival/text/decimal.h"
#include "lib/records/codec.h"

namespace mlq::arrival {
namespace {

using records::Arrival;

// Whole numbers; 12.0 too, since tables with holes are often written so.
std::optional<Wide> whole_number(std::string_view text) {
  const auto thousandths = parse_decimal(text, 3);
  if (!thousandths || *thousandths % 1000 != 0) return std::nullopt;
  return *thousandths / 1000;
}

template <std::integral T>
bool assign_text(std::string_view text, T& out) {
  const auto value = whole_number(text);
  if (!value || *value < Wide{std::numeric_limits<T>::min()} || *value > Wide{std::numeric_limits<T>::max()})
    return false;
  out = static_cast<T>(*value);
  return true;
}

bool assign_text(std::string_view text, std::string& out) {
  out = text;
  return true;
}

// Numbers with spaces between.
bool assign_text(std::string_view text, std::vector<uint64_t>& out) {
  out.clear();
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const auto value = parse_whole(text.substr(0, end));
    if (!value) return false;
    out.push_back(*value);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

bool assign_json(const jsonl::Value& value, std::string& out) {
  if (const auto whole = value.as_int64()) {  // ids are often numbers
    out = std::to_string(*whole);
    return true;
  }
  return records::detail::assign(value, out);
}

template <class T>
bool assign_json(const jsonl::Value& value, T& out) {
  return records::detail::assign(value, out);
}

template <class F>
constexpr ArrivalField make_field() {
  return {F::name, std::is_same_v<typename F::Value, std::string>,
          [](const CsvField& field, Arrival& arrival) {
            if constexpr (F::required) {
              return false;
            } else {
              auto& member = arrival.*F::member;
              member.reset();
              return (field.text.empty() && !field.quoted) || assign_text(field.text, member.emplace());
            }
          },
          [](const jsonl::Value& value, Arrival& arrival) {
            if constexpr (F::required) {
              return false;
            } else {
              auto& member = arrival.*F::member;
              member.reset();
              return value.kind == jsonl::Kind::null || assign_json(value, member.emplace());
            }
          }};
}

constexpr auto kFields = std::apply(
    []<class Time, class... F>(const Time&, const F&...) {
      static_assert(Time::required && !(F::required || ...));
      return std::array<ArrivalField, sizeof...(F)>{make_field<F>()...};
    },
    records::Schema<Arrival>::fields);

constexpr std::string_view kTimeName = std::get<0>(records::Schema<Arrival>::fields).name;

template <auto Member>
const ArrivalField* field_of() {
  constexpr std::string_view key = arrival_key<Member>;  // ,"name":
  return find_arrival_field(key.substr(2, key.size() - 4));
}

bool same_letters(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x | 0x20 : x) == y; });
}

}  // namespace

std::span<const ArrivalField> arrival_fields() { return kFields; }

const ArrivalField* find_arrival_field(std::string_view name) {
  const auto at =
      std::find_if(kFields.begin(), kFields.end(), [&](const ArrivalField& f) { return f.name == name; });
  return at == kFields.end() ? nullptr : &*at;
}

std::vector<NamedColumn> named_columns(const ImportColumns& columns) {
  std::vector<NamedColumn> named = {{columns.input_col, field_of<&Arrival::input_tokens>()},
                                    {columns.output_col, field_of<&Arrival::output_tokens>()},
                                    {columns.class_col, field_of<&Arrival::klass>()},
                                    {columns.conversation_col, field_of<&Arrival::conversation>()},
                                    {columns.bytes_col, field_of<&Arrival::size_bytes>()}};
  std::erase_if(named, [](const NamedColumn& n) { return n.column.empty(); });
  return named;
}

bool is_t_ns(std::string_view column) { return column == kTimeName; }

int time_likeness(std::string_view column) {
  if (is_t_ns(column)) return 6;
  constexpr std::string_view names[] = {"date", "datetime", "ts", "time", "timestamp"};
  for (int i = 0; i < 5; ++i) {
    if (same_letters(column, names[i])) return i + 1;
  }
  return 0;
}

}  // namespace mlq::arrival
