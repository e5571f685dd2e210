// gaps: one gap in seconds a line.
#include "lib/arrival/import/format.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

// Gaps are summed in units of 10^-20 s: exact for the 20 decimals that such files have, for 10^18 s.
constexpr int kDecimals = 20;
constexpr Wide kUnitsPerNs = 100'000'000'000;
constexpr Wide kLast = Wide{INT64_MAX} * kUnitsPerNs;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

class Gaps final : public FormatParser {
 public:
  explicit Gaps(ImportSink& sink) : sink_(sink) { sink.starts_at_0 = true; }

  const char* line(const jsonl::Line& line) override {
    const std::string_view text = trimmed(line.text);
    if (text.empty()) return nullptr;
    const auto gap = parse_decimal(text, kDecimals);
    if (!gap) return "not a number of seconds";
    // Passing over these would shift all that follows.
    if (*gap < 0) throw input_error("{}: a gap is negative", sink_.where());
    if (*gap > kLast - sum_) throw input_error("{}: the time is past 2^63 ns", sink_.where());
    sum_ += *gap;
    sink_.begin();
    sink_.commit(static_cast<int64_t>(sum_ / kUnitsPerNs));
    return nullptr;
  }

 private:
  ImportSink& sink_;
  Wide sum_ = 0;
};

}  // namespace

std::unique_ptr<FormatParser> make_gaps(ImportSink& sink, const ImportOptions&) {
  return std::make_unique<Gaps>(sink);
}

}  // namespace mlq::arrival
