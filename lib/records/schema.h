// How a record type is declared: a plain struct and one field list. Reader, writer and the page
// mlq-records(5) come from the list; it is the one place where a field name is spelled.
//
//   struct Bin { int64_t t_ns = 0; uint64_t count = 0; };
//   template <> struct Schema<Bin> {
//     static constexpr std::string_view type = "bin", summary = "Arrivals counted in an interval.";
//     static constexpr auto fields = std::tuple{
//         field<"t_ns", &Bin::t_ns>("ns", "Start of the interval."), ...};
//   };
//
// A member is int64_t, uint64_t, uint32_t, double, bool, std::string, std::vector<uint64_t>,
// std::vector<double>, std::vector<std::string> or RawJson; a field is optional when the member is a
// std::optional of one of them.
// A required double may be NaN, which is written as null.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace mlq::records {

// JSON text that is passed on as it came.
struct RawJson {
  std::string text;
};

template <class T>
struct Schema;

template <size_t N>
struct FixedString {
  char text[N]{};
  constexpr FixedString(const char (&s)[N]) { std::copy_n(s, N, text); }  // NOLINT: meant to convert
  constexpr std::string_view view() const { return {text, N - 1}; }
};

template <size_t N, size_t M>
constexpr FixedString<N + M - 1> operator+(const FixedString<N>& a, const char (&b)[M]) {
  char text[N + M - 1]{};
  std::copy_n(b, M, std::copy_n(a.text, N - 1, text));
  return text;
}

// `,"name":`, made at compile time.
template <FixedString Name>
struct FieldKey {
  static constexpr auto chars = [] {
    constexpr std::string_view name = Name.view();
    std::array<char, name.size() + 4> out{};
    out[0] = ',';
    out[1] = '"';
    std::copy(name.begin(), name.end(), out.begin() + 2);
    out[name.size() + 2] = '"';
    out[name.size() + 3] = ':';
    return out;
  }();
  static constexpr std::string_view view{chars.data(), chars.size()};
};

template <class T>
struct ClassOf;
template <class C, class M>
struct ClassOf<M C::*> {
  using type = C;
};
template <class M>
struct IsOptional : std::false_type {
  using value_type = M;
};
template <class M>
struct IsOptional<std::optional<M>> : std::true_type {
  using value_type = M;
};

// The member is reached by a path: of the record, or of a struct that is a member of it.
template <FixedString Name, auto Member, auto... Inner>
struct Field {
  static constexpr std::string_view name = Name.view();
  static constexpr std::string_view key = FieldKey<Name>::view;
  static constexpr auto member = Member;
  static constexpr auto& in(auto& record) { return ((record.*Member).*....*Inner); }
  using Stored = std::remove_cvref_t<decltype(in(std::declval<typename ClassOf<decltype(Member)>::type&>()))>;
  using Value = typename IsOptional<Stored>::value_type;
  static constexpr bool required = !IsOptional<Stored>::value;
  std::string_view unit;
  std::string_view text;
};

template <FixedString Name, auto... Path>
constexpr Field<Name, Path...> field(std::string_view unit, std::string_view text) {
  return {unit, text};
}

template <class V>
constexpr std::string_view type_name() {
  if constexpr (std::is_same_v<V, int64_t>) return "int64";
  if constexpr (std::is_same_v<V, uint64_t>) return "uint64";
  if constexpr (std::is_same_v<V, uint32_t>) return "uint32";
  if constexpr (std::is_same_v<V, double>) return "double";
  if constexpr (std::is_same_v<V, bool>) return "bool";
  if constexpr (std::is_same_v<V, std::string>) return "string";
  if constexpr (std::is_same_v<V, std::vector<uint64_t>>) return "array of uint64";
  if constexpr (std::is_same_v<V, std::vector<double>>) return "array of doubles";
  if constexpr (std::is_same_v<V, std::vector<std::string>>) return "array of strings";
  if constexpr (std::is_same_v<V, RawJson>) return "JSON";
}

}  // namespace mlq::records
