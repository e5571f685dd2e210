#include "lib/tune/export/export.h"

#include <algorithm>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/base/nearest.h"
#include "lib/base/units.h"
#include "lib/tune/export/pbtxt.h"
#include "lib/tune/space/space.h"

namespace mlq::tune {
namespace {

using records::Policy;
using serve::knob_text;

struct Found {
  const Policy* policy;
  Config config;
};

// The last policy of each level, in the order of the levels' first.
std::vector<const Policy*> latest(std::span<const Policy> policies) {
  std::vector<const Policy*> out;
  for (const Policy& policy : policies) {
    const auto at = std::ranges::find(out, policy.level, &Policy::level);
    if (at == out.end())
      out.push_back(&policy);
    else
      *at = &policy;
  }
  return out;
}

std::vector<const Policy*> chosen(std::span<const Policy> policies, const ExportOptions& options) {
  std::vector<const Policy*> all = latest(policies);
  if (all.empty())
    throw Error(ExitKind::answer_no, "there is no policy yet; a search that comes to its end leaves one");
  if (!options.level.empty()) {
    std::vector<std::string> levels;
    std::string listed;
    for (const Policy* policy : all) {
      levels.push_back(policy->level);
      listed += " " + policy->level;
    }
    if (std::ranges::find(levels, options.level) == levels.end()) {
      const std::string near = nearest(options.level, levels);
      throw usage_error("--level: there is no level \"{}\"; {}", options.level,
                        near.empty() ? "there are" + listed : fmt::format("did you mean \"{}\"?", near));
    }
    std::erase_if(all, [&](const Policy* p) { return p->level != options.level; });
  }
  const size_t before = all.size();
  if (!options.unconfirmed) std::erase_if(all, [](const Policy* p) { return !p->confirmed; });
  if (all.empty())
    throw Error(
        ExitKind::answer_no,
        fmt::format("no configuration is confirmed; {} not, which --unconfirmed takes too",
                    before == 1 ? "there is one that is" : fmt::format("there are {} that are", before)));
  return all;
}

// One line's worth of text.
std::string line_text(const std::string& name, const KnobValue& value) {
  std::string text = knob_text(value);
  if (text.find_first_of(std::string_view("\n\r\0", 3)) != text.npos)
    throw input_error(
        "the value of knob \"{}\" has a line end or a zero byte in it, which cannot be exported so", name);
  return text;
}

std::string env_name(std::string_view knob) {
  std::string out(knob);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain) c = '_';
  }
  return !out.empty() && out[0] >= '0' && out[0] <= '9' ? "_" + out : out;
}

std::string env_quoted(const std::string& value) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/@%=";
  if (value.find_first_not_of(kPlain) == value.npos) return value;
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == '$' || c == '`') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string env_text(const Config& config) {
  std::string out;
  std::vector<std::pair<std::string, std::string>> names;  // of the variable, of the knob
  for (const auto& [knob, value] : config) {
    const std::string name = env_name(knob);
    for (const auto& [other, of] : names)
      if (other == name) throw input_error("knobs \"{}\" and \"{}\" would both be {}", of, knob, name);
    names.emplace_back(name, knob);
    out += fmt::format("{}={}\n", name, env_quoted(line_text(knob, value)));
  }
  return out;
}

std::string argv_text(const Config& config) {
  std::string out;
  for (const auto& [knob, value] : config) out += fmt::format("--{}={}\n", knob, line_text(knob, value));
  return out;
}

std::string vllm_text(const Config& config) {
  std::string out;
  for (const auto& [knob, value] : config) {
    std::string flag = knob;
    std::ranges::replace(flag, '_', '-');
    if (const auto* on = std::get_if<bool>(&value))
      out += fmt::format("--{}{}\n", *on ? "" : "no-", flag);
    else
      out += fmt::format("--{}={}\n", flag, line_text(knob, value));
  }
  return out;
}

std::string json_text(const std::vector<Found>& found, bool one) {
  if (one) return config_json(found[0].config) + "\n";
  std::string out = "{";
  for (const Found& f : found) {
    jsonl::Buffer level;
    level.string(f.policy->level);
    out += fmt::format("{}\n{}:{}", out.size() > 1 ? "," : "", level.view(), config_json(f.config));
  }
  return out + "\n}\n";
}

std::string table_text(const std::vector<Found>& found) {
  std::vector<std::vector<std::string>> rows{{"level"}};
  std::vector<std::string> knobs;
  for (const Found& f : found)
    for (const auto& [knob, value] : f.config)
      if (std::ranges::find(knobs, knob) == knobs.end()) knobs.push_back(knob);
  rows[0].insert(rows[0].end(), knobs.begin(), knobs.end());
  for (const char* title : {"statistic", "trials", "confirmed"}) rows[0].emplace_back(title);
  for (const Found& f : found) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(f.policy->level);
    for (const std::string& knob : knobs) {
      const auto at = std::ranges::find(f.config, knob, &Config::value_type::first);
      row.push_back(at == f.config.end() ? "-" : line_text(knob, at->second));
    }
    row.push_back(f.policy->stat_ns ? format_duration(*f.policy->stat_ns) : "-");
    row.push_back(fmt::format("{}", f.policy->trials));
    row.emplace_back(f.policy->confirmed ? "yes" : "no");
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t k = 0; k < row.size(); ++k) {
      size_t width = 0;
      for (const auto& other : rows) width = std::max(width, other[k].size());
      line += fmt::format("{:<{}}", row[k], k + 1 == row.size() ? 0 : width + 2);
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace

const std::vector<ExportFormatInfo>& export_formats() {
  static const std::vector<ExportFormatInfo> all = {
      {ExportFormat::json, "json", "an object of configurations by level; with --level, one configuration"},
      {ExportFormat::env, "env", "KNOB=VALUE lines for systemd, compose or a shell"},
      {ExportFormat::argv, "argv", "--knob=value, an argument a line"},
      {ExportFormat::pbtxt, "pbtxt", "fields of Triton's config.pbtxt"},
      {ExportFormat::vllm_flags, "vllm-flags", "--max-num-seqs=64, an argument a line"},
      {ExportFormat::table, "table", "a row a level, for people"},
  };
  return all;
}

std::string export_text(std::span<const Policy> policies, const ExportOptions& options) {
  std::vector<Found> found;
  for (const Policy* policy : chosen(policies, options))
    found.push_back(
        {policy, parse_config(policy->config.text, fmt::format("policy of level {}", policy->level))});
  if (options.format == ExportFormat::json) return json_text(found, !options.level.empty());
  if (options.format == ExportFormat::table) return table_text(found);
  if (found.size() > 1) {
    std::string levels;
    for (const Found& f : found) levels += " " + f.policy->level;
    const auto info = std::ranges::find(export_formats(), options.format, &ExportFormatInfo::format);
    throw usage_error("--to {} holds one configuration; choose one with --level:{}", info->name, levels);
  }
  const Config& config = found[0].config;
  switch (options.format) {
    case ExportFormat::env:
      return env_text(config);
    case ExportFormat::argv:
      return argv_text(config);
    case ExportFormat::pbtxt:
      return pbtxt_text(config);
    default:
      return vllm_text(config);
  }
}

}  // namespace mlq::tune
