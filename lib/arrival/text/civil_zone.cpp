// Time zones: POSIX rules (IEEE Std 1003.1, section 8.3, TZ) and zone files (RFC 8536, TZif).
#include <algorithm>
#include <cctype>

#include "lib/arrival/text/civil_time.h"
#include "lib/base/error.h"
#include "lib/base/io.h"

namespace mlq::arrival {

class TimeZone::RuleParser {
 public:
  explicit RuleParser(std::string_view text) : text_(text) {}

  // The whole text as a rule; false if it is none.
  bool parse(Rule& rule) {
    int64_t west = 0;
    if (!skip_name() || !hours(west, 24)) return false;
    rule.standard = -west;
    if (text_.empty()) return true;
    rule.has_summer = true;
    rule.summer = rule.standard + 3600;
    if (!skip_name()) return false;
    if (!text_.empty() && text_.front() != ',') {
      if (!hours(west, 24)) return false;
      rule.summer = -west;
    }
    if (!take(',') || !day(rule.begin) || !take(',') || !day(rule.end)) return false;
    return text_.empty();
  }

 private:
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool number(int most, int& value) {
    size_t n = 0;
    for (value = 0; n < 3 && n < text_.size() && text_[n] >= '0' && text_[n] <= '9'; ++n) {
      value = value * 10 + (text_[n] - '0');
    }
    text_.remove_prefix(n);
    return n > 0 && value <= most;
  }
  bool skip_name() {
    if (take('<')) {
      const size_t end = text_.find('>');
      if (end == text_.npos) return false;
      text_.remove_prefix(end + 1);
      return true;
    }
    size_t n = 0;
    while (n < text_.size() && std::isalpha(static_cast<unsigned char>(text_[n])) != 0) ++n;
    text_.remove_prefix(n);
    return n >= 3;
  }
  // [+-]hh[:mm[:ss]] as seconds.
  bool hours(int64_t& seconds, int most) {
    const bool negative = take('-');
    if (!negative) take('+');
    int h = 0;
    int m = 0;
    int s = 0;
    if (!number(most, h)) return false;
    if (take(':') && (!number(59, m) || (take(':') && !number(59, s)))) return false;
    seconds = (negative ? -1 : 1) * (int64_t{h} * 3600 + m * 60 + s);
    return true;
  }
  bool day(RuleDay& out) {
    if (take('M')) {
      out.kind = RuleDay::Kind::month;
      if (!number(12, out.month) || !take('.') || !number(5, out.week) || !take('.') || !number(6, out.day))
        return false;
      if (out.month < 1 || out.week < 1) return false;
    } else {
      out.kind = take('J') ? RuleDay::Kind::julian : RuleDay::Kind::zero_based;
      if (!number(365, out.day)) return false;
      if (out.kind == RuleDay::Kind::julian && out.day < 1) return false;
    }
    return !take('/') || hours(out.time, 167);
  }

  std::string_view text_;
};

// The local second, as if it were UTC, at which the change comes in `year`.
int64_t TimeZone::RuleDay::in_year(int year) const {
  int64_t days = days_from_civil({year, 1, 1});
  if (kind == Kind::month) {
    const int64_t first = days_from_civil({year, month, 1});
    int date = (day - weekday_of(first) + 7) % 7 + 7 * (week - 1);
    while (date >= days_in_month(year, month)) date -= 7;  // week 5 is the last
    days = first + date;
  } else if (kind == Kind::julian) {
    days += day - 1 + (day >= 60 && days_in_month(year, 2) == 29 ? 1 : 0);  // 29 February has no number
  } else {
    days += day;
  }
  return days * kSecondsPerDay + time;
}

int64_t TimeZone::Rule::offset_at(int64_t unix_s) const {
  if (!has_summer) return standard;
  const int64_t local = unix_s + standard;
  const int64_t local_day = local / kSecondsPerDay - (local % kSecondsPerDay < 0 ? 1 : 0);
  const int year = civil_from_days(local_day).year;
  const int64_t from = begin.in_year(year) - standard;
  const int64_t to = end.in_year(year) - summer;
  const bool in_summer = from < to ? unix_s >= from && unix_s < to : unix_s >= from || unix_s < to;
  return in_summer ? summer : standard;
}

class TimeZone::FileParser {
 public:
  explicit FileParser(std::string_view bytes) : bytes_(bytes) {}

  // False if the bytes are no zone file of version 2 or later.
  bool parse(TimeZone& zone) {
    Counts counts;
    if (!header(counts) || counts.version < '2' || !skip(counts.body_bytes(4)) || !header(counts))
      return false;
    if (bytes_.size() < counts.body_bytes(8) || counts.types == 0) return false;
    if (!body(counts, zone)) return false;
    skip(counts.body_bytes(8));
    if (bytes_.empty() || bytes_.front() != '\n') return false;
    bytes_.remove_prefix(1);
    const std::string_view footer = bytes_.substr(0, bytes_.find('\n'));
    Rule rule;
    if (!footer.empty() && RuleParser(footer).parse(rule)) zone.rule_ = rule;
    return true;
  }

