// Processes as text: `gamma --rate 100/s --cv 2 --duration 60s`. One form for the command line of gen, for
// --source, --against and --base, for presets, and for the run record.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/law/law.h"
#include "lib/arrival/process/engine.h"
#include "lib/base/units.h"

namespace mlq::arrival {

// What a setting is, for help, man page and completions. Processes say which settings they take.
struct SettingInfo {
  std::string_view name;   // without dashes
  std::string_view value;  // what stands for the value in help; empty for a flag
  std::string_view group;
  std::string_view text;           // one sentence
  std::string_view fallback = "";  // shown as the default
  bool repeat = false;
  bool file = false;  // the value is a path
  std::vector<std::string_view> choices = {};
};

// All settings, in the order in which help and canonical texts show them.
const std::vector<SettingInfo>& setting_infos();

struct ProcessSpec {
  std::string process;
  std::string argument;  // of expr, rate-file, preset; else empty
  std::vector<std::pair<std::string, std::string>>
      settings;  // name, value ("" for a flag); repeated names keep order
};

// Words are parted by blanks; ' and " quote, \ escapes. Throws a usage Error that quotes the text.
ProcessSpec parse_spec(std::string_view text);
// The items between the commas; at least one.
std::vector<std::string> split_list(std::string_view text);
// Canonical: settings in table order, quoted where needed. parse_spec reads it back.
std::string format_spec(const ProcessSpec& spec);

// Typed access to the settings. Getters throw usage Errors that begin with the option: `--cv: ...`.
class Settings {
 public:
  // Throws for an unknown setting, for one that `allowed` lacks, and for one given twice that must not be.
  Settings(const ProcessSpec& spec, std::span<const std::string_view> allowed);

  bool has(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  std::string need(std::string_view name) const;

  std::optional<double> number(std::string_view name) const;
  double number_or(std::string_view name, double fallback) const;
  double need_number(std::string_view name) const;
  std::optional<uint64_t> count(std::string_view name) const;
  std::optional<int64_t> duration(std::string_view name) const;
  double seconds_or(std::string_view name, double fallback) const;
  std::optional<Rate> rate(std::string_view name) const;
  std::optional<Rate> rate() const;  // of --rate or --gap; both is an error
  Rate need_rate() const;
  LawPtr law(std::string_view name, LawUse use) const;  // null without it

  const std::string& process() const { return spec_.process; }
  const std::string& argument() const { return spec_.argument; }
  const ProcessSpec& spec() const { return spec_; }

 private:
  template <class Parse>
  auto parsed(std::string_view name, Parse parse) const -> std::optional<decltype(parse(std::string_view()))>;
  ProcessSpec spec_;
};

}  // namespace mlq::arrival
