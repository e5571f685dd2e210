#include "lib/cli/text.h"

#include <algorithm>

namespace mlq::cli {
namespace {

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

void wrap_line(std::string_view line, size_t width, std::vector<std::string>& out) {
  std::string current;
  size_t used = 0;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view word = line.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const size_t needed = columns(word);
    if (used > 0 && used + 1 + needed > width) {
      out.push_back(std::move(current));
      current.clear();
      used = 0;
    }
    if (used > 0) current += ' ', ++used;
    current += word;
    used += needed;
  }
  out.push_back(std::move(current));
}

// Where a command line may be broken: after the words that are followed by a space outside quotes.
std::vector<std::string> shell_words(std::string_view command) {
  std::vector<std::string> words(1);
  char quote = 0;
  for (const char c : command) {
    if (quote == 0 && c == ' ') {
      if (!words.back().empty()) words.emplace_back();
      continue;
    }
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
    words.back() += c;
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

}  // namespace

size_t columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string_view first_columns(std::string_view text, size_t width) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (begins_character(text[i]) && seen++ == width) return text.substr(0, i);
  }
  return text;
}

std::vector<std::string> wrap(std::string_view text, size_t width) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    wrap_line(text.substr(at, end - at), width, out);
    at = end + 1;
  }
  return out;
}

std::vector<std::string> wrap_command(std::string_view command, size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : shell_words(command)) {
    const bool fresh = lines.back().find_first_not_of(' ') == std::string::npos;
    // Two columns are kept for the ` \` that a break would add.
    if (!fresh && columns(lines.back()) + 1 + columns(word) + 2 > width) {
      lines.back() += " \\";
      lines.push_back("    " + word);
    } else {
      lines.back() += fresh ? word : ' ' + word;
    }
  }
  return lines;
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) {
    if (&word != &words.front()) out += separator;
    out += word;
  }
  return out;
}

std::string shell_quoted(std::string_view text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + '\'';
}

}  // namespace mlq::cli
