// Files of token lengths, for the sampling of marks.
#include <optional>

#include "lib/arrival/import/format.h"
#include "lib/arrival/import/import.h"
#include "lib/arrival/text/csv.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"
#include "lib/jsonl/line_reader.h"
#include "lib/jsonl/object.h"

namespace mlq::arrival {
namespace {

using Lengths = std::pair<uint32_t, uint32_t>;

constexpr std::string_view kInputKey = arrival_key<&records::Arrival::input_tokens>;    // ,"name":
constexpr std::string_view kOutputKey = arrival_key<&records::Arrival::output_tokens>;  // ,"name":
constexpr std::string_view kInput = kInputKey.substr(2, kInputKey.size() - 4);
constexpr std::string_view kOutput = kOutputKey.substr(2, kOutputKey.size() - 4);

std::optional<uint32_t> length(std::optional<uint64_t> value) {
  if (!value || *value > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(*value);
}

class LengthsFile {
 public:
  explicit LengthsFile(const std::string& path) : lines_(Input::open(path)) {}

  std::vector<Lengths> read() {
    while (lines_.next(line_)) {
      if (line_.text.empty()) continue;
      if (line_.too_long) fail("the line is too long");
      if (first_) json_ = line_.text.starts_with('{');
      json_ ? add_object() : add_row();
      first_ = false;
    }
    if (lengths_.empty()) throw input_error("{}: there are no token lengths in it", lines_.input().name());
    return std::move(lengths_);
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw input_error("{}:{}: {}", lines_.input().name(), line_.number, what);
  }

  void add(std::optional<uint32_t> input, std::optional<uint32_t> output) {
    if (!input || !output) fail("expected two whole numbers, the tokens of the prompt and of the answer");
    lengths_.emplace_back(*input, *output);
  }

  void add_object() {
    if (!parser_.parse(line_.text)) fail(parser_.error().c_str());
    const jsonl::Value* input = parser_.find(kInput);
    const jsonl::Value* output = parser_.find(kOutput);
    if (input == nullptr && output == nullptr) return;  // run and end
    add(input == nullptr ? std::nullopt : length(input->as_uint64()),
        output == nullptr ? std::nullopt : length(output->as_uint64()));
  }

  void add_row() {
    if (first_) csv_ = CsvSplitter(detect_delimiter(line_.text));
    if (csv_.feed(line_) != CsvSplitter::State::record) fail("quotes are not closed");
    const auto fields = csv_.fields();
    if (first_ && take_header(fields)) return;
    if (!has_header_ && fields.size() != 2) fail("expected two columns, or a header that names them");
    if (std::max(input_at_, output_at_) >= fields.size()) fail("a column is missing");
    add(length(parse_whole(fields[input_at_].text)), length(parse_whole(fields[output_at_].text)));
  }

  // True if the fields name columns.
  bool take_header(std::span<const CsvField> fields) {
    std::optional<size_t> input;
    std::optional<size_t> output;
    for (size_t i = 0; i < fields.size(); ++i) {
      const std::string_view name = fields[i].text;
      if (name == kInput || name == "num_prefill_tokens") input = i;
      if (name == kOutput || name == "num_decode_tokens") output = i;
    }
    if (input.has_value() != output.has_value()) fail("the header names only one of the two lengths");
    has_header_ = input.has_value();
    if (!has_header_) return fields.size() == 2 && !parse_whole(fields[0].text);
    input_at_ = *input;
    output_at_ = *output;
    return true;
  }

  jsonl::LineReader lines_;
  jsonl::Line line_;
  jsonl::ObjectParser parser_;
  CsvSplitter csv_;
  bool first_ = true;
  bool json_ = false;
  bool has_header_ = false;
  size_t input_at_ = 0;
  size_t output_at_ = 1;
  std::vector<Lengths> lengths_;
};

}  // namespace

std::vector<Lengths> read_lengths(const std::string& path) { return LengthsFile(path).read(); }

}  // namespace mlq::arrival
