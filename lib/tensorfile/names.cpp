#include "lib/tensorfile/names.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {
namespace {

constexpr size_t kLongestSearched = 1024;  // bytes

}  // namespace

Names::Names(std::string_view option, const std::vector<std::string>& expressions) {
  for (const std::string& text : expressions) {
    try {
      expressions_.emplace_back(text);
    } catch (const std::regex_error& error) {
      throw usage_error("--{}: \"{}\" is no regular expression: {}", option, text, error.what());
    }
  }
}

bool Names::has(const std::string& name) const {
  if (empty()) return false;
  if (name.size() > kLongestSearched)
    throw input_error("tensor {}: its name has {} bytes; expressions are searched in {} at most",
                      in_quotes(name), name.size(), kLongestSearched);
  return std::ranges::any_of(
      expressions_, [&](const std::regex& expression) { return std::regex_search(name, expression); });
}

}  // namespace mlq::tensorfile
