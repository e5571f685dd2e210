// A load whose answers show whose they are: each request has an id and rows with numbers of its own, and a
// model server with --echo gives both back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace mlq::test {

struct TaggedLoad {
  std::string url;
  std::string target = "/v2/models/m/infer";
  uint64_t requests = 0;
  uint32_t in_flight = 32;  // requests under way at a time
  double rate_per_s =
      0;  // above 0: they go out at this rate whatever came of the others, not `in_flight` at a time
  uint64_t first_tag = 0;
  int64_t timeout_ns = 60'000'000'000;
  // Called as answers come, with their number so far.
  std::function<void(uint64_t answered)> progress = nullptr;
};

struct TaggedCount {
  uint64_t asked = 0;
  uint64_t right = 0;               // 200, with its own id and rows
  uint64_t wrong = 0;               // 200, with anything else
  uint64_t lost = 0;                // no answer
  std::map<int, uint64_t> refused;  // by status
  std::string first_wrong;          // what was asked and came
  uint64_t refused_in_all() const;
};

// Returns when every request has ended.
TaggedCount run_tagged(const TaggedLoad& load);

}  // namespace mlq::test
