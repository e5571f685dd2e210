// azure-llm: `TIMESTAMP,ContextTokens,GeneratedTokens`, then `2023-11-16 18:17:03.9799600,4808,10`.
#include <fmt/format.h>

#include "lib/arrival/import/format.h"
#include "lib/arrival/import/scan.h"
#include "lib/arrival/text/civil_time.h"
#include "lib/arrival/text/csv.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

// Token counts are copied as they are written: `INPUT,OUTPUT`, with kCountsRoom bytes that may be read.
constexpr size_t kCountsRoom = 24;
struct AzureRow {
  int64_t t_ns = 0;
  std::string_view counts;
  size_t comma = 0;
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
    put_counts(row, sink_.begin());
    sink_.commit(row.t_ns);
    return nullptr;
  }

 private:
  static constexpr size_t kDateLength = 10;

  // The comma becomes the key of the number behind it.
  static void put_counts(const AzureRow& row, jsonl::Buffer& out) {
    char* to = out.reserve(1 + kCountsRoom);
    *to = arrival_code<&records::Arrival::input_tokens>;
    std::memcpy(to + 1, row.counts.data(), kCountsRoom);
    to[1 + row.comma] = arrival_code<&records::Arrival::output_tokens>;
    out.advance(1 + row.counts.size());
  }

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
    const char* const counts = ++p;
    const int input = scan::plain_digits(p);
    p += input;
    if (input == 0 || *p != ',') return false;
    const int output = scan::plain_digits(++p);
    row.counts = {counts, static_cast<size_t>(input + 1 + output)};
    row.comma = static_cast<size_t>(input);
    row.t_ns = midnight_ns_ + second * kNsPerSecond + ns;
    return output > 0 && p + output == text.data() + text.size();
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
    const auto input = token_count(fields[1].text);
    const auto output = token_count(fields[2].text);
    if (!input || !output) return "a token count is no whole number";
    const auto end = fmt::format_to(counts_, "{},{}", *input, *output);
    row.t_ns = *time;
    row.counts = {counts_, static_cast<size_t>(end - counts_)};
    row.comma = row.counts.find(',');
    return nullptr;
  }

  static std::optional<uint32_t> token_count(std::string_view text) {
    const auto number = parse_whole(text);
    if (!number || *number > UINT32_MAX) return std::nullopt;
    return static_cast<uint32_t>(*number);
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
  char counts_[kCountsRoom] = {};  // of a row that is written in some other way
  bool first_ = true;
};

}  // namespace

std::unique_ptr<FormatParser> make_azure_llm(ImportSink& sink, const ImportOptions&) {
  return std::make_unique<AzureLlm>(sink);
}

}  // namespace mlq::arrival
