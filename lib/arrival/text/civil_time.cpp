#include "lib/arrival/text/civil_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

__extension__ using Wide = __int128;

constexpr int64_t kDaysPer400Years = 146'097;

constexpr int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// Years that begin in March put the leap day at their end; 400 of them repeat.
int64_t days_from_civil(CivilDate date) {
  const int64_t march_year = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = floor_divide(march_year, 400);
  const int64_t year = march_year - era * 400;
  const int64_t month = (date.month + 9) % 12;  // March is 0
  const int64_t day =
      (153 * month + 2) / 5 + date.day - 1;  // months of 31, 30, 31, 30, 31 days from March on
  const int64_t days = year * 365 + year / 4 - year / 100 + day;
  return era * kDaysPer400Years + days - 719'468;  // 0000-03-01 to 1970-01-01
}

CivilDate civil_from_days(int64_t days) {
  days += 719'468;
  const int64_t era = floor_divide(days, kDaysPer400Years);
  const int64_t rest = days - era * kDaysPer400Years;
  const int64_t year = (rest - rest / 1460 + rest / 36'524 - rest / 146'096) / 365;
  const int64_t day_of_year = rest - (365 * year + year / 4 - year / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  const auto civil_month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  return {static_cast<int>(year + era * 400) + (civil_month <= 2 ? 1 : 0), civil_month, day};
}

int days_in_month(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

int weekday_of(int64_t days) { return static_cast<int>(((days + 4) % 7 + 7) % 7); }

int month_of_name(std::string_view three_letters) {
  constexpr std::string_view names = "janfebmaraprmayjunjulaugsepoctnovdec";
  if (three_letters.size() != 3) return 0;
  char lower[3];
  std::transform(three_letters.begin(), three_letters.end(), lower,
                 [](char c) { return static_cast<char>(c | 0x20); });
  for (size_t m = 0; m < 12; ++m) {
    if (names.substr(3 * m, 3) == std::string_view(lower, 3)) return static_cast<int>(m) + 1;
  }
  return 0;
}

std::optional<int64_t> unix_ns(int64_t seconds, int64_t ns) {
  const Wide total = Wide{seconds} * kNsPerSecond + ns;
  if (total < INT64_MIN || total > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(total);
}

namespace {

// Takes text apart from its front.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_.front(); }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (take(' ') || take('\t')) {
    }
  }
  // `least` to `most` digits.
  bool number(size_t least, size_t most, int& value) {
    size_t n = 0;
    value = 0;
    while (n < most && n < text_.size() && is_digit(text_[n])) value = value * 10 + (text_[n++] - '0');
    if (n < least) return false;
    text_.remove_prefix(n);
    return true;
  }
  // Digits of a fraction, at least one, at most 18; those beyond nine are dropped.
  bool fraction(int64_t& ns) {
    size_t n = 0;
    ns = 0;
    for (; n < text_.size() && is_digit(text_[n]); ++n) {
      if (n < 9) ns = ns * 10 + (text_[n] - '0');
    }
    if (n == 0 || n > 18) return false;
    for (size_t i = n; i < 9; ++i) ns *= 10;
    text_.remove_prefix(n);
    return true;
  }
  // Z, +hh, +hhmm, +hh:mm; seconds east.
  bool offset(int64_t& seconds) {
    if (take('Z') || take('z')) {
      seconds = 0;
      return true;
    }
    const bool west = peek() == '-';
    if (!take('+') && !take('-')) return false;
    int hours = 0;
    int minutes = 0;
    if (!number(2, 2, hours)) return false;
    if (take(':') ? !number(2, 2, minutes) : is_digit(peek()) && !number(2, 2, minutes)) return false;
    if (hours > 24 || minutes > 59) return false;
    seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
  }
  std::string_view take_letters(size_t n) {
    const std::string_view letters = text_.substr(0, n);
    text_.remove_prefix(letters.size());
    return letters;
  }

 private:
  std::string_view text_;
};

// The parts of a time as they are read.
struct Fields {
  CivilDate date;
  int day_of_year = 0;  // 0: month and day say it
  int hour = 0, minute = 0, second = 0;
  int afternoon = -1;  // 12-hour clock: 0 AM, 1 PM
  int64_t ns = 0;
  bool has_offset = false;
  int64_t offset = 0;
  std::optional<int64_t> unix_seconds;

  bool valid() const {
    if (date.month < 1 || date.month > 12 || date.day < 1) return false;
    if (date.day > days_in_month(date.year, date.month)) return false;
    if (day_of_year > (is_leap(date.year) ? 366 : 365)) return false;
    if (afternoon >= 0 && (hour < 1 || hour > 12)) return false;
    return hour <= 23 && minute <= 59 && second <= 60;
  }

  std::optional<int64_t> to_unix_ns(const TimeZone& zone) const {
    if (unix_seconds) return unix_ns(*unix_seconds, ns);
    if (!valid()) return std::nullopt;
    const int64_t days =
        day_of_year > 0 ? days_from_civil({date.year, 1, 1}) + day_of_year - 1 : days_from_civil(date);
    const int hour24 = afternoon < 0 ? hour : hour % 12 + 12 * afternoon;
    const int64_t local = days * kSecondsPerDay + hour24 * 3600 + minute * 60 + second;
    return unix_ns(local - (has_offset ? offset : zone.offset_at_local(local)), ns);
  }
};

bool read_iso_date(Scanner& in, Fields& f) {
  return in.number(4, 4, f.date.year) && in.take('-') && in.number(2, 2, f.date.month) && in.take('-') &&
         in.number(2, 2, f.date.day);
}

bool read_iso_time(Scanner& in, Fields& f) {
  if (!in.number(2, 2, f.hour) || !in.take(':') || !in.number(2, 2, f.minute)) return false;
  if (in.take(':') && !in.number(2, 2, f.second)) return false;
  return !in.take('.') || in.fraction(f.ns);
}

}  // namespace

