#include "lib/arrival/process/spec.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;
  char quote = 0;
  for (size_t k = 0; k < text.size(); ++k) {
    const char c = text[k];
    if (c == '\\' && quote != '\'' && k + 1 < text.size()) {
      word += text[++k];
      inside = true;
    } else if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (inside) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != 0) throw usage_error("process \"{}\": a quotation mark is not closed", text);
  if (inside) words.push_back(word);
  return words;
}

std::string quoted(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

const SettingInfo* find_setting(std::string_view name) {
  const auto& infos = setting_infos();
  const auto at =
      std::find_if(infos.begin(), infos.end(), [&](const SettingInfo& info) { return info.name == name; });
  return at == infos.end() ? nullptr : &*at;
}

}  // namespace

ProcessSpec parse_spec(std::string_view text) {
  const std::vector<std::string> words = split_words(text);
  if (words.empty() || words.front().starts_with("-")) {
    throw usage_error("process \"{}\": it must begin with the name of a process, as in 'poisson --rate 10/s'",
                      text);
  }
  ProcessSpec spec;
  spec.process = words.front();
  for (size_t k = 1; k < words.size(); ++k) {
    const std::string& word = words[k];
    if (!word.starts_with("--")) {
      if (!spec.argument.empty())
        throw usage_error("process \"{}\": \"{}\" is one argument too many", text, word);
      spec.argument = word;
      continue;
    }
    const size_t equals = word.find('=');
    std::string name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
    const SettingInfo* info = find_setting(name);
    if (info == nullptr) throw usage_error("process \"{}\": unknown option \"--{}\"", text, name);
    std::string value;
    if (equals != word.npos) {
      value = word.substr(equals + 1);
    } else if (!info->value.empty()) {
      if (++k == words.size()) throw usage_error("process \"{}\": --{} lacks its value", text, name);
      value = words[k];
    }
    spec.settings.emplace_back(std::move(name), std::move(value));
  }
  return spec;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  for (size_t comma; (comma = text.find(',')) != text.npos; text.remove_prefix(comma + 1)) {
    items.emplace_back(text.substr(0, comma));
  }
  items.emplace_back(text);
  return items;
}

std::string format_spec(const ProcessSpec& spec) {
  std::string text = quoted(spec.process);
  if (!spec.argument.empty()) text += " " + quoted(spec.argument);
  for (const SettingInfo& info : setting_infos()) {
    for (const auto& [name, value] : spec.settings) {
      if (name != info.name) continue;
      text += " --" + name;
      if (!info.value.empty()) text += " " + quoted(value);
    }
  }
  return text;
}

Settings::Settings(const ProcessSpec& spec, std::span<const std::string_view> allowed) : spec_(spec) {
  std::set<std::string_view> seen;
  for (const auto& [name, value] : spec_.settings) {
    const SettingInfo* info = find_setting(name);
    if (info == nullptr) throw usage_error("unknown option \"--{}\"", name);
    if (std::find(allowed.begin(), allowed.end(), info->name) == allowed.end()) {
      throw usage_error("--{}: {} does not take it", name, spec_.process);
    }
    if (!seen.insert(info->name).second && !info->repeat) throw usage_error("--{} is given twice", name);
  }
}

bool Settings::has(std::string_view name) const {
  return std::any_of(spec_.settings.begin(), spec_.settings.end(),
                     [&](const auto& s) { return s.first == name; });
}

std::optional<std::string> Settings::text(std::string_view name) const {
  for (const auto& [key, value] : spec_.settings) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Settings::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : spec_.settings) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string Settings::need(std::string_view name) const {
  auto value = text(name);
  if (!value) throw usage_error("{} needs --{}", spec_.process, name);
  return *value;
}

template <class Parse>
auto Settings::parsed(std::string_view name, Parse parse) const
    -> std::optional<decltype(parse(std::string_view()))> {
  const auto value = text(name);
  if (!value) return std::nullopt;
  try {
    return parse(std::string_view(*value));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("--{}: {}", name, error.what()));
  }
}

std::optional<double> Settings::number(std::string_view name) const { return parsed(name, parse_double); }
double Settings::number_or(std::string_view name, double fallback) const {
  return number(name).value_or(fallback);
}

double Settings::need_number(std::string_view name) const {
  need(name);
  return *number(name);
}

std::optional<uint64_t> Settings::count(std::string_view name) const { return parsed(name, parse_count); }
std::optional<int64_t> Settings::duration(std::string_view name) const {
  return parsed(name, parse_duration);
}

double Settings::seconds_or(std::string_view name, double fallback) const {
  const auto ns = duration(name);
  return ns ? static_cast<double>(*ns) / 1e9 : fallback;
}

std::optional<Rate> Settings::rate(std::string_view name) const { return parsed(name, parse_rate); }

std::optional<Rate> Settings::rate() const {
  const auto rate = parsed("rate", parse_rate);
  const auto gap = parsed("gap", parse_gap);
  if (rate && gap) throw usage_error("--rate and --gap: give one of the two");
  return rate ? rate : gap;
}

Rate Settings::need_rate() const {
  const auto given = rate();
  if (!given)
    throw usage_error("{} needs --rate (as in --rate 200/s) or --gap (as in --gap 5ms)", spec_.process);
  return *given;
}

LawPtr Settings::law(std::string_view name, LawUse use) const {
  const auto law = parsed(name, [use](std::string_view value) { return parse_law(value, use); });
  return law ? *law : nullptr;
}

}  // namespace mlq::arrival
