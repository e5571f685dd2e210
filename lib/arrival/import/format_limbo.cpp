// limbo: lines of `t,value;` without a header; t is the middle of a bin, in bins: 0.5, 1.5, ...
#include "lib/arrival/import/format_table.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

class Limbo final : public FormatParser {
 public:
  Limbo(ImportSink& sink, int64_t bin_ns) : sink_(sink), bin_ns_(bin_ns) { sink.starts_at_0 = true; }

  const char* line(const jsonl::Line& line) override {
    std::string_view text = line.text;
    if (text.empty()) return nullptr;
    if (text.ends_with(';')) text.remove_suffix(1);
    const size_t comma = text.find(',');
    if (comma == text.npos) return "not \"t,value;\"";
    const auto middle = parse_decimal64(text.substr(0, comma), kDecimals);
    const auto value = parse_count_value(text.substr(comma + 1));
    if (!middle || *middle < kHalf) return "the time is not the middle of a bin (0.5, 1.5, ...)";
    if (!value) return "the value is not a number";
    const Wide start = Wide{*middle - kHalf} * bin_ns_ / (2 * kHalf);
    if (start > INT64_MAX - bin_ns_) return "the time is past the range";
    const auto placed = sink_.placed(static_cast<int64_t>(start));
    if (!placed || *placed > INT64_MAX - bin_ns_) return "the time is past the range";
    sink_.bin(*placed, bin_ns_, *value);
    end_ns_ = std::max(end_ns_, *placed + bin_ns_);
    return nullptr;
  }

  const char* end_file() override {
    sink_.end_file_at(end_ns_);
    return nullptr;
  }

 private:
  static constexpr int kDecimals = 9;
  static constexpr int64_t kHalf = 500'000'000;

  ImportSink& sink_;
  int64_t bin_ns_;
  int64_t end_ns_ = 0;
};

}  // namespace

std::unique_ptr<FormatParser> make_limbo(ImportSink& sink, const ImportOptions& options) {
  if (!options.bin_ns)
    throw usage_error("limbo: the files do not say how long a bin is; give --bin (1h, 15m)");
  return std::make_unique<Limbo>(sink, *options.bin_ns);
}

}  // namespace mlq::arrival