std::optional<int64_t> parse_iso(std::string_view text, const TimeZone& zone) {
  Scanner in(text);
  Fields f;
  if (!read_iso_date(in, f)) return std::nullopt;
  if (!in.at_end()) {
    if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
    if (!read_iso_time(in, f)) return std::nullopt;
    in.take(' ');
    if (!in.at_end()) f.has_offset = in.offset(f.offset);
  }
  if (!in.at_end()) return std::nullopt;
  return f.to_unix_ns(zone);
}

namespace {

constexpr std::string_view kConversions = "YymdebBjHIpMSfzsTFDnt%";

// Names of months in full are taken too.
bool read_month_name(Scanner& in, int& month) {
  constexpr std::array<std::string_view, 12> rest = {"uary", "ruary", "ch",     "il",   "",      "e",
                                                     "y",    "ust",   "tember", "ober", "ember", "ember"};
  month = month_of_name(in.take_letters(3));
  if (month == 0) return false;
  Scanner ahead = in;
  const std::string_view wanted = rest[static_cast<size_t>(month) - 1];
  if (ahead.take_letters(wanted.size()) == wanted) in = ahead;
  return true;
}

bool read_half_day(Scanner& in, int& afternoon) {
  const std::string_view letters = in.take_letters(2);
  if (letters.size() != 2 || (letters[1] | 0x20) != 'm') return false;
  afternoon = (letters[0] | 0x20) == 'p' ? 1 : 0;
  return afternoon == 1 || (letters[0] | 0x20) == 'a';
}

bool read_unix_seconds(Scanner& in, Fields& f) {
  const bool negative = in.take('-');
  int64_t seconds = 0;
  if (!is_digit(in.peek())) return false;
  for (int digits = 0; is_digit(in.peek()); ++digits) {
    if (digits == 12) return false;
    int digit = 0;
    in.number(1, 1, digit);
    seconds = seconds * 10 + digit;
  }
  f.unix_seconds = negative ? -seconds : seconds;
  return true;
}

bool read_two_digit_year(Scanner& in, int& year) {
  if (!in.number(2, 2, year)) return false;
  year += year < 69 ? 2000 : 1900;  // as POSIX does
  return true;
}

bool read_conversion(Scanner& in, char conversion, Fields& f) {
  switch (conversion) {
    case 'Y':
      return in.number(4, 4, f.date.year);
    case 'y':
      return read_two_digit_year(in, f.date.year);
    case 'm':
      return in.number(1, 2, f.date.month);
    case 'd':
    case 'e':
      in.skip_spaces();
      return in.number(1, 2, f.date.day);
    case 'b':
    case 'B':
      return read_month_name(in, f.date.month);
    case 'j':
      return in.number(1, 3, f.day_of_year) && f.day_of_year > 0;
    case 'H':
    case 'I':
      in.skip_spaces();
      if (conversion == 'I' && f.afternoon < 0) f.afternoon = 0;
      return in.number(1, 2, f.hour);
    case 'p':
      return read_half_day(in, f.afternoon);
    case 'M':
      return in.number(1, 2, f.minute);
    case 'S':
      return in.number(1, 2, f.second);
    case 'f':
      return in.fraction(f.ns);
    case 'z':
      f.has_offset = true;
      return in.offset(f.offset);
    case 's':
      return read_unix_seconds(in, f);
    case 'T':
      return in.number(2, 2, f.hour) && in.take(':') && in.number(2, 2, f.minute) && in.take(':') &&
             in.number(2, 2, f.second);
    case 'F':
      return read_iso_date(in, f);
    case 'D':
      return in.number(1, 2, f.date.month) && in.take('/') && in.number(1, 2, f.date.day) && in.take('/') &&
             read_two_digit_year(in, f.date.year);
    case 'n':
    case 't':
      in.skip_spaces();
      return true;
    default:
      return in.take('%');
  }
}

}  // namespace

TimeFormat::TimeFormat(const std::string& format) : format_(format) {
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    const bool known = ++i < format.size() && kConversions.find(format[i]) != kConversions.npos;
    if (!known) {
      throw usage_error("time format \"{}\": % is followed by one of {}", format,
                        fmt::join(kConversions, " "));
    }
  }
}

std::optional<int64_t> TimeFormat::parse(std::string_view text, const TimeZone& zone) const {
  Scanner in(text);
  Fields fields;
  for (size_t i = 0; i < format_.size(); ++i) {
    const bool good = format_[i] == '%' ? read_conversion(in, format_[++i], fields) : in.take(format_[i]);
    if (!good) return std::nullopt;
  }
  if (!in.at_end()) return std::nullopt;
  return fields.to_unix_ns(zone);
}

void format_utc(int64_t unix_ns, int decimals, std::string& out) {
  const int64_t seconds = floor_divide(unix_ns, kNsPerSecond);
  const int64_t days = floor_divide(seconds, kSecondsPerDay);
  const int64_t of_day = seconds - days * kSecondsPerDay;
  const CivilDate date = civil_from_days(days);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02} {:02}:{:02}:{:02}", date.year, date.month,
                 date.day, of_day / 3600, of_day / 60 % 60, of_day % 60);
  if (decimals == 0) return;
  char digits[16];
  const int64_t rest = unix_ns % kNsPerSecond;  // seconds * kNsPerSecond may be below the least int64
  fmt::format_to(digits, "{:09}", rest < 0 ? rest + kNsPerSecond : rest);
  out += '.';
  out.append(digits, static_cast<size_t>(decimals));
}

}  // namespace mlq::arrival
