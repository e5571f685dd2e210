// Digits of the hot formats, eight at a time in one 64-bit word. Callers guarantee that 8 bytes may be read
// at the pointer (jsonl::kLinePadding sees to it).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace mlq::arrival::scan {

// Eight bytes, the first in the lowest byte.
inline uint64_t load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  if constexpr (std::endian::native == std::endian::big) v = __builtin_bswap64(v);
  return v;
}

constexpr uint64_t each_byte(uint8_t b) { return b * uint64_t{0x0101010101010101}; }

// The bytes, compared with '0'..'9', that are no digits have their high bit set; below the first of them the
// marks are exact (a carry can only come out of a byte that is marked itself).
inline uint64_t marks_of_no_digits(uint64_t v) {
  const uint64_t y = v ^ each_byte('0');
  return ((y + each_byte(0x76)) | y) & each_byte(0x80);
}

// How many of the eight bytes are digits, counted from the first.
inline int count_digits(uint64_t v) {
  const uint64_t marks = marks_of_no_digits(v);
  return marks == 0 ? 8 : std::countr_zero(marks) / 8;
}

// The number that eight digits write. Neighbours are joined to pairs, pairs to fours, fours to eight.
inline uint64_t value_of_8(uint64_t v) {
  v = (v & each_byte(0x0F)) * (1 + (10 << 8)) >> 8;
  v = (v & 0x00FF00FF00FF00FF) * (1 + (uint64_t{100} << 16)) >> 16;
  return (v & 0x0000FFFF0000FFFF) * (1 + (uint64_t{10000} << 32)) >> 32;
}

inline constexpr uint64_t kPowersOf10[] = {1u,
                                           10u,
                                           100u,
                                           1000u,
                                           10000u,
                                           100000u,
                                           1000000u,
                                           10000000u,
                                           100000000u,
                                           1000000000u,
                                           10000000000u,
                                           100000000000u,
                                           1000000000000u,
                                           10000000000000u,
                                           100000000000000u,
                                           1000000000000000u,
                                           10000000000000000u,
                                           100000000000000000u,
                                           1000000000000000000u,
                                           10000000000000000000u};

// The number that the first `n` (0 to 8) of eight bytes write.
inline uint64_t value_of(uint64_t v, int n) { return n == 0 ? 0 : value_of_8(v << (64 - 8 * n)); }

// Reads 1 to `most` (at most 16) digits at `p`; returns the place behind them, or null if there are none or
// more.
inline const char* number(const char* p, int most, uint64_t& value) {
  uint64_t word = load8(p);
  int n = count_digits(word);
  value = value_of(word, n);
  if (n == 8) {
    word = load8(p + 8);
    const int more = count_digits(word);
    value = value * kPowersOf10[more] + value_of(word, more);
    n += more;
  }
  return n == 0 || n > most ? nullptr : p + n;
}

// The digits of a whole number of at most 9 digits as JSON writes it, without leading zeros; returns how
// many, 0 for anything else.
inline int plain_digits(const char* p) {
  int n = count_digits(load8(p));
  if (n == 8) n += count_digits(load8(p + 8));
  return n > 9 || (n > 1 && *p == '0') ? 0 : n;
}

// A number of at most 32 bits.
inline const char* number32(const char* p, uint32_t& value) {
  uint64_t wide = 0;
  const char* end = number(p, 10, wide);
  value = static_cast<uint32_t>(wide);
  return wide > UINT32_MAX ? nullptr : end;
}

// The nanoseconds of a fraction of 0 to 9 digits at `p`; `p` moves behind them. False if there are more.
inline bool nanoseconds(const char*& p, int64_t& ns) {
  uint64_t word = load8(p);
  int n = count_digits(word);
  uint64_t value = value_of(word, n);
  if (n == 8 && count_digits(load8(p + 8)) > 0) {
    value = value * 10 + static_cast<uint64_t>(p[8] - '0');
    n = 9;
    if (p[9] >= '0' && p[9] <= '9') return false;
  }
  p += n;
  ns = static_cast<int64_t>(value * kPowersOf10[9 - n]);
  return true;
}

// The eight digits of a number below 10^8, the first in the lowest byte, each 0 to 9. Halves are split into
// fours, pairs and digits; the products are reciprocals that are exact for numbers of this size.
inline uint64_t digits_of_8(uint32_t value) {
  uint64_t v = value / 10000 | uint64_t{value % 10000} << 32;
  const uint64_t hundreds = (v * 10486 >> 20) & 0x0000007F0000007F;
  v = hundreds | (v - 100 * hundreds) << 16;
  const uint64_t tens = (v * 103 >> 10) & 0x000F000F000F000F;
  return tens | (v - 10 * tens) << 8;
}

constexpr size_t kNumberRoom = 24;

// Writes a number in decimal; returns where it ends. kNumberRoom bytes at `to` may be overwritten.
inline char* write_number(char* to, uint64_t value) {
  constexpr uint64_t step = 100'000'000;
  const auto store8 = [&](uint64_t digits) {
    digits |= each_byte('0');
    if constexpr (std::endian::native == std::endian::big) digits = __builtin_bswap64(digits);
    std::memcpy(to, &digits, 8);
  };
  const auto first = [&](uint64_t group) {  // without leading zeros
    const uint64_t digits = digits_of_8(static_cast<uint32_t>(group));
    const int zeros = digits == 0 ? 7 : std::countr_zero(digits) / 8;
    store8(digits >> (8 * zeros));
    to += 8 - zeros;
  };
  const auto next = [&](uint64_t group) {
    store8(digits_of_8(static_cast<uint32_t>(group)));
    to += 8;
  };
  if (value < step) {
    first(value);
    return to;
  }
  const uint64_t high = value / step;
  if (high < step) {
    first(high);
  } else {
    first(high / step);
    next(high % step);
  }
  next(value % step);
  return to;
}

// The seconds of the day that `HH:MM:SS` at `p` writes, or -1. A leap second (60) counts as the second after
// it.
inline int time_of_day(const char* p) {
  constexpr uint64_t pattern = 0x30303A30303A3030;  // 00:00:00
  constexpr uint64_t slack =
      0x76767F76767F7676;  // 10 in a digit's place, 1 in a colon's carries to the high bit
  const uint64_t y = load8(p) ^ pattern;
  if ((((y + slack) | y) & each_byte(0x80)) != 0) return -1;
  const auto pair = [y](int at) { return static_cast<int>((y >> at & 15) * 10 + (y >> (at + 8) & 15)); };
  const int hour = pair(0);
  const int minute = pair(24);
  const int second = pair(48);
  if (hour > 23 || minute > 59 || second > 60) return -1;
  return hour * 3600 + minute * 60 + second;
}

}  // namespace mlq::arrival::scan
