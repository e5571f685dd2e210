#include "lib/serve/gateway/request_id.h"

namespace mlq::serve {

std::string RequestIds::of(uint64_t count) const {
  uint64_t z = (count + before_) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  z ^= after_;
  std::string out(16, '0');
  for (size_t k = 16; k-- > 0; z >>= 4) out[k] = "0123456789abcdef"[z & 15];
  return out;
}

}  // namespace mlq::serve
