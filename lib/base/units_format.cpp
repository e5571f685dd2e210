#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>

#include "lib/base/units.h"

namespace mlq {
namespace {

using Wide = unsigned __int128;

constexpr uint64_t second = 1'000'000'000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

// num / den as a decimal of at most 9 places, if it is one.
std::optional<std::string> decimal(Wide num, Wide den) {
  std::string text = fmt::format("{}", num / den);
  Wide rest = num % den;
  if (rest != 0) text += '.';
  for (int place = 0; rest != 0 && place < 9; ++place) {
    rest *= 10;
    text += static_cast<char>('0' + static_cast<int>(rest / den));
    rest %= den;
  }
  return rest == 0 ? std::optional(text) : std::nullopt;
}

std::string magnitude_text(uint64_t ns) {
  if (ns == 0) return "0s";
  if (ns % day == 0) return fmt::format("{}d", ns / day);
  if (ns % hour == 0) return fmt::format("{}h", ns / hour);
  if (ns % minute == 0) return fmt::format("{}min", ns / minute);
  if (ns >= second) return *decimal(ns, second) + "s";
  if (ns >= 1'000'000) return *decimal(ns, 1'000'000) + "ms";
  if (ns >= 1'000) return *decimal(ns, 1'000) + "us";
  return fmt::format("{}ns", ns);
}

}  // namespace

std::string format_duration(int64_t ns) {
  const auto bits = static_cast<uint64_t>(ns);
  return ns < 0 ? "-" + magnitude_text(0 - bits) : magnitude_text(bits);
}

std::string format_rate(const Rate& rate) {
  if (const auto text = decimal(Wide{rate.events} * second, rate.ns)) return *text + "/s";
  if (rate.events == 1 && rate.ns >> 63 == 0) return "gap=" + format_duration(static_cast<int64_t>(rate.ns));
  struct Unit {
    std::string_view name;
    uint64_t ns;
  };
  for (const Unit& unit : {Unit{"min", minute}, Unit{"h", hour}, Unit{"d", day}}) {
    if (const auto text = decimal(Wide{rate.events} * unit.ns, rate.ns))
      return fmt::format("{}/{}", *text, unit.name);
  }
  return fmt::format("{}/{}ns", rate.events, rate.ns);
}

std::string format_count(uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

}  // namespace mlq
