#include "lib/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

void put_row(std::string& out, const std::vector<std::string>& cells, const std::vector<Table::Column>& form,
             const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string space(widths[i] - columns(cells[i]), ' ');
    if (i > 0) line += "  ";
    line += form[i].align == Align::right ? space + cells[i] : cells[i] + space;
  }
  line.resize(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) throw std::logic_error("a table row with another number of cells");
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::string> headings;
  std::vector<size_t> widths;
  for (const Column& column : columns_) {
    headings.push_back(column.heading);
    widths.push_back(columns(column.heading));
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string out;
  const auto empty = [](const std::string& heading) { return heading.empty(); };
  if (!std::all_of(headings.begin(), headings.end(), empty)) put_row(out, headings, columns_, widths);
  for (const auto& row : rows_) put_row(out, row, columns_, widths);
  return out;
}

std::string grouped(uint64_t number) {
  std::string out = std::to_string(number);
  for (size_t at = out.size(); at > 3;) out.insert(at -= 3, 1, ',');
  return out;
}

std::string rounded(double number) { return std::isfinite(number) ? fmt::format("{:.4g}", number) : "-"; }

}  // namespace mlq::cli
