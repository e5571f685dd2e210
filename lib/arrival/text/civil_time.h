// Calendar dates and times of day as text, and Unix nanoseconds. Proleptic Gregorian calendar, no leap
// seconds (a second 60 is the first of the next minute). Everything is a pure function but TimeZone::load,
// which may read a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::arrival {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kSecondsPerDay = 86'400;

struct CivilDate {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31
};

// Days since 1970-01-01, for any valid date with |year| < 10^6.
int64_t days_from_civil(CivilDate date);
CivilDate civil_from_days(int64_t days);
int days_in_month(int year, int month);
// 0 is Sunday.
int weekday_of(int64_t days);
// 1 to 12 for `Jan` to `Dec` in any case, else 0.
int month_of_name(std::string_view three_letters);
// Nanoseconds of seconds and a part of a second; empty outside 1677-09-21 to 2262-04-11.
std::optional<int64_t> unix_ns(int64_t seconds, int64_t ns);

// Offsets of local time from UTC. A value type; thread-safe to read.
class TimeZone {
 public:
  // `UTC`, an offset (`+02:00`, `-0530`), a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`; here the sign says west
  // of Greenwich) or the name of a file of the system's zone database (`Europe/Amsterdam`). Usage Error
  // otherwise.
  static TimeZone load(const std::string& text);

  // The offset in seconds, east positive, that holds when a clock on the wall shows `local` (seconds since
  // 1970 as if it were UTC). A time that the wall shows twice is the first; one that it skips is read with
  // the offset before.
  int64_t offset_at_local(int64_t local) const;
  // The offset at a moment.
  int64_t offset_at(int64_t unix_s) const;

 private:
  struct Change {
    int64_t at;  // Unix seconds
    int64_t offset;
  };
  // One of the two days of a rule: Mm.w.d, Jn or n.
  struct RuleDay {
    enum class Kind { month, julian, zero_based } kind = Kind::month;
    int month = 0, week = 0, day = 0;
    int64_t time = 7200;  // seconds after midnight, local
    int64_t in_year(int year) const;
  };
  struct Rule {
    int64_t standard = 0;
    int64_t summer = 0;
    bool has_summer = false;
    RuleDay begin, end;
    int64_t offset_at(int64_t unix_s) const;
  };

  class RuleParser;
  class FileParser;

  int64_t first_ = 0;            // the offset before the first change
  std::vector<Change> changes_;  // by time
  std::optional<Rule> rule_;     // holds after the last
};

// `YYYY-MM-DD`, then optionally `T`, `t` or a space and `HH:MM[:SS[.digits]]`, then optionally ` `, and `Z`,
// `+HH`,
// `+HHMM` or `+HH:MM`. Decimals beyond nine are dropped. Empty for anything else.
std::optional<int64_t> parse_iso(std::string_view text, const TimeZone& zone);

// Text in a strptime-like format; see ImportColumns::time_format. Compiled once, then a pure function.
class TimeFormat {
 public:
  // Usage Error for an unknown conversion.
  explicit TimeFormat(const std::string& format);
  // Unix nanoseconds; empty if the text does not match.
  std::optional<int64_t> parse(std::string_view text, const TimeZone& zone) const;

 private:
  std::string format_;
};

// `2023-11-16 18:17:03.9799600`: `decimals` (0 to 9) of the second, the rest dropped. Appended to `out`.
void format_utc(int64_t unix_ns, int decimals, std::string& out);

}  // namespace mlq::arrival
