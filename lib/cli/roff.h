// Text for man(7) pages.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::cli::roff {

// Prose: no character of it is taken for a request or an escape.
std::string prose(std::string_view text);
// Words that are typed: as prose, with the hyphens that can be copied.
std::string code(std::string_view text);
std::string bold(std::string_view typed);
std::string italic(std::string_view placeholder);
// Paragraphs, which blank lines separate in `text`.
std::string paragraphs(std::string_view text);
// A tagged paragraph; `tag` is roff already.
std::string tagged(std::string_view tag, std::string_view text);
// Lines in a fixed pitch.
std::string display(const std::vector<std::string>& lines);

// `page` with `@VERSION@` replaced, and each line `.\" @NAME@` by what `section` gives for NAME, which throws
// for a name that it does not know.
std::string filled(std::string_view page, std::string_view version,
                   const std::function<std::string(std::string_view name)>& section);

}  // namespace mlq::cli::roff
