// A request as the scheduler sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>

namespace mlq::serve {

constexpr int64_t kNoDeadline = INT64_MAX;
constexpr size_t kMaxLiveKeys = 64;  // keys with requests waiting; requests of further keys go alone
constexpr uint32_t kMaxRows = 4096;  // the largest batch that is formed

struct Request {
  uint64_t token = 0;  // the caller's name for it; unique among those waiting
  uint64_t key = 0;    // equal keys may share a batch
  uint32_t rows = 1;   // at least 1
  uint64_t bytes = 0;
  int64_t arrived_ns = 0;  // first byte read; a request that comes again keeps it, and so its place
  int64_t deadline_ns = kNoDeadline;
  uint8_t level = 4;  // 1 highest to 8
  bool solo = false;  // never shares a batch
};

// The order of service.
inline bool goes_before(const Request& a, const Request& b) {
  return std::tie(a.level, a.deadline_ns, a.arrived_ns) < std::tie(b.level, b.deadline_ns, b.arrived_ns);
}

}  // namespace mlq::serve