 private:
  struct Counts {
    char version = 0;
    size_t utc = 0, standard = 0, leaps = 0, times = 0, types = 0, chars = 0;
    size_t body_bytes(size_t time_bytes) const {
      return times * (time_bytes + 1) + types * 6 + chars + leaps * (time_bytes + 4) + standard + utc;
    }
  };

  bool skip(size_t n) {
    if (n > bytes_.size()) return false;
    bytes_.remove_prefix(n);
    return true;
  }
  // A big-endian number of `n` bytes at `at`.
  uint64_t unsigned_at(size_t at, size_t n) const {
    uint64_t value = 0;
    for (size_t i = 0; i < n; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  bool header(Counts& counts) {
    if (bytes_.size() < 44 || !bytes_.starts_with("TZif")) return false;
    counts.version = bytes_[4];
    size_t* const fields[] = {&counts.utc,   &counts.standard, &counts.leaps,
                              &counts.times, &counts.types,    &counts.chars};
    for (size_t i = 0; i < 6; ++i) {
      *fields[i] = unsigned_at(20 + 4 * i, 4);
      if (*fields[i] > 1'000'000) return false;
    }
    return skip(44);
  }
  int64_t type_offset(const Counts& counts, size_t type) const {
    return static_cast<int32_t>(unsigned_at(counts.times * 9 + type * 6, 4));
  }
  bool body(const Counts& counts, TimeZone& zone) const {
    zone.first_ = type_offset(counts, 0);
    for (size_t i = 0; i < counts.times; ++i) {
      const size_t type = unsigned_at(counts.times * 8 + i, 1);
      if (type >= counts.types) return false;
      zone.changes_.push_back({static_cast<int64_t>(unsigned_at(i * 8, 8)), type_offset(counts, type)});
    }
    return std::is_sorted(zone.changes_.begin(), zone.changes_.end(),
                          [](const Change& a, const Change& b) { return a.at < b.at; });
  }

  std::string_view bytes_;
};

namespace {

constexpr const char* kZoneFolder = "/usr/share/zoneinfo/";

[[noreturn]] void fail(const std::string& text) {
  throw usage_error(
      "time zone \"{}\": expected UTC, an offset (+02:00), a POSIX rule (CET-1CEST,M3.5.0,M10.5.0/3) or the "
      "name of a "
      "file below {}",
      text, kZoneFolder);
}

// +hh[[:]mm]
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  std::string digits;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == ':' && i == 3) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    digits += text[i];
  }
  if (digits.size() != 2 && digits.size() != 4) return std::nullopt;
  const int hours = (digits[0] - '0') * 10 + (digits[1] - '0');
  const int minutes = digits.size() == 4 ? (digits[2] - '0') * 10 + (digits[3] - '0') : 0;
  if (hours > 24 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

bool is_zone_name(std::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '_' || c == '-' || c == '+';
  };
  return !text.empty() && text.front() != '/' && std::all_of(text.begin(), text.end(), plain);
}

}  // namespace

TimeZone TimeZone::load(const std::string& text) {
  TimeZone zone;
  if (text == "UTC" || text == "Z" || text == "GMT") return zone;
  if (const auto offset = parse_offset(text)) {
    zone.first_ = *offset;
    return zone;
  }
  Rule rule;
  if (RuleParser(text).parse(rule)) {
    zone.rule_ = rule;
    return zone;
  }
  if (!is_zone_name(text)) fail(text);
  std::string bytes;
  try {
    bytes = read_file(kZoneFolder + text, size_t{1} << 20);
  } catch (const Error&) {
    fail(text);
  }
  if (!FileParser(bytes).parse(zone)) fail(text);
  return zone;
}

int64_t TimeZone::offset_at(int64_t unix_s) const {
  const auto after = std::upper_bound(changes_.begin(), changes_.end(), unix_s,
                                      [](int64_t at, const Change& change) { return at < change.at; });
  if (after == changes_.end() && rule_) return rule_->offset_at(unix_s);
  return after == changes_.begin() ? first_ : std::prev(after)->offset;
}

int64_t TimeZone::offset_at_local(int64_t local) const {
  if (changes_.empty() && !rule_) return first_;
  const int64_t before = offset_at(local - kSecondsPerDay);
  const int64_t after = offset_at(local + kSecondsPerDay);
  if (before == after || offset_at(local - before) == before) return before;
  return offset_at(local - after) == after ? after : before;
}

}  // namespace mlq::arrival
