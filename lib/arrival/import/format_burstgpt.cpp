// burstgpt: CSV by header name of `Timestamp` (s), [`Session ID`,] `Model`, `Request tokens`, `Response
// tokens`.
#include <fmt/format.h>

#include "lib/arrival/import/format_table.h"
#include "lib/arrival/text/decimal.h"

namespace mlq::arrival {
namespace {

class BurstGpt final : public TableParser {
 public:
  BurstGpt(ImportSink& sink, const ImportOptions& options)
      : TableParser(sink, options.max_line_bytes), drop_failures_(options.failures == Failures::drop) {}

  void end() override {
    if (failures_ == 0) return;
    sink().notice(fmt::format("{} failed requests (answers of 0 tokens) were {}", failures_,
                              drop_failures_ ? "left out (--failures keep)" : "kept"));
  }

 protected:
  bool header(CsvFields fields) override {
    time_ = column(fields, "Timestamp");
    model_ = column(fields, "Model");
    input_ = column(fields, "Request tokens");
    output_ = column(fields, "Response tokens");
    session_ = find_column(fields, "Session ID");
    columns_ = fields.size();
    return true;
  }

  const char* row(CsvFields fields) override {
    if (fields.size() != columns_) return "the row has not as many fields as the header";
    const auto time = parse_decimal64(fields[time_].text, 9);
    if (!time || *time < 0) return "Timestamp is not a number of seconds";
    const auto input = parse_whole(fields[input_].text);
    const auto output = parse_whole(fields[output_].text);
    if (!input || !output || *input > UINT32_MAX || *output > UINT32_MAX)
      return "a token count is no whole number";
    const auto placed = sink().placed(*time);
    if (!placed) return "the time is past the range";
    if (*output == 0) {
      ++failures_;
      if (drop_failures_) return nullptr;
    }
    records::Arrival marks;
    marks.klass = fields[model_].text;
    marks.input_tokens = static_cast<uint32_t>(*input);
    marks.output_tokens = static_cast<uint32_t>(*output);
    if (session_ && !fields[*session_].text.empty()) marks.conversation = fields[*session_].text;
    sink().count_bad_bytes_of(*marks.klass);
    if (marks.conversation) sink().count_bad_bytes_of(*marks.conversation);
    sink().arrival(*placed, marks);
    return nullptr;
  }

 private:
  bool drop_failures_;
  uint64_t failures_ = 0;
  size_t columns_ = 0;
  size_t time_ = 0, model_ = 0, input_ = 0, output_ = 0;
  std::optional<size_t> session_;
};

}  // namespace

std::unique_ptr<FormatParser> make_burstgpt(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<BurstGpt>(sink, options);
}

}  // namespace mlq::arrival
