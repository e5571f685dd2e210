// Which tensors are meant, by regular expressions.
#pragma once

#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::tensorfile {

// Regular expressions (ECMAScript), found anywhere in a name. Thread-safe.
class Names {
 public:
  Names() = default;
  // A usage Error that begins with `option` for what is no regular expression.
  Names(std::string_view option, const std::vector<std::string>& expressions);
  bool empty() const { return expressions_.empty(); }
  // If one of them is found. An input Error for a name of more than 1024 bytes, for which the library's
  // search may need more stack than there is.
  bool has(const std::string& name) const;

 private:
  std::vector<std::regex> expressions_;
};

}  // namespace mlq::tensorfile
