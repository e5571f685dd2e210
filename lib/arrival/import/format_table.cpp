#include "lib/arrival/import/format_table.h"

#include <charconv>
#include <cmath>

#include "lib/base/error.h"

namespace mlq::arrival {

const char* TableParser::line(const jsonl::Line& line) {
  if (line.text.empty() && !csv_.open()) return nullptr;
  if (first_ && !csv_.open()) csv_ = CsvSplitter(detect_delimiter(line.text));
  const CsvSplitter::State state = csv_.feed(line);
  if (state == CsvSplitter::State::bad) return "text follows a closing quote";
  if (state == CsvSplitter::State::open) {
    if (csv_.pending() <= max_record_bytes_) return nullptr;
    csv_.reset();
    return "a quoted field is longer than --max-line";
  }
  const bool first = std::exchange(first_, false);
  return first && header(csv_.fields()) ? nullptr : row(csv_.fields());
}

const char* TableParser::end_file() {
  if (!csv_.open()) return nullptr;
  csv_.reset();
  return "quotes are not closed at the end of the file";
}

std::optional<size_t> TableParser::find_column(CsvFields fields, std::string_view name) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].text == name) return i;
  }
  return std::nullopt;
}

size_t TableParser::column(CsvFields fields, std::string_view name) const {
  if (const auto at = find_column(fields, name)) return *at;
  throw input_error("{}: there is no column \"{}\" in the header; is it another format?", sink_.where(),
                    name);
}

std::optional<double> parse_count_value(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

}  // namespace mlq::arrival
