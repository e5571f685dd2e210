// azure-llm: `TIMESTAMP,ContextTokens,GeneratedTokens`, then `2023-11-16 18:17:03.9799600,4808,10`.
#include "lib/arrival/civil_time.h"
#include "lib/arrival/csv.h"
#include "lib/arrival/import_decimal.h"
#include "lib/arrival/import_format.h"
#include "lib/arrival/import_scan.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

// Token counts are copied as they are written.
struct AzureRow {
  int64_t t_ns = 0;
  std::string_view input;
  std::string_view output;
};

class AzureLlm final : public FormatParser {
 public:
  explicit AzureLlm(ImportSink& sink) : sink_(sink) { sink.absolute = true; }

  void begin_file() override { first_ = true; }

  const char* line(const jsonl::Line& line) override {
    AzureRow row;
    if (!scan(line.text, row)) {
      if (line.text.empty()) return nullptr;
      const bool first = std::exchange(first_, false);
      const char* bad = split(line, row);
      if (bad != nullptr && first) return check_header();
      if (bad != nullptr) return bad;
    }
    first_ = false;
    jsonl::Buffer& out = sink_.begin();
    put_key<&records::Arrival::input_tokens>(out);
    out.raw(row.input);
    put_key<&records::Arrival::output_tokens>(out);
    out.raw(row.output);
    sink_.commit(row.t_ns);
    return nullptr;
  }

 private:
  static constexpr size_t kDateLength = 10;

  // The form in which the data set is written; false for any other, which may still be good.
  bool scan(std::string_view text, AzureRow& row) {
    if (text.size() < 23) return false;
    const char* p = text.data();
    if (std::memcmp(p, date_, kDateLength) != 0 && !set_date(text.substr(0, kDateLength))) return false;
    const int second = scan::time_of_day(p + 11);
    if (second < 0 || p[10] != ' ' || p[19] != '.') return false;
    p += 20;
    int64_t ns = 0;
    if (!scan::nanoseconds(p, ns) || *p != ',') return false;
    row.input = {p + 1, static_cast<size_t>(scan::plain_digits(p + 1))};
    p = row.input.data() + row.input.size();
    if (row.input.empty() || *p != ',') return false;
    row.output = {p + 1, static_cast<size_t>(scan::plain_digits(p + 1))};
    row.t_ns = midnight_ns_ + second * kNsPerSecond + ns;
    return !row.output.empty() && row.output.data() + row.output.size() == text.data() + text.size();
  }

  // Rows of one day come together, so a date is looked at once.
  bool set_date(std::string_view date) {
    const auto midnight = parse_iso(date, utc_);
    if (!midnight || *midnight > INT64_MAX - 2 * kSecondsPerDay * kNsPerSecond) return false;
    date.copy(date_, kDateLength);
    midnight_ns_ = *midnight;
    return true;
  }

  const char* split(const jsonl::Line& line, AzureRow& row) {
    if (csv_.feed(line) != CsvSplitter::State::record) {
      csv_.reset();
      return "quotes are not closed";
    }
    const auto fields = csv_.fields();
    if (fields.size() != 3) return "there are not three fields";
    const auto time = parse_iso(fields[0].text, utc_);
    if (!time) return "the time is not YYYY-MM-DD HH:MM:SS.fffffff";
    row = {*time, plain_number(fields[1].text, input_), plain_number(fields[2].text, output_)};
    return row.input.empty() || row.output.empty() ? "a token count is no whole number" : nullptr;
  }

  // A number of 32 bits without leading zeros, in `memory`; empty if the text is none.
  static std::string_view plain_number(std::string_view text, std::string& memory) {
    const auto number = parse_whole(text);
    if (!number || *number > UINT32_MAX) return {};
    memory = std::to_string(*number);
    return memory;
  }

  const char* check_header() const {
    const auto fields = csv_.fields();
    const bool header = fields.size() == 3 && fields[0].text == "TIMESTAMP" &&
                        fields[1].text == "ContextTokens" && fields[2].text == "GeneratedTokens";
    if (header) return nullptr;
    throw input_error(
        "{}: neither a row nor the header TIMESTAMP,ContextTokens,GeneratedTokens; is it another format?",
        sink_.where());
  }

  ImportSink& sink_;
  TimeZone utc_;
  CsvSplitter csv_;
  char date_[kDateLength] = {'\n'};  // which no line holds
  int64_t midnight_ns_ = 0;
  std::string input_, output_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<FormatParser> make_azure_llm(ImportSink& sink, const ImportOptions&) {
  return std::make_unique<AzureLlm>(sink);
}

}  // namespace mlq::arrival
