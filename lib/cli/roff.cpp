#include "lib/cli/roff.h"

#include <algorithm>

namespace mlq::cli::roff {
namespace {

constexpr std::string_view kMarkerBegin = ".\\\" @";
constexpr std::string_view kVersion = "@VERSION@";

std::string escaped(std::string_view text, bool copyable_hyphens) {
  std::string out;
  for (const char c : text) {
    const bool at_line_start = out.empty() || out.back() == '\n';
    if (at_line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-' && copyable_hyphens) {
      out += "\\-";
    } else if (c == '\'' && copyable_hyphens) {
      out += "\\(aq";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '`' && copyable_hyphens) {
      out += "\\(ga";
    } else {
      out += c;
    }
  }
  return out;
}

void replace_version(std::string& line, std::string_view version) {
  for (size_t at = 0; (at = line.find(kVersion, at)) != std::string::npos; at += version.size()) {
    line.replace(at, kVersion.size(), version);
  }
}

}  // namespace

std::string prose(std::string_view text) { return escaped(text, false); }
std::string code(std::string_view text) { return escaped(text, true); }
std::string bold(std::string_view typed) { return "\\fB" + code(typed) + "\\fR"; }
std::string italic(std::string_view placeholder) { return "\\fI" + code(placeholder) + "\\fR"; }

std::string paragraphs(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find("\n\n", at), text.size());
    if (at > 0) out += ".PP\n";
    out += prose(text.substr(at, end - at)) + '\n';
    at = end + 2;
  }
  return out;
}

std::string tagged(std::string_view tag, std::string_view text) {
  return ".TP\n" + std::string(tag) + '\n' + (text.empty() ? "\\&" : prose(text)) + '\n';
}

std::string display(const std::vector<std::string>& lines) {
  std::string out = ".PP\n.RS 4\n.EX\n";
  for (const std::string& line : lines) out += code(line) + '\n';
  return out + ".EE\n.RE\n";
}

std::string filled(std::string_view page, std::string_view version,
                   const std::function<std::string(std::string_view name)>& section) {
  std::string out;
  for (size_t at = 0; at < page.size();) {
    const size_t end = std::min(page.find('\n', at), page.size());
    std::string line(page.substr(at, end - at));
    at = end + 1;
    if (line.starts_with(kMarkerBegin) && line.ends_with('@') && line.size() > kMarkerBegin.size()) {
      out +=
          section(std::string_view(line).substr(kMarkerBegin.size(), line.size() - kMarkerBegin.size() - 1));
      continue;
    }
    replace_version(line, version);
    out += line + '\n';
  }
  return out;
}

}  // namespace mlq::cli::roff
