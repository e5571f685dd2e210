// Lines and objects: no input breaks them; lines do not depend on the block size; what is read as an object
// and written again reads back to the same.
#include <string>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/jsonl/line_reader.h"
#include "lib/jsonl/object.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

struct Got {
  std::string text;
  bool terminated, too_long;
  bool operator==(const Got&) const = default;
};

std::vector<Got> lines_of(std::string_view bytes, size_t max_line, size_t block) {
  jsonl::LineReader reader(Input::from_bytes("fuzz", bytes), max_line, block);
  std::vector<Got> lines;
  for (jsonl::Line line; reader.next(line);) {
    MLQ_FUZZ_CLAIM(line.number == lines.size() + 1);
    MLQ_FUZZ_CLAIM(line.text.find('\n') == std::string_view::npos);
    lines.push_back({std::string(line.text), line.terminated, line.too_long});
  }
  return lines;
}

void use(const jsonl::Value& value) {
  using jsonl::Kind;
  if (const auto i = value.as_int64(); i && *i >= 0)
    MLQ_FUZZ_CLAIM(value.as_uint64() == static_cast<uint64_t>(*i));
  if (value.kind == Kind::real) MLQ_FUZZ_CLAIM(value.as_double() == value.real);
  if (value.kind != Kind::array && value.kind != Kind::object) return;
  MLQ_FUZZ_CLAIM(!jsonl::json_text(value).empty());
  std::vector<uint64_t> numbers;
  std::vector<std::string> texts;
  std::vector<std::vector<double>> rows;
  jsonl::read_uint64_array(value, numbers);
  jsonl::read_string_array(value, texts);
  jsonl::read_matrix(value, rows);
}

void parse(std::string_view text) {
  jsonl::OwnedObject object(text);
  if (!object.ok()) {
    MLQ_FUZZ_CLAIM(!object.parser().error().empty());
    MLQ_FUZZ_CLAIM(object.parser().members().empty());
    return;
  }
  jsonl::Buffer again;
  again.raw('{');
  for (const jsonl::Member& member : object.parser().members()) {
    use(member.value);
    if (again.size() > 1) again.raw(',');
    MLQ_FUZZ_CLAIM(again.string(member.key) == 0);  // what was read is UTF-8
    again.raw(':');
    if (member.value.kind == jsonl::Kind::string) {
      again.string(member.value.text);
    } else if (member.value.kind == jsonl::Kind::real) {
      again.number(member.value.real);
    } else {
      again.raw("null");
    }
  }
  again.raw('}');
  jsonl::OwnedObject back(again.view());
  MLQ_FUZZ_CLAIM(back.ok());
  const auto before = object.parser().members();
  const auto after = back.parser().members();
  MLQ_FUZZ_CLAIM(before.size() == after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    MLQ_FUZZ_CLAIM(before[i].key == after[i].key && before[i].value.text == after[i].value.text);
    if (before[i].value.kind == jsonl::Kind::real)
      MLQ_FUZZ_CLAIM(after[i].value.as_double() == before[i].value.real);
  }
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view text = text_of(data, size);
  const size_t max_line = size % 97 + 1;
  const auto whole = lines_of(text, max_line, 1 << 18);
  for (const size_t block : {size_t{1}, size_t{3}, size_t{64}})
    MLQ_FUZZ_CLAIM(lines_of(text, max_line, block) == whole);
  for (const Got& line : lines_of(text, 1 << 20, 1 << 18)) parse(line.text);
  parse(text);
  return 0;
}
