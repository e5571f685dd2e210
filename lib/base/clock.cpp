#include "lib/base/clock.h"

#include <ctime>

namespace mlq {
namespace {

int64_t read(clockid_t which) {
  timespec t{};
  ::clock_gettime(which, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

int64_t SteadyClock::now_ns() const { return read(CLOCK_MONOTONIC); }

int64_t unix_now_ns() { return read(CLOCK_REALTIME); }

}  // namespace mlq
