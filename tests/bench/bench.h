// What every benchmark needs: CPU time, medians, one JSON line a result. A benchmark prints figures and never
// judges; scripts/bench runs it in turn with its rivals and keeps the results under docs/bench.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace mlq::bench {

// User and system time of this process in seconds.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class Work>
double cpu_of(Work&& work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// `name` did `amount` of `unit` in `cpu_s` seconds of CPU time.
inline void report(const std::string& name, double amount, const std::string& unit, double cpu_s) {
  std::printf(
      "{\"type\":\"bench\",\"name\":\"%s\",\"amount\":%.0f,\"unit\":\"%s\",\"cpu_s\":%.6f,\"per_s\":%.6g}\n",
      name.c_str(), amount, unit.c_str(), cpu_s, amount / cpu_s);
  std::fflush(stdout);
}

// Bytes a second of memcpy between two buffers far larger than the caches: the limit of this machine at this
// moment.
inline double memcpy_seconds(size_t bytes) {
  std::vector<char> from(bytes, 1);
  std::vector<char> to(bytes, 2);
  return cpu_of([&] {
    std::memcpy(to.data(), from.data(), bytes);
    // The compiler must not drop the copy.
    asm volatile("" : : "r"(to.data()) : "memory");
  });
}

}  // namespace mlq::bench
