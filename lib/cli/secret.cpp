#include "lib/cli/secret.h"

#include <algorithm>
#include <cctype>

#include "lib/base/error.h"
#include "lib/base/io.h"

namespace mlq::cli {
namespace {

constexpr std::string_view kEnv = "@env:";
constexpr std::string_view kFile = "@file:";

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string first_line(const std::string& path) {
  const std::string text = read_file(path, size_t{64} << 10);
  return text.substr(0, text.find_first_of("\r\n"));
}

// `Name: value` without the value.
std::string redact_header(std::string_view text) {
  const size_t colon = text.find(':');
  return colon == text.npos ? std::string("...") : std::string(text.substr(0, colon)) + ": ...";
}

std::string redact_url(std::string_view text) {
  const size_t scheme = text.find("://");
  const size_t begin = scheme == text.npos ? 0 : scheme + 3;
  const size_t path = std::min(text.find_first_of("/?#", begin), text.size());
  const size_t at = text.substr(0, path).rfind('@');
  const size_t query = text.find('?', path);
  std::string out(text.substr(0, begin));
  out += text.substr(at == text.npos || at < begin ? begin : at + 1,
                     std::min(query, text.size()) - (at == text.npos || at < begin ? begin : at + 1));
  if (query != text.npos) out += "?...";
  return out;
}

}  // namespace

std::string reveal(std::string_view text, const Environment& environment) {
  if (const size_t at = text.find(kFile); at != text.npos) {
    return std::string(text.substr(0, at)) + first_line(std::string(text.substr(at + kFile.size())));
  }
  const size_t at = text.find(kEnv);
  if (at == text.npos) return std::string(text);
  const size_t begin = at + kEnv.size();
  size_t end = begin;
  while (end < text.size() && is_name(text[end])) ++end;
  const std::string name(text.substr(begin, end - begin));
  const std::optional<std::string> value = name.empty() ? std::nullopt : environment(name);
  if (!value) throw usage_error("@env:{}: the variable is not set", name);
  return std::string(text.substr(0, at)) + *value + reveal(text.substr(end), environment);
}

std::vector<std::string> redact(std::vector<std::string> argv) {
  struct Rule {
    std::string_view option;
    std::string (*hide)(std::string_view);
  };
  constexpr Rule rules[] = {{"--header", &redact_header}, {"--url", &redact_url}, {"--proxy", &redact_url}};
  for (size_t a = 0; a < argv.size(); ++a) {
    for (const Rule& rule : rules) {
      const std::string prefix = std::string(rule.option) + "=";
      if (argv[a].starts_with(prefix)) {
        argv[a] = prefix + rule.hide(std::string_view(argv[a]).substr(prefix.size()));
      } else if (a > 0 && argv[a - 1] == rule.option) {
        argv[a] = rule.hide(argv[a]);
      }
    }
  }
  return argv;
}

}  // namespace mlq::cli
