// Names of requests: x-mlq-request-id.
#pragma once

#include <cstdint>
#include <string>

namespace mlq::serve {

// Sixteen hexadecimal digits that do not repeat within 2^64 requests and, without the key, are not to be
// guessed from each other: a bijection of the count (Steele, Lea and Flood, Fast Splittable Pseudorandom
// Number Generators, OOPSLA 2014, the finaliser), keyed before and after.
class RequestIds {
 public:
  RequestIds(uint64_t key_before, uint64_t key_after) : before_(key_before), after_(key_after) {}
  std::string of(uint64_t count) const;

 private:
  uint64_t before_, after_;
};

}  // namespace mlq::serve
