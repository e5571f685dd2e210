// Philox4x32-10: a counter-based random number generator (Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC'11, section 3.3). A pure function of (counter, key): any draw can be made
// alone, on any thread or device, with the same bits. Shared by host and device code, so it includes nothing
// but <cstdint>.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define MLQ_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define MLQ_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace mlq {

struct PhiloxCounter {
  uint32_t c0, c1, c2, c3;
};

struct PhiloxKey {
  uint32_t k0, k1;
};

inline constexpr uint32_t philox_multiplier0 = 0xD2511F53u, philox_multiplier1 = 0xCD9E8D57u;
inline constexpr uint32_t philox_step0 = 0x9E3779B9u, philox_step1 = 0xBB67AE85u;

// Ten rounds. Thread-safe, allocation-free, never fails.
MLQ_HOST_DEVICE constexpr PhiloxCounter philox4x32_10(PhiloxCounter c, PhiloxKey k) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{philox_multiplier0} * c.c0;
    const uint64_t p1 = uint64_t{philox_multiplier1} * c.c2;
    c = PhiloxCounter{static_cast<uint32_t>(p1 >> 32) ^ c.c1 ^ k.k0, static_cast<uint32_t>(p1),
                      static_cast<uint32_t>(p0 >> 32) ^ c.c3 ^ k.k1, static_cast<uint32_t>(p0)};
    k.k0 += philox_step0;
    k.k1 += philox_step1;
  }
  return c;
}

}  // namespace mlq
