// What somebody who mistyped a name most likely meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlq {

// The word of `words` that `given` most likely meant (few edits, or a beginning), or "" if none is near.
std::string nearest(std::string_view given, const std::vector<std::string>& words);

}  // namespace mlq
