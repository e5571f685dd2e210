// One parser each for the quantities that users type: `4k 2GiB 30s 1.5ms 200/s 12h`.
// All are exact: a decimal text is read as a rational number, never through a double.
// Every parser throws a usage Error that quotes the text and says what is expected; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mlq {

// A rate as an exact ratio: `events` per `ns` nanoseconds, in lowest terms, both > 0.
struct Rate {
  uint64_t events = 0;
  uint64_t ns = 1;
  double per_s() const { return static_cast<double>(events) * 1e9 / static_cast<double>(ns); }
  bool operator==(const Rate&) const = default;
};

// A non-negative ratio num/den in lowest terms, den > 0.
struct Ratio {
  uint64_t num = 0;
  uint64_t den = 1;
  double value() const { return static_cast<double>(num) / static_cast<double>(den); }
  bool operator==(const Ratio&) const = default;
};

// A number is `3`, `0.5`, `.5` or `1e-3`: no sign, no blanks. Beyond 37 digits it is refused.

// `30s`, `1.5ms`, `12h`, `1h30m`, `250us`, `7d`; units ns us ms s m min h d, larger before smaller. `0` needs
// no unit. Result in ns, exact; a part of a nanosecond is refused.
int64_t parse_duration(std::string_view text);
// `200/s`, `14.3/s`, `50k/h`, `3/min`, `100/7s`, `gap=70ms`. Zero is refused.
Rate parse_rate(std::string_view text);
// The mean gap as a rate: one event per `text`.
Rate parse_gap(std::string_view text);
// `4k`, `2M`, `1e6`, `80000`: a count; k M G T are powers of 1000.
uint64_t parse_count(std::string_view text);
// `4k`, `2GiB`, `512`, `64MiB`, `1.5MB`: bytes; k M G T (with or without B) powers of 1000, Ki Mi Gi Ti of
// 1024.
uint64_t parse_size(std::string_view text);
// `0.25`, `5%`, `3`, `1/3`: an exact non-negative ratio.
Ratio parse_ratio(std::string_view text);
// A finite double, correctly rounded: `3`, `-0.5`, `1e-3`, `5%`.
double parse_double(std::string_view text);

// Back to text that the parser above reads to the same value.
// `1.5ms`, `90s`, `1h`; of a negative duration, which no parser reads, with a minus in front.
std::string format_duration(int64_t ns);
// `14.3/s`; where that is not exact in 9 decimals `gap=70ms`, `50000/h` or, always exact, `3/7ns`.
std::string format_rate(const Rate& rate);
// A number with its noun: `1 row`, `2 rows`.
std::string format_count(uint64_t n, std::string_view noun);

}  // namespace mlq
