#include "lib/tune/export/pbtxt.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "lib/base/error.h"

namespace mlq::tune {
namespace {

// Known fields: the knobs that may stand for each.
enum Field : size_t { batch, instances, delay, preferred, fields };
constexpr std::array<std::array<std::string_view, 2>, fields> kNames{
    {{"max_batch_size", "max_rows"},
     {"instance_count", "instances"},
     {"max_queue_delay_microseconds", "delay_us"},
     {"preferred_batch_size", "preferred"}}};

size_t field_of(std::string_view knob) {
  for (size_t f = 0; f < fields; ++f)
    if (std::ranges::find(kNames[f], knob) != kNames[f].end()) return f;
  return fields;
}

// The text format of protocol buffers: octal escapes for what cannot be printed; UTF-8 stands as it is.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (c == '\n')
      out += "\\n";
    else if (byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\{:03o}", byte);
    else
      out += c;
  }
  return out + '"';
}

}  // namespace

std::string pbtxt_text(const Config& config) {
  std::array<std::optional<int64_t>, fields> values;
  std::array<std::string, fields> given;
  std::string parameters;
  for (const auto& [knob, value] : config) {
    const size_t field = field_of(knob);
    if (field == fields) {
      parameters += fmt::format("parameters {{\n  key: {}\n  value: {{ string_value: {} }}\n}}\n",
                                quoted(knob), quoted(serve::knob_text(value)));
      continue;
    }
    const auto* whole = std::get_if<int64_t>(&value);
    if (whole == nullptr || *whole < 0)
      throw input_error("knob \"{}\" is {}, but {} must be a whole number", knob, serve::knob_text(value),
                        kNames[field][0]);
    if (values[field])
      throw input_error("knobs \"{}\" and \"{}\" would both be {}", given[field], knob, kNames[field][0]);
    values[field] = *whole;
    given[field] = knob;
  }
  std::string out;
  if (values[batch]) out += fmt::format("max_batch_size: {}\n", *values[batch]);
  if (values[instances]) out += fmt::format("instance_group [\n  {{ count: {} }}\n]\n", *values[instances]);
  if ((values[delay] || values[preferred]) && values[batch] != 0) {
    out += "dynamic_batching {\n";
    if (values[preferred]) out += fmt::format("  preferred_batch_size: [ {} ]\n", *values[preferred]);
    if (values[delay]) out += fmt::format("  max_queue_delay_microseconds: {}\n", *values[delay]);
    out += "}\n";
  }
  return out + parameters;
}

}  // namespace mlq::tune
