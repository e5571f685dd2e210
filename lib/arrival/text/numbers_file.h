// Columns of numbers in small text files: one value a line, or a CSV column by name or number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/io.h"

namespace mlq::arrival {

// `column` empty: the first; digits: that column, from 1; else the name in the header. A first line that is
// no number is a header. Values may be quoted; separators are comma, semicolon, tab or spaces; lines that
// begin with # are passed over. Throws an input Error naming file and line for a value that is no finite
// number.
std::vector<double> read_number_column(const std::string& path, const std::string& column);

// The first two columns, as pairs: (time, value) tables. Where `lone` allows it, a row may have one column,
// which is then both.
struct NumberPair {
  double first;
  double second;
  uint64_t line;
};
std::vector<NumberPair> read_number_pairs(const std::string& path, bool lone = false);
std::vector<NumberPair> read_number_pairs(Input input, bool lone = false);

}  // namespace mlq::arrival
