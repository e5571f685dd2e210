// Text in a gnuplot script. Names come from files of others: whatever they hold, they stay text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mlq::plot {

// How many characters of `text` are shown.
size_t characters_in(std::string_view text);

// `text` with `...` in place of its middle if it is longer than `longest`.
std::string shortened(std::string_view text, size_t longest);

// `text` as a gnuplot string between single quotes, where nothing has a meaning but a single quote: no
// backslash, no backquote, no @macro is expanded. Quotes become typographic ones (a doubled quote is not
// enough: gnuplot 5.4 takes one at the front for the end of the string); control characters, line ends among
// them, become blanks; bytes that are no UTF-8 a `?`; of more than `longest` characters it is
// shortened().
std::string quoted(std::string_view text, size_t longest = 120);

}  // namespace mlq::plot
