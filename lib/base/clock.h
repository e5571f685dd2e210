// Time as an argument: what measures takes a Clock, so that tests can give it one of their own.
#pragma once

#include <cstdint>

namespace mlq {

// Nanoseconds from some fixed instant, never going back.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t now_ns() const = 0;
};

// CLOCK_MONOTONIC. Thread-safe.
class SteadyClock final : public Clock {
 public:
  int64_t now_ns() const override;
};

// The wall clock, in ns since 1970-01-01 UTC. To be read once, beside a steady clock: it can be set.
int64_t unix_now_ns();

}  // namespace mlq
