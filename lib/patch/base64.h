// Base64 with padding (RFC 4648, section 4): bytes in the text of metadata.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mlq::patch {

std::string base64_of(std::string_view bytes);
// Nothing for what base64_of() does not write: other characters, a wrong length, bits set behind the last
// byte.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mlq::patch
