// The table of formats, and what a file of each begins with.
#include <array>

#include "lib/arrival/import/format.h"

namespace mlq::arrival {
namespace {

constexpr FormatEntry kFormats[] = {
    {{"azure-llm", "Azure LLM inference traces: TIMESTAMP,ContextTokens,GeneratedTokens.", Yields::arrivals},
     "Azure LLM inference trace",
     "CC-BY-4.0",
     make_azure_llm},
    {{"mooncake", "Mooncake traces: JSON Lines of timestamp (ms), input_length, output_length, hash_ids.",
      Yields::arrivals},
     "Mooncake trace",
     "Apache-2.0",
     make_mooncake},
    {{"burstgpt",
      "BurstGPT: CSV of Timestamp (s), Model (the class), Request tokens, Response tokens; answers of 0 "
      "tokens are "
      "failures.",
      Yields::arrivals},
     "BurstGPT",
     "CC-BY-4.0",
     make_burstgpt},
    {{"azure-func-2021",
      "Azure Functions 2021: app,func,end_timestamp,duration; an arrival is the start of a call, its class "
      "the "
      "function.",
      Yields::arrivals},
     "Azure Functions trace 2021",
     "CC-BY-4.0",
     make_azure_func_2021},
    {{"azure-func-2019",
      "Azure Functions 2019: counts a minute in columns 1 to 1440, as bins with the function as class; zeros "
      "are left "
      "out; one file a day.",
      Yields::bins},
     "Azure Functions trace 2019",
     "CC-BY-4.0",
     make_azure_func_2019},
    {{"servegen",
      "ServeGen windows: start (s), rate, cv, law, shape, scale; bins with count = rate x length and the "
      "file name "
      "as class, one file a client.",
      Yields::bins},
     "ServeGen",
     "Apache-2.0",
     make_servegen},
    {{"limbo", "LIMBO rate series: lines of \"t,value;\" with t the middle of bin t - 0.5; needs --bin.",
      Yields::bins},
     "LIMBO rate series",
     "EPL-1.0",
     make_limbo},
    {{"counts", "A CSV of times and counts, as bins.", Yields::bins}, "", "", make_counts},
    {{"gaps", "Gaps in seconds, one a line; t_ns = 0 is the start of the first.", Yields::arrivals},
     "",
     "",
     make_gaps},
    {{"clf", "The log of a web server, Common or combined: method, path and size.", Yields::arrivals},
     "",
     "",
     make_clf},
    {{"csv", "Any CSV with a column of times; columns are named by options.", Yields::arrivals},
     "",
     "",
     make_csv},
    {{"jsonl", "Any JSON Lines with a member that holds a time; members are named by options.",
      Yields::arrivals},
     "",
     "",
     make_jsonl},
};

constexpr auto kInfos = [] {
  std::array<ImportFormat, std::size(kFormats)> infos{};
  for (size_t i = 0; i < infos.size(); ++i) infos[i] = kFormats[i].info;
  return infos;
}();

// The first line that is not empty.
std::string_view first_line(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  while (!head.empty() && (head.front() == '\n' || head.front() == '\r')) head.remove_prefix(1);
  head = head.substr(0, head.find('\n'));
  if (head.ends_with('\r')) head.remove_suffix(1);
  return head;
}

bool holds_all(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::all_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != text.npos; });
}

// True if `text` is made of the characters of decimal numbers and those in `more`, and begins with a digit.
bool is_numeric(std::string_view text, std::string_view more) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' ||
           more.find(c) != more.npos;
  });
}

bool is_servegen(std::string_view line) {
  if (std::count(line.begin(), line.end(), ',') != 5) return false;
  if (line.find(",Gamma,") != line.npos || line.find(",Weibull,") != line.npos) return true;
  return line.find(",,") != line.npos && is_numeric(line, ",");
}

}  // namespace

std::span<const FormatEntry> format_entries() { return kFormats; }

std::span<const ImportFormat> import_formats() { return kInfos; }

const FormatEntry* find_format(std::string_view name) {
  for (const FormatEntry& entry : kFormats) {
    if (entry.info.name == name) return &entry;
  }
  return nullptr;
}

std::string_view detect_format(std::string_view head) {
  const std::string_view line = first_line(head);
  if (holds_all(line, {"TIMESTAMP", "ContextTokens", "GeneratedTokens"})) return "azure-llm";
  if (holds_all(line, {"Timestamp", "Request tokens", "Response tokens"})) return "burstgpt";
  if (holds_all(line, {"app", "func", "end_timestamp", "duration"})) return "azure-func-2021";
  if (holds_all(line, {"HashOwner", "HashApp", "HashFunction", "Trigger"})) return "azure-func-2019";
  if (line.starts_with('{')) {
    return holds_all(line, {"\"timestamp\"", "\"input_length\"", "\"output_length\""}) ? "mooncake" : "jsonl";
  }
  if (holds_all(line, {" [", "] \"", "\" "})) return "clf";
  if (line.ends_with(';') && is_numeric(line, ",;")) return "limbo";
  if (is_servegen(line)) return "servegen";
  if (is_numeric(line, "")) return "gaps";
  if (holds_all(line, {"t_ns"}) || (line.find(',') != line.npos && !is_numeric(line, ","))) return "csv";
  return "";
}

}  // namespace mlq::arrival
