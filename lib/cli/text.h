// Small things about text: widths, wrapping and quoting.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlq::cli {

// Columns that UTF-8 text takes, where every character takes one.
size_t columns(std::string_view text);

// The first `width` columns of `text`.
std::string_view first_columns(std::string_view text, size_t width);

// Lines without line ends. A line break in `text` stays one; a word longer than `width` gets its own line.
std::vector<std::string> wrap(std::string_view text, size_t width);

// A command line broken at spaces outside quotes, each line but the last ending in ` \`, so that a shell
// still reads it; later lines are indented by four.
std::vector<std::string> wrap_command(std::string_view command, size_t width);

// `words` with `separator` between them.
std::string join(const std::vector<std::string>& words, std::string_view separator);

// `text` as one word of sh, between single quotes where it needs them.
std::string shell_quoted(std::string_view text);

}  // namespace mlq::cli
