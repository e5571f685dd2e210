// Decimal text as an exact whole number of some power of ten.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mlq::arrival {

__extension__ typedef __int128 Wide;

// floor(x * 10^digits) of a decimal text: an optional sign, digits with an optional point, an optional
// exponent
// (`e-5`). `digits` is 0 to 20. Empty if the text is anything else or the result has more than 37 digits.
// Never passes through a double. Thread-safe.
std::optional<Wide> parse_decimal(std::string_view text, int digits);

// The same, if it fits 64 bits.
std::optional<int64_t> parse_decimal64(std::string_view text, int digits);

// A whole number without sign, exactly as written.
std::optional<uint64_t> parse_whole(std::string_view text);

}  // namespace mlq::arrival
