#include "lib/tune/compare/contestant.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::tune {
namespace {

bool parse_switch(std::string_view text) {
  if (text.empty() || text == "on") return true;
  if (text == "off") return false;
  throw usage_error("\"{}\" is neither on nor off", text);
}

uint32_t parse_small(std::string_view text) {
  const uint64_t value = parse_count(text);
  if (value == 0 || value > 1'000'000) throw usage_error("\"{}\" must be from 1 to 1000000", text);
  return static_cast<uint32_t>(value);
}

struct Setting {
  std::string_view name;
  void (*set)(TunerOptions&, std::string_view);
};

constexpr Setting kSettings[] = {
    {"alpha", [](TunerOptions& o, std::string_view v) { o.alpha = parse_double(v); }},
    {"estimators", [](TunerOptions& o, std::string_view v) { o.estimators = std::string(v); }},
    {"finalists", [](TunerOptions& o, std::string_view v) { o.finalists = parse_small(v); }},
    {"kappa", [](TunerOptions& o, std::string_view v) { o.kappa = parse_double(v); }},
    {"observed-correction",
     [](TunerOptions& o, std::string_view v) { o.observed_correction = parse_switch(v); }},
    {"radius", [](TunerOptions& o, std::string_view v) { o.radius = parse_double(v); }},
    {"radius-steps", [](TunerOptions& o, std::string_view v) { o.radius_steps = parse_double(v); }},
    {"rate", [](TunerOptions& o, std::string_view v) { o.rate = parse_double(v); }},
    {"region", [](TunerOptions& o, std::string_view v) { o.region = std::string(v); }},
    {"repeats", [](TunerOptions& o, std::string_view v) { o.repeats = parse_small(v); }},
    {"repo-exact", [](TunerOptions& o, std::string_view v) { o.repo_exact = parse_switch(v); }},
    {"safe", [](TunerOptions& o, std::string_view v) { o.safe = parse_switch(v); }},
    {"wide", [](TunerOptions& o, std::string_view v) { o.wide = std::string(v); }},
};

void set(TunerOptions& options, std::string_view text) {
  const size_t equals = std::min(text.find('='), text.size());
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = equals < text.size() ? text.substr(equals + 1) : std::string_view();
  std::string names;
  for (const Setting& setting : kSettings) {
    if (setting.name == name) return setting.set(options, value);
    names += (names.empty() ? "" : ", ") + std::string(setting.name);
  }
  throw usage_error("\"{}\" is no setting of a tuner; there are {}", name, names);
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

Contestant parse_contestant(std::string_view text) {
  const auto parts = split(text, '/');
  if (parts.front().empty()) throw usage_error("\"{}\": a tuner begins with its name", text);
  Contestant contestant;
  contestant.name = std::string(text);
  contestant.options.name = std::string(parts.front());
  for (size_t k = 1; k < parts.size(); ++k) set(contestant.options, parts[k]);
  return contestant;
}

std::vector<Contestant> parse_contestants(std::string_view text) {
  std::vector<Contestant> contestants;
  for (const std::string_view word : split(text, ',')) contestants.push_back(parse_contestant(word));
  return contestants;
}

Contestant parse_external(std::string_view text) {
  const size_t equals = text.find('=');
  const bool named = equals != text.npos && equals > 0 &&
                     std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(equals), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              c == '-' || c == '_' || c == ':' || c == '.';
                     });
  Contestant contestant;
  contestant.name = std::string(named ? text.substr(0, equals) : text);
  contestant.command = std::string(named ? text.substr(equals + 1) : text);
  if (contestant.command.empty()) throw usage_error("\"{}\": the command is missing", text);
  return contestant;
}

}  // namespace mlq::tune
