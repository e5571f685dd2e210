// Columns of numbers in small text files: one value a line, or a CSV column by name or number.
#pragma once

#include <string>
#include <vector>

namespace mlq::arrival {

// `column` empty: the first; digits: that column, from 1; else the name in the header. A first line that is
// no number is a header. Values may be quoted; separators are comma, semicolon, tab or spaces. Throws an
// input Error naming file and line.
std::vector<double> read_number_column(const std::string& path, const std::string& column);

// The first two columns, as pairs: (time, value) tables.
struct NumberPair {
  double first;
  double second;
};
std::vector<NumberPair> read_number_pairs(const std::string& path);

}  // namespace mlq::arrival
