// Philox over consecutive events. Four events lie in the 64-bit lanes of a register, one 32-bit word in the
// lower half of each lane: vpmuludq reads just that half, so what the upper half carries from round to round
// does not matter.
#include "lib/base/cpu_avx2.h"
#include "lib/base/fmath_block.h"
#include "lib/base/random.h"

#if MLQ_X86_64
#include <immintrin.h>
#endif

namespace mlq::fmath {
namespace {

void plain_loop(const PhiloxKey key, uint64_t first_index, uint32_t draw, uint32_t stream, double* a,
                double* b, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const UniformPair u = uniforms_at(key, first_index + i, draw, stream);
    a[i] = u.a;
    if (b != nullptr) b[i] = u.b;
  }
}

#if MLQ_X86_64

constexpr int rounds = 10;
constexpr int lanes = 4;
constexpr int registers = 2;  // side by side, to hide the latency of the multiplications
constexpr size_t events_a_step = size_t{lanes} * registers;

struct Words {
  __m256i c0, c1, c2, c3;
};

MLQ_TARGET_AVX2 inline __m256i broadcast(uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }

// uniform_from_bits of the words high:low of each lane.
MLQ_TARGET_AVX2 inline __m256d uniforms_of(__m256i high, __m256i low) {
  const __m256i x =
      _mm256_or_si256(_mm256_slli_epi64(high, 32), _mm256_and_si256(low, broadcast(0xFFFFFFFFu)));
  const __m256i bits = _mm256_or_si256(_mm256_srli_epi64(x, 12), broadcast(0x3FF0000000000000u));
  return _mm256_add_pd(_mm256_sub_pd(_mm256_castsi256_pd(bits), _mm256_set1_pd(1.0)),
                       _mm256_set1_pd(0x1p-53));
}

// Whole steps only; returns how many events it has done.
MLQ_TARGET_AVX2 size_t avx2_loop(PhiloxKey key, uint64_t first_index, uint32_t draw, uint32_t stream,
                                 double* a, double* b, size_t n) {
  __m256i k0[rounds], k1[rounds];
  for (int r = 0; r < rounds; ++r) {
    k0[r] = broadcast(key.k0);
    k1[r] = broadcast(key.k1);
    key.k0 += philox_step0;
    key.k1 += philox_step1;
  }
  const __m256i m0 = broadcast(philox_multiplier0), m1 = broadcast(philox_multiplier1);
  __m256i index = _mm256_add_epi64(broadcast(first_index), _mm256_setr_epi64x(0, 1, 2, 3));
  size_t done = 0;
  for (; done + events_a_step <= n; done += events_a_step) {
    Words w[registers];
    for (Words& c : w) {
      c = {index, _mm256_srli_epi64(index, 32), broadcast(draw), broadcast(stream)};
      index = _mm256_add_epi64(index, broadcast(lanes));
    }
    for (int r = 0; r < rounds; ++r) {
      for (Words& c : w) {
        const __m256i p0 = _mm256_mul_epu32(c.c0, m0), p1 = _mm256_mul_epu32(c.c2, m1);
        c.c0 = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(c.c1, k0[r]));
        c.c2 = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(c.c3, k1[r]));
        c.c1 = p1;
        c.c3 = p0;
      }
    }
    for (int j = 0; j < registers; ++j) {
      _mm256_storeu_pd(a + done + j * lanes, uniforms_of(w[j].c1, w[j].c0));
      if (b != nullptr) _mm256_storeu_pd(b + done + j * lanes, uniforms_of(w[j].c3, w[j].c2));
    }
  }
  return done;
}

#endif

}  // namespace

void uniform_block(PhiloxKey key, uint64_t first_index, uint32_t draw, uint32_t stream, double* a, double* b,
                   size_t n) {
  size_t done = 0;
#if MLQ_X86_64
  if (cpu_has_avx2()) done = avx2_loop(key, first_index, draw, stream, a, b, n);
#endif
  plain_loop(key, first_index + done, draw, stream, a + done, b == nullptr ? nullptr : b + done, n - done);
}

}  // namespace mlq::fmath
