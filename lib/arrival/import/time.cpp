#include "lib/arrival/import/time.h"

#include "lib/arrival/text/decimal.h"

namespace mlq::arrival {
namespace {

// Numbers from here on are Unix times: 1973-03-03.
constexpr int64_t kFirstUnixTime = 100'000'000 * kNsPerSecond;

int decimals_to_ns(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::s:
      return 9;
    case TimeUnit::ms:
      return 6;
    case TimeUnit::us:
      return 3;
    default:
      return 0;
  }
}

}  // namespace

TimeReader::TimeReader(const ImportColumns& columns)
    : zone_(TimeZone::load(columns.tz)), unit_(columns.time_unit) {
  if (!columns.time_format.empty()) format_.emplace(columns.time_format);
}

void TimeReader::reads_t_ns() {
  t_ns_ = true;
  unit_ = TimeUnit::ns;
  format_.reset();
}

std::optional<int64_t> TimeReader::parse_number(std::string_view text) {
  const auto ns = parse_decimal64(text, decimals_to_ns(unit_));
  if (ns && *ns >= kFirstUnixTime && !t_ns_) absolute_ = true;
  return ns;
}

std::optional<int64_t> TimeReader::parse(std::string_view text) {
  if (!format_) {
    if (const auto number = parse_number(text)) return number;
    if (t_ns_) return std::nullopt;
  }
  const auto time = format_ ? format_->parse(text, zone_) : parse_iso(text, zone_);
  if (time) absolute_ = true;
  return time;
}

}  // namespace mlq::arrival
