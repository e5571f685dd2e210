#include "lib/plot/gnuplot_text.h"

#include <vector>

#include "lib/jsonl/utf8.h"

namespace mlq::plot {
namespace {

// The characters of `text`, each of which may be shown.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t length = jsonl::utf8_length(text);
    const unsigned char first = static_cast<unsigned char>(text[0]);
    if (length == 0)
      out.push_back("?");
    else if (first < 0x20 || first == 0x7F || (first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0))
      out.push_back(" ");
    else if (first == '\'')
      out.push_back("\u2019");
    else
      out.push_back(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace

size_t characters_in(std::string_view text) { return characters(text).size(); }

std::string shortened(std::string_view text, size_t longest) {
  constexpr std::string_view kLeftOut = "...";
  const std::vector<std::string_view> all = characters(text);
  const size_t kept = longest > kLeftOut.size() ? longest - kLeftOut.size() : 0;
  std::string out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all.size() > longest && i == kept / 2) {
      out += kLeftOut;
      i = all.size() - (kept - kept / 2);
      if (i == all.size()) break;
    }
    out += all[i];
  }
  return out;
}

std::string quoted(std::string_view text, size_t longest) { return "'" + shortened(text, longest) + "'"; }

}  // namespace mlq::plot
