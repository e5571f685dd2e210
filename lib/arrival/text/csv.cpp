#include "lib/arrival/text/csv.h"

#include <algorithm>

namespace mlq::arrival {

CsvSplitter::State CsvSplitter::feed(const jsonl::Line& line) {
  if (!open_) {
    const State state = split(line.text);
    if (state != State::open) return state;
    pending_.assign(line.text);
  } else {
    pending_.append(line.text);
    // An even number of quotes closes nothing, or opens as much as it closes.
    const auto quotes = std::count(line.text.begin(), line.text.end(), '"');
    const State state = quotes % 2 == 0 ? State::open : split(pending_);
    if (state != State::open) {
      open_ = false;
      return state;
    }
  }
  open_ = true;
  if (line.carriage_return) pending_ += '\r';
  pending_ += '\n';
  return State::open;
}

void CsvSplitter::reset() {
  open_ = false;
  pending_.clear();
  fields_.clear();
}

CsvSplitter::State CsvSplitter::split(std::string_view text) {
  fields_.clear();
  unescaped_.clear();
  if (unescaped_.capacity() < text.size())
    unescaped_.reserve(std::max(text.size(), 2 * unescaped_.capacity()));
  for (;;) {
    if (text.starts_with('"')) {
      if (!take_quoted(text)) return State::open;
      if (!text.empty() && text.front() != delimiter_) return State::bad;
    } else {
      const size_t end = std::min(text.find(delimiter_), text.size());
      fields_.push_back({text.substr(0, end), false});
      text.remove_prefix(end);
    }
    if (text.empty()) return State::record;
    text.remove_prefix(1);
  }
}

// Takes a quoted field off the front of `text`; false if it is not closed.
bool CsvSplitter::take_quoted(std::string_view& text) {
  text.remove_prefix(1);
  const size_t first = text.find('"');
  if (first == text.npos) return false;
  if (first + 1 == text.size() || text[first + 1] != '"') {  // nothing doubled: a view will do
    fields_.push_back({text.substr(0, first), true});
    text.remove_prefix(first + 1);
    return true;
  }
  const size_t start = unescaped_.size();
  for (;;) {
    const size_t quote = text.find('"');
    if (quote == text.npos) return false;
    unescaped_.append(text.substr(0, quote));
    text.remove_prefix(quote + 1);
    if (!text.starts_with('"')) break;
    unescaped_ += '"';
    text.remove_prefix(1);
  }
  fields_.push_back({std::string_view(unescaped_).substr(start), true});
  return true;
}

char detect_delimiter(std::string_view line) {
  size_t counts[3] = {};
  constexpr std::string_view delimiters = ",\t;";
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    const size_t which = delimiters.find(c);
    if (!quoted && which != delimiters.npos) ++counts[which];
  }
  return delimiters[static_cast<size_t>(std::max_element(counts, counts + 3) - counts)];
}

void write_csv_field(jsonl::Buffer& out, std::string_view text) {
  if (!text.empty() && text.find_first_of("\",\r\n\t;") == text.npos) return out.raw(text);
  out.raw('"');
  for (size_t quote; (quote = text.find('"')) != text.npos; text.remove_prefix(quote + 1)) {
    out.raw(text.substr(0, quote + 1));
    out.raw('"');
  }
  out.raw(text);
  out.raw('"');
}

}  // namespace mlq::arrival
