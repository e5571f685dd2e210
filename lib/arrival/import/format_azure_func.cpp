// azure-func-2021: `app,func,end_timestamp,duration` in seconds, a row a call.
// azure-func-2019: `HashOwner,HashApp,HashFunction,Trigger,1..1440`, a row a function and day, counts a
// minute.
#include "lib/arrival/import/format_table.h"
#include "lib/arrival/text/decimal.h"

namespace mlq::arrival {
namespace {

class AzureFunc2021 final : public TableParser {
 public:
  AzureFunc2021(ImportSink& sink, const ImportOptions& options) : TableParser(sink, options.max_line_bytes) {}

 protected:
  bool header(CsvFields fields) override {
    function_ = column(fields, "func");
    end_ = column(fields, "end_timestamp");
    duration_ = column(fields, "duration");
    columns_ = fields.size();
    return true;
  }

  const char* row(CsvFields fields) override {
    if (fields.size() != columns_) return "the row has not as many fields as the header";
    const auto end = parse_decimal(fields[end_].text, kDecimals);
    const auto duration = parse_decimal(fields[duration_].text, kDecimals);
    if (!end || !duration || *duration < 0) return "end_timestamp or duration is not a number of seconds";
    const Wide start = floor_to_ns(*end - *duration);
    if (start < INT64_MIN || start > INT64_MAX) return "the time is past the range";
    const auto placed = sink().placed(static_cast<int64_t>(start));
    if (!placed) return "the time is past the range";
    records::Arrival marks;
    marks.klass = fields[function_].text;
    sink().count_bad_bytes_of(*marks.klass);
    sink().arrival(*placed, marks);
    return nullptr;
  }

 private:
  // The difference is taken before it is rounded to nanoseconds.
  static constexpr int kDecimals = 20;
  static Wide floor_to_ns(Wide units) {
    constexpr Wide per_ns = 100'000'000'000;
    return units / per_ns - (units % per_ns < 0 ? 1 : 0);
  }

  size_t columns_ = 0;
  size_t function_ = 0, end_ = 0, duration_ = 0;
};

class AzureFunc2019 final : public TableParser {
 public:
  AzureFunc2019(ImportSink& sink, const ImportOptions& options) : TableParser(sink, options.max_line_bytes) {
    sink.starts_at_0 = true;
    sink.sparse_bins = true;
  }

  const char* end_file() override {
    if (const auto end = sink().placed(kMinutesPerDay * kMinuteNs)) sink().end_file_at(*end);
    return TableParser::end_file();
  }

 protected:
  bool header(CsvFields fields) override {
    function_ = column(fields, "HashFunction");
    column(fields, "Trigger");
    minutes_.clear();
    for (size_t i = 0; i < fields.size(); ++i) {
      const auto minute = parse_whole(fields[i].text);
      if (minute && *minute >= 1 && *minute <= kMinutesPerDay)
        minutes_.push_back({i, static_cast<int64_t>(*minute) - 1});
    }
    columns_ = fields.size();
    return true;
  }

  const char* row(CsvFields fields) override {
    if (fields.size() != columns_) return "the row has not as many fields as the header";
    counts_.clear();
    for (const Minute& minute : minutes_) {
      const auto count = parse_count_value(fields[minute.column].text);
      if (!count) return "a count is not a number";
      counts_.push_back(*count);
    }
    const auto midnight = sink().placed(0);
    if (!midnight || *midnight > INT64_MAX - 2 * kMinutesPerDay * kMinuteNs)
      return "the time is past the range";
    const uint32_t klass = sink().class_index(fields[function_].text);
    for (size_t m = 0; m < minutes_.size(); ++m) {
      if (counts_[m] != 0)
        sink().bin(*midnight + minutes_[m].index * kMinuteNs, kMinuteNs, counts_[m], klass);
    }
    return nullptr;
  }

 private:
  static constexpr int64_t kMinuteNs = 60'000'000'000;
  static constexpr int64_t kMinutesPerDay = 1440;
  struct Minute {
    size_t column;
    int64_t index;
  };

  size_t columns_ = 0;
  size_t function_ = 0;
  std::vector<Minute> minutes_;
  std::vector<double> counts_;
};

}  // namespace

std::unique_ptr<FormatParser> make_azure_func_2021(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<AzureFunc2021>(sink, options);
}

std::unique_ptr<FormatParser> make_azure_func_2019(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<AzureFunc2019>(sink, options);
}

}  // namespace mlq::arrival
