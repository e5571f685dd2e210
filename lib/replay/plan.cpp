#include "lib/replay/plan.h"

#include <cstring>

namespace mlq::replay {

std::string_view Arena::keep(std::string_view text) {
  char* const at = text_.get() + size_;
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  size_ += text.size();
  return {at, text.size()};
}

}  // namespace mlq::replay
