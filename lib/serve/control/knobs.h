// Knobs: what an operator, or a tuner, may change while a program runs. One table a program makes --set, the
// admin interface (GET, PATCH and the schema) and the text of the man page, so that they cannot disagree.
//
// A knob is a row of the table that is bound to a member of the program's options struct. The schema uses the
// words of mlq-tune's space files: int, log_int, float, log_float, list, bool.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "lib/jsonl/buffer.h"

namespace mlq::serve {

using KnobValue = std::variant<bool, int64_t, double, std::string>;

enum class KnobType : uint8_t { integer, log_integer, real, log_real, list, boolean };
// What a text such as "2ms" or "16MiB" may be written in.
enum class KnobUnit : uint8_t { none, rows, batches, requests, bytes, ns, threads };

struct Knob {
  std::string name;
  KnobType type = KnobType::integer;
  KnobUnit unit = KnobUnit::none;
  KnobValue least, most;           // of numbers; inclusive
  std::vector<KnobValue> choices;  // of a list
  bool tunable = true;             // a tuner may move it
  std::string when;                // the condition under which it matters; empty: always
  std::string text;                // one sentence, with its full stop
};

struct KnobConstraint {
  std::string text;  // over the knobs alone: "instances * intra_threads <= 16"
  std::function<bool(const std::vector<KnobValue>&)> holds;
};

// What a PATCH is answered with when it cannot be done: 400 for text that is no merge patch or names no knob,
// 422 for a value out of range or a broken constraint.
struct KnobRefusal {
  int status = 400;
  std::string message;
};

// What stands around the knobs in the schema.
struct KnobSchemaFacts {
  std::string_view model;
  uint64_t gen = 0;
  std::string_view path;  // where to PATCH
  int64_t settle_ns = 0;  // how long to wait after a change before measuring
};

// The rows and all that does not depend on the options' type. Values are in the order of the rows. Immutable
// after construction; any thread.
class KnobRows {
 public:
  KnobRows(std::vector<Knob> rows, std::vector<KnobConstraint> constraints, std::vector<KnobValue> defaults);

  std::span<const Knob> rows() const { return rows_; }
  const std::vector<KnobValue>& defaults() const { return defaults_; }

  // "max_rows=64". Applied to `values`, or why not. For --set and configuration files.
  std::optional<KnobRefusal> set(std::string_view name, std::string_view text,
                                 std::vector<KnobValue>& values) const;
  // A JSON merge patch (RFC 7396): all of it or nothing. null is the default; numbers may be strings with a
  // unit. Constraints are looked at when all values are in.
  std::optional<KnobRefusal> patch(std::string_view json, std::vector<KnobValue>& values) const;
  std::optional<KnobRefusal> check(const std::vector<KnobValue>& values) const;

  // {"max_rows":64,...}
  void write_values(const std::vector<KnobValue>& values, jsonl::Buffer& out) const;
  void write_schema(const std::vector<KnobValue>& values, const KnobSchemaFacts& facts,
                    jsonl::Buffer& out) const;
  // For the man page and --help: a line a knob with its range, default and sentence.
  std::string describe() const;
  // "max_rows" for "max_row"; empty if nothing is near.
  std::string_view nearest(std::string_view name) const;

 private:
  std::optional<size_t> find(std::string_view name) const;
  KnobRefusal unknown(std::string_view name) const;

  std::vector<Knob> rows_;
  std::vector<KnobConstraint> constraints_;
  std::vector<KnobValue> defaults_;
};

void write_knob_value(const KnobValue& value, jsonl::Buffer& out);
std::string knob_text(const KnobValue& value);

// Rows bound to the members of Options, whose default-constructed values are the defaults.
template <class Options>
class KnobTable {
 public:
  // A member is a bool, an integer, a double or an enum; of an enum, `choices` are its names in the order of
  // its values.
  template <class T, class Base>
  requires std::derived_from<Options, Base> KnobTable& add(T Base::*member, Knob knob) {
    Binding binding;
    const std::vector<KnobValue> names = std::is_enum_v<T> ? knob.choices : std::vector<KnobValue>();
    binding.get = [member, names](const Options& o) -> KnobValue {
      const T value = o.*member;
      if constexpr (std::is_enum_v<T>)
        return names[static_cast<size_t>(value)];
      else if constexpr (std::is_same_v<T, bool>)
        return value;
      else if constexpr (std::floating_point<T>)
        return static_cast<double>(value);
      else
        return static_cast<int64_t>(value);
    };
    binding.put = [member, names](Options& o, const KnobValue& value) {
      if constexpr (std::is_enum_v<T>) {
        for (size_t k = 0; k < names.size(); ++k)
          if (names[k] == value) o.*member = static_cast<T>(k);
      } else if constexpr (std::is_same_v<T, bool>) {
        o.*member = std::get<bool>(value);
      } else if constexpr (std::floating_point<T>) {
        o.*member = static_cast<T>(std::get<double>(value));
      } else {
        o.*member = static_cast<T>(std::get<int64_t>(value));
      }
    };
    pending_.push_back(std::move(knob));
    bindings_.push_back(std::move(binding));
    return *this;
  }
  // `holds` is asked of whole options.
  KnobTable& require(std::string text, std::function<bool(const Options&)> holds) {
    constraints_.push_back({std::move(text), std::move(holds)});
    return *this;
  }

  // To be called once, after the last add.
  KnobRows rows() const {
    std::vector<KnobConstraint> constraints;
    for (const auto& c : constraints_)
      constraints.push_back({c.text, [self = *this, holds = c.holds](const std::vector<KnobValue>& values) {
                               return holds(self.options(values));
                             }});
    return {pending_, std::move(constraints), values(Options{})};
  }

  std::vector<KnobValue> values(const Options& options) const {
    std::vector<KnobValue> out;
    for (const Binding& binding : bindings_) out.push_back(binding.get(options));
    return out;
  }
  Options options(const std::vector<KnobValue>& values) const {
    Options out{};
    for (size_t k = 0; k < bindings_.size(); ++k) bindings_[k].put(out, values[k]);
    return out;
  }

 private:
  struct Binding {
    std::function<KnobValue(const Options&)> get;
    std::function<void(Options&, const KnobValue&)> put;
  };
  struct Constraint {
    std::string text;
    std::function<bool(const Options&)> holds;
  };
  std::vector<Knob> pending_;
  std::vector<Binding> bindings_;
  std::vector<Constraint> constraints_;
};

// Rows in short.
Knob int_knob(std::string name, int64_t least, int64_t most, std::string text);
Knob log_int_knob(std::string name, int64_t least, int64_t most, std::string text);
Knob real_knob(std::string name, double least, double most, std::string text);
Knob bool_knob(std::string name, std::string text);
Knob list_knob(std::string name, std::vector<KnobValue> choices, std::string text);

}  // namespace mlq::serve
