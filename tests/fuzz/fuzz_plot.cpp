// Pictures of any records: refused, or a script in which no text of the records is anything but text.
#include <algorithm>

#include "lib/jsonl/utf8.h"
#include "lib/plot/gallery.h"
#include "lib/plot/gnuplot_script.h"
#include "lib/plot/gnuplot_text.h"
#include "tests/fuzz/fuzz.h"

namespace mlq {
namespace {

// The length of the gnuplot string that `text` begins with.
size_t string_length(std::string_view text) {
  MLQ_FUZZ_CLAIM(text.starts_with('\''));
  for (size_t i = 1; i < text.size(); ++i) {
    MLQ_FUZZ_CLAIM(static_cast<unsigned char>(text[i]) >= 0x20 && text[i] != 0x7F);
    if (text[i] == '\'') return i + 1;
  }
  MLQ_FUZZ_CLAIM(false);
  return 0;
}

void check_string(std::string_view name) {
  const std::string text = plot::quoted(name);
  MLQ_FUZZ_CLAIM(string_length(text) == text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = jsonl::utf8_length(rest);
    MLQ_FUZZ_CLAIM(length > 0);
    rest.remove_prefix(length);
  }
}

// A line without its strings.
std::string bare(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    const size_t length = line.starts_with('\'') ? string_length(line) : 1;
    out += length == 1 ? line.substr(0, 1) : std::string_view("S");
    line.remove_prefix(length);
  }
  return out;
}

// What is left consists of the words that the script itself has.
void check_script(const std::string& script) {
  size_t begin = 0;
  for (size_t end; (end = script.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = bare(std::string_view(script).substr(begin, end - begin));
    MLQ_FUZZ_CLAIM(line.find_first_of("`@!\"|;") == std::string::npos);
    const bool known = line.empty() || line.starts_with("set ") || line == "reset" ||
                       line == "unset multiplot" || line.starts_with("$curve") || line.starts_with("$band") ||
                       line.starts_with("plot $curve") || line.starts_with("     $curve") ||
                       line.starts_with("plot $band") || line.starts_with("     $band") || line == "EOD" ||
                       std::string_view("-0123456789").find(line[0]) != std::string_view::npos;
    MLQ_FUZZ_CLAIM(known);
  }
}

}  // namespace
}  // namespace mlq

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  const std::string_view text = fuzz::text_of(data, size);
  check_string(text);
  fuzz::accepted([&] {
    records::Reader reader(Input::from_bytes("input", text), {.allow_truncated = true});
    std::vector<plot::Stream> streams;
    streams.push_back(plot::read_stream(reader, std::string(text.substr(0, 40))));
    std::vector<plot::Picture> pictures;
    for (const plot::Choice& choice : plot::choices(streams)) pictures.push_back(plot::draw(streams, choice));
    if (pictures.empty()) return;
    for (const plot::Device device : {plot::Device::text, plot::Device::svg})
      check_script(plot::gnuplot_script(pictures, {.device = device}));
  });
  return 0;
}
