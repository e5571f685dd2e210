#include "lib/arrival/text/numbers_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "lib/base/error.h"
#include "lib/jsonl/line_reader.h"

namespace mlq::arrival {
namespace {

std::string_view trim(std::string_view text) {
  const auto strip = [](char c) { return c == ' ' || c == '\t' || c == '"'; };
  while (!text.empty() && strip(text.front())) text.remove_prefix(1);
  while (!text.empty() && strip(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> cells;
  const char separator = line.find(',') != line.npos    ? ','
                         : line.find(';') != line.npos  ? ';'
                         : line.find('\t') != line.npos ? '\t'
                                                        : ' ';
  while (true) {
    const size_t at = line.find(separator);
    const std::string_view cell = trim(line.substr(0, at));
    if (separator != ' ' || !cell.empty()) cells.push_back(cell);
    if (at == line.npos) return cells;
    line.remove_prefix(at + 1);
  }
}

std::optional<double> number(std::string_view cell) {
  if (cell.ends_with(';')) cell.remove_suffix(1);
  if (cell.starts_with('+')) cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size()) return std::nullopt;
  return value;
}

// Calls `row(cells, line)` for each line that is neither empty nor a comment; the first may be a header.
template <class Header, class Row>
void each_row(Input input, Header&& header, Row&& row) {
  jsonl::LineReader lines(std::move(input));
  jsonl::Line line;
  bool first = true;
  while (lines.next(line)) {
    const std::string_view text = trim(line.text);
    if (text.empty() || text.starts_with('#')) continue;
    const auto cells = split(line.text);
    const bool is_header = first && !number(cells.front());
    first = false;
    if (is_header) {
      header(cells);
    } else {
      row(cells, line.number);
    }
  }
}

double number_at(const std::vector<std::string_view>& cells, size_t column, const std::string& path,
                 uint64_t line) {
  if (column >= cells.size()) throw input_error("{}:{}: there is no column {}", path, line, column + 1);
  const auto value = number(cells[column]);
  if (!value || !std::isfinite(*value)) {
    throw input_error("{}:{}: \"{}\" is no finite number", path, line, cells[column]);
  }
  return *value;
}

}  // namespace

std::vector<double> read_number_column(const std::string& path, const std::string& column) {
  size_t at = 0;
  bool named = false;
  if (!column.empty()) {
    const auto [end, error] = std::from_chars(column.data(), column.data() + column.size(), at);
    named = error != std::errc() || end != column.data() + column.size();
    if (!named && at == 0) throw usage_error("column 0: columns are counted from 1");
    if (!named) --at;
  }
  bool found = !named;
  std::vector<double> values;
  each_row(
      Input::open(path),
      [&](const std::vector<std::string_view>& cells) {
        if (!named) return;
        const auto place = std::find(cells.begin(), cells.end(), column);
        found = place != cells.end();
        at = static_cast<size_t>(place - cells.begin());
      },
      [&](const std::vector<std::string_view>& cells, uint64_t line) {
        if (!found) throw input_error("{}: no column \"{}\" in the header", path, column);
        values.push_back(number_at(cells, at, path, line));
      });
  if (values.empty()) throw input_error("{}: there are no numbers in it", path);
  return values;
}

std::vector<NumberPair> read_number_pairs(const std::string& path, bool lone) {
  return read_number_pairs(Input::open(path), lone);
}

std::vector<NumberPair> read_number_pairs(Input input, bool lone) {
  const std::string path = input.name();
  std::vector<NumberPair> pairs;
  each_row(
      std::move(input), [](const std::vector<std::string_view>&) {},
      [&](const std::vector<std::string_view>& cells, uint64_t line) {
        const size_t second = lone && cells.size() == 1 ? 0 : 1;
        pairs.push_back({number_at(cells, 0, path, line), number_at(cells, second, path, line), line});
      });
  if (pairs.empty()) throw input_error("{}: there are no numbers in it", path);
  return pairs;
}

}  // namespace mlq::arrival
