// What people see of numbers in a terminal: a small table with aligned columns, and a chart of a series.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mlq::cli {

enum class Align { left, right };

// Rows of text under headings, as lines:
//
//   class    count    rate
//   chat     1,204  20.1/s
class Table {
 public:
  struct Column {
    std::string heading;
    Align align = Align::right;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns; throws std::logic_error else.
  void add(std::vector<std::string> cells);
  // The headings are left out if all are empty. Each line ends in a line end and in no space.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// 1234567 as 1,234,567.
std::string grouped(uint64_t number);
// Four significant digits: 0.01234, 12.35, 1235, 1.235e+09; NaN and infinities as "-".
std::string rounded(double number);

// A series of values >= 0 as an area chart of `height` lines of at most `width` columns with its scale on the
// left: eighths of blocks where the terminal has UTF-8, else `#` and `.`. Each column shows the mean of its
// share of the values; NaN counts as 0. `unit` follows the numbers of the scale, `from` and `to` stand under
// the two ends.
struct Chart {
  size_t width = 72;
  size_t height = 6;
  bool utf8 = true;
  std::string unit;
  std::string from;
  std::string to;

  std::string text(std::span<const double> values) const;
};

// The same in a single line without a scale, highest value full; one column a value if there are no more than
// `width`.
std::string sparkline(std::span<const double> values, size_t width, bool utf8);

}  // namespace mlq::cli
