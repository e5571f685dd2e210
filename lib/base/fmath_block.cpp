#include "lib/base/fmath_block.h"

#include <algorithm>
#include <cmath>

#include "lib/base/cpu_avx2.h"
#include "lib/base/fmath.h"
#include "lib/base/fmath_inline.h"

namespace mlq::fmath {
namespace {

constexpr size_t chunk = 256;  // 2 KiB of doubles: stays in the first cache between the passes over it

struct Log {
  static MLQ_ALWAYS_INLINE double core(double x) { return log_normal_range(x); }
  static MLQ_ALWAYS_INLINE bool in_core(double x) {
    return (x >= 0x1p-1022) & (x <= 0x1.fffffffffffffp+1023);
  }
  static double any(double x) { return log(x); }
};

struct Exp {
  static MLQ_ALWAYS_INLINE double core(double x) { return exp_moderate(x); }
  static MLQ_ALWAYS_INLINE bool in_core(double x) { return (x >= -700.0) & (x <= 700.0); }
  static double any(double x) { return exp(x); }
};

// f::any of each element, by way of the branch-free f::core where a whole chunk allows it.
template <class F>
struct Map {
  static MLQ_ALWAYS_INLINE void run(const double* x, double* out, size_t n) {
    double y[chunk];  // not `out`, which may be x: the compiler must see that the arrays differ
    for (size_t begin = 0; begin < n; begin += chunk) {
      const size_t size = std::min(n - begin, chunk);
      uint64_t outside = 0;
      for (size_t i = 0; i < size; ++i) outside |= F::in_core(x[begin + i]) ? uint64_t{0} : uint64_t{1};
      if (outside == 0) [[likely]] {
        for (size_t i = 0; i < size; ++i) y[i] = F::core(x[begin + i]);
      } else {
        for (size_t i = 0; i < size; ++i) y[i] = F::any(x[begin + i]);
      }
      std::copy_n(y, size, out + begin);
    }
  }
};

// The centre is computed for all; those beyond it (15% of uniforms) are packed and go through the tail
// together.
struct NormalQuantile {
  static MLQ_ALWAYS_INLINE void run(const double* p, double* out, size_t n) {
    for (size_t begin = 0; begin < n; begin += chunk) {
      const size_t size = std::min(n - begin, chunk);
      run_chunk(p + begin, out + begin, size);
    }
  }

 private:
  static MLQ_ALWAYS_INLINE void run_chunk(const double* p, double* out, size_t n) {
    double tail[chunk];
    uint32_t place[chunk];
    size_t tails = 0;
    for (size_t i = 0; i < n; ++i) {
      place[tails] = static_cast<uint32_t>(i);
      tail[tails] = p[i];
      tails += std::fabs(p[i] - 0.5) <= 0.425 ? 0 : 1;
    }
    double centre[chunk], r[chunk];
    for (size_t i = 0; i < n; ++i) centre[i] = normal_quantile_central(p[i]);
    std::copy_n(centre, n, out);

    for (size_t i = 0; i < tails; ++i) r[i] = -log_normal_range(std::min(tail[i], 1.0 - tail[i]));
    for (size_t i = 0; i < tails; ++i) r[i] = std::sqrt(r[i] > 0.0 ? r[i] : 0.0);
    for (size_t i = 0; i < tails; ++i) {
      const double x = normal_quantile_tail(r[i]);
      r[i] = tail[i] < 0.5 ? -x : x;
    }
    for (size_t i = 0; i < tails; ++i) {
      const bool far =
          !(tail[i] >= 1e-10 && tail[i] <= 1.0 - 1e-10);  // r is beyond 5, or p is no probability
      out[place[i]] = far ? normal_quantile(tail[i]) : r[i];
    }
  }
};

template <class Loop>
MLQ_TARGET_AVX2 void run_avx2(const double* x, double* out, size_t n) {
  Loop::run(x, out, n);
}

template <class Loop>
void run(const double* x, double* out, size_t n) {
  if (cpu_has_avx2()) {
    run_avx2<Loop>(x, out, n);
  } else {
    Loop::run(x, out, n);
  }
}

}  // namespace

void log_block(const double* x, double* out, size_t n) { run<Map<Log>>(x, out, n); }
void exp_block(const double* x, double* out, size_t n) { run<Map<Exp>>(x, out, n); }
void normal_quantile_block(const double* p, double* out, size_t n) { run<NormalQuantile>(p, out, n); }

}  // namespace mlq::fmath
