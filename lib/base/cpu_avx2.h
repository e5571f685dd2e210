// Loops compiled twice on x86-64, for the baseline and for AVX2 (which brings no FMA, so no other bits).
// Chosen by a plain test at run time and not by target_clones, whose resolvers sanitizers and clang 14 do not
// support.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define MLQ_X86_64 1
#define MLQ_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define MLQ_X86_64 0
#define MLQ_TARGET_AVX2
#endif

namespace mlq {

inline bool cpu_has_avx2() {
#if MLQ_X86_64
  return __builtin_cpu_supports("avx2") != 0;
#else
  return false;
#endif
}

}  // namespace mlq
