// JSON pointers (RFC 6901).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::serve {

// The reference tokens, unescaped: "/a/b~1c" is {"a", "b/c"}, "" is {}. None if it is no JSON pointer.
std::optional<std::vector<std::string>> pointer_tokens(std::string_view pointer);

}  // namespace mlq::serve
