#include "lib/cli/text.h"

#include <algorithm>
#include <numeric>

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

// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
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

std::string nearest(std::string_view given, const std::vector<std::string>& words) {
  const std::string* best = nullptr;
  const size_t allowed = std::max<size_t>(1, given.size() / 3);
  // A word that is only begun is near however long it is, but among equals the fewest edits win.
  std::pair<size_t, size_t> fewest{allowed + 1, 0};
  for (const std::string& word : words) {
    const bool begun = given.size() > 1 && word.starts_with(given);
    const size_t edits = edit_distance(given, word);
    const std::pair<size_t, size_t> score{begun ? std::min(edits, allowed) : edits, edits};
    if (score < fewest) {
      fewest = score;
      best = &word;
    }
  }
  return best ? *best : "";
}

}  // namespace mlq::cli
