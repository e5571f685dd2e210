#include "lib/serve/protocol/pointer.h"

namespace mlq::serve {
namespace {

bool unescape(std::string_view token, std::string& out) {
  for (size_t k = 0; k < token.size(); ++k) {
    if (token[k] != '~') {
      out += token[k];
      continue;
    }
    if (++k == token.size() || (token[k] != '0' && token[k] != '1')) return false;
    out += token[k] == '0' ? '~' : '/';
  }
  return true;
}

}  // namespace

std::optional<std::vector<std::string>> pointer_tokens(std::string_view pointer) {
  std::vector<std::string> tokens;
  while (!pointer.empty()) {
    if (pointer.front() != '/') return std::nullopt;
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    if (!unescape(token, tokens.emplace_back())) return std::nullopt;
    pointer.remove_prefix(token.size());
  }
  return tokens;
}

}  // namespace mlq::serve
