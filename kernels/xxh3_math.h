// XXH3-128 without a seed, written from the algorithm's specification (github.com/Cyan4973/xxHash,
// doc/xxhash_spec.md): the pieces, so that a warp can share the work on a long input, and all of it for short
// ones. Pure functions, thread-safe.
#pragma once

#include "kernels/xxh3_leaves.h"

namespace mlq::kernels::xxh3 {

inline constexpr uint64_t kPrime32_1 = 0x9E3779B1u, kPrime32_2 = 0x85EBCA77u, kPrime32_3 = 0xC2B2AE3Du;
inline constexpr uint64_t kPrime64_1 = 0x9E3779B185EBCA87u, kPrime64_2 = 0xC2B2AE3D27D4EB4Fu,
                          kPrime64_3 = 0x165667B19E3779F9u, kPrime64_4 = 0x85EBCA77C2B2AE63u,
                          kPrime64_5 = 0x27D4EB2F165667C5u;
inline constexpr uint64_t kMix1 = 0x165667919E3779F9u, kMix2 = 0x9FB21C651E98DF25u;

// The specification's default secret.
inline constexpr unsigned kSecretSize = 192;
struct Secret {
  uint8_t at[kSecretSize];
};
inline constexpr Secret kSecret = {
    {0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
     0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
     0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
     0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
     0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
     0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
     0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
     0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
     0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
     0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
     0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
     0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e}};

// A long input is taken in stripes of 64 bytes, 16 to a block; stripe s of a block has the secret from byte
// 8s on.
inline constexpr unsigned kStripe = 64, kStripesPerBlock = (kSecretSize - kStripe) / 8;
inline constexpr unsigned kBlock = kStripe * kStripesPerBlock;
inline constexpr unsigned kScrambleSecret = kSecretSize - kStripe, kLastSecret = kSecretSize - kStripe - 7;
inline constexpr unsigned kLowSecret = 11, kHighSecret = kSecretSize - kStripe - 11;
inline constexpr uint64_t kLongest = 240;  // of the short inputs

struct Hash128 {
  uint64_t low, high;
};

MLQ_HOST_DEVICE uint32_t read32(const uint8_t* at) {
  return uint32_t{at[0]} | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24;
}
MLQ_HOST_DEVICE uint64_t read64(const uint8_t* at) { return read32(at) | uint64_t{read32(at + 4)} << 32; }

MLQ_HOST_DEVICE constexpr uint32_t swapped32(uint32_t x) {
  return x >> 24 | (x >> 8 & 0xff00u) | (x << 8 & 0xff0000u) | x << 24;
}
MLQ_HOST_DEVICE constexpr uint64_t swapped64(uint64_t x) {
  return uint64_t{swapped32(static_cast<uint32_t>(x))} << 32 | swapped32(static_cast<uint32_t>(x >> 32));
}

MLQ_HOST_DEVICE Hash128 product(uint64_t x, uint64_t y) {
#ifdef __CUDA_ARCH__
  return {x * y, __umul64hi(x, y)};
#else
  __extension__ using Wide = unsigned __int128;
  const Wide z = static_cast<Wide>(x) * y;
  return {static_cast<uint64_t>(z), static_cast<uint64_t>(z >> 64)};
#endif
}
MLQ_HOST_DEVICE uint64_t folded_product(uint64_t x, uint64_t y) {
  const Hash128 z = product(x, y);
  return z.low ^ z.high;
}
// The low half times the high half.
MLQ_HOST_DEVICE constexpr uint64_t half_product(uint64_t x) { return (x & 0xffffffffu) * (x >> 32); }

MLQ_HOST_DEVICE constexpr uint64_t avalanche(uint64_t x) {
  x ^= x >> 37;
  x *= kMix1;
  return x ^ x >> 32;
}
MLQ_HOST_DEVICE constexpr uint64_t avalanche_xxh64(uint64_t x) {
  x ^= x >> 33;
  x *= kPrime64_2;
  x ^= x >> 29;
  x *= kPrime64_3;
  return x ^ x >> 32;
}

// Two neighbouring accumulators, of the eight of a long input: 2p and 2p + 1. Sums over stripes in any order.
struct Pair {
  uint64_t even, odd;
};

// Their values at the start.
MLQ_HOST_DEVICE constexpr Pair initial_pair(unsigned p) {
  return p == 0   ? Pair{kPrime32_3, kPrime64_1}
         : p == 1 ? Pair{kPrime64_2, kPrime64_3}
         : p == 2 ? Pair{kPrime64_4, kPrime32_2}
                  : Pair{kPrime64_5, kPrime32_1};
}
// What 16 bytes of a stripe (words 2p and 2p + 1 of it) add, with the secret's words there.
MLQ_HOST_DEVICE constexpr Pair added(Pair to, Pair data, Pair secret) {
  return {to.even + data.odd + half_product(data.even ^ secret.even),
          to.odd + data.even + half_product(data.odd ^ secret.odd)};
}
// After each whole block, with the secret from kScrambleSecret on.
MLQ_HOST_DEVICE constexpr uint64_t scrambled(uint64_t x, uint64_t secret) {
  return (x ^ x >> 47 ^ secret) * kPrime32_1;
}
MLQ_HOST_DEVICE constexpr Pair scrambled(Pair x, Pair secret) {
  return {scrambled(x.even, secret.even), scrambled(x.odd, secret.odd)};
}
// Its share of one half of the hash.
MLQ_HOST_DEVICE uint64_t merged(Pair x, Pair secret) {
  return folded_product(x.even ^ secret.even, x.odd ^ secret.odd);
}
// The halves, from the sums of the shares with the secret from kLowSecret and from kHighSecret on.
MLQ_HOST_DEVICE constexpr Hash128 finished(uint64_t size, Hash128 merged) {
  return {avalanche(size * kPrime64_1 + merged.low), avalanche(~(size * kPrime64_2) + merged.high)};
}

MLQ_HOST_DEVICE Pair read_pair(const uint8_t* at) { return {read64(at), read64(at + 8)}; }

namespace detail {

MLQ_HOST_DEVICE Hash128 of_1_to_3(const uint8_t* x, unsigned size, const uint8_t* secret) {
  const uint32_t low = uint32_t{x[0]} << 16 | uint32_t{x[size / 2]} << 24 | uint32_t{x[size - 1]} | size << 8;
  const uint32_t swapped = swapped32(low), high = swapped << 13 | swapped >> 19;
  return {avalanche_xxh64(low ^ uint64_t{read32(secret) ^ read32(secret + 4)}),
          avalanche_xxh64(high ^ uint64_t{read32(secret + 8) ^ read32(secret + 12)})};
}

MLQ_HOST_DEVICE Hash128 of_4_to_8(const uint8_t* x, unsigned size, const uint8_t* secret) {
  const uint64_t word = read32(x) | uint64_t{read32(x + size - 4)} << 32;
  const uint64_t keyed = word ^ read64(secret + 16) ^ read64(secret + 24);
  Hash128 m = product(keyed, kPrime64_1 + (size << 2));
  m.high += m.low << 1;
  m.low ^= m.high >> 3;
  m.low = (m.low ^ m.low >> 35) * kMix2;
  return {m.low ^ m.low >> 28, avalanche(m.high)};
}

MLQ_HOST_DEVICE Hash128 of_9_to_16(const uint8_t* x, unsigned size, const uint8_t* secret) {
  const uint64_t first = read64(x), last = read64(x + size - 8);
  Hash128 m = product(first ^ last ^ read64(secret + 32) ^ read64(secret + 40), kPrime64_1);
  m.low += uint64_t{size - 1} << 54;
  const uint64_t keyed = last ^ read64(secret + 48) ^ read64(secret + 56);
  m.high += keyed + (keyed & 0xffffffffu) * (kPrime32_2 - 1);
  m.low ^= swapped64(m.high);
  Hash128 h = product(m.low, kPrime64_2);
  h.high += m.high * kPrime64_2;
  return {avalanche(h.low), avalanche(h.high)};
}

// Two times 16 bytes, with 32 of the secret.
MLQ_HOST_DEVICE Hash128 mixed(Hash128 to, const uint8_t* x, const uint8_t* y, const uint8_t* secret) {
  const Pair a = read_pair(x), b = read_pair(y);
  return {(to.low + merged(a, read_pair(secret))) ^ (b.even + b.odd),
          (to.high + merged(b, read_pair(secret + 16))) ^ (a.even + a.odd)};
}
MLQ_HOST_DEVICE Hash128 finished_short(Hash128 h, unsigned size) {
  return {avalanche(h.low + h.high),
          0 - avalanche(h.low * kPrime64_1 + h.high * kPrime64_4 + size * kPrime64_2)};
}

MLQ_HOST_DEVICE Hash128 of_17_to_128(const uint8_t* x, unsigned size, const uint8_t* secret) {
  Hash128 h{size * kPrime64_1, 0};
  for (unsigned i = (size - 1) / 32 + 1; i-- > 0;)
    h = mixed(h, x + 16 * i, x + size - 16 * (i + 1), secret + 32 * i);
  return finished_short(h, size);
}

MLQ_HOST_DEVICE Hash128 of_129_to_240(const uint8_t* x, unsigned size, const uint8_t* secret) {
  constexpr unsigned kLater = 3, kLast = 136 - 17 - 16;
  Hash128 h{size * kPrime64_1, 0};
  for (unsigned i = 0; i < size / 32; ++i) {
    if (i == 4) h = {avalanche(h.low), avalanche(h.high)};
    h = mixed(h, x + 32 * i, x + 32 * i + 16, i < 4 ? secret + 32 * i : secret + kLater + 32 * (i - 4));
  }
  if (size < 160) h = {avalanche(h.low), avalanche(h.high)};
  return finished_short(mixed(h, x + size - 16, x + size - 32, secret + kLast), size);
}

}  // namespace detail

// Of 1 to kLongest bytes.
MLQ_HOST_DEVICE Hash128 of_short(const uint8_t* x, unsigned size, const uint8_t* secret) {
  if (size <= 3) return detail::of_1_to_3(x, size, secret);
  if (size <= 8) return detail::of_4_to_8(x, size, secret);
  if (size <= 16) return detail::of_9_to_16(x, size, secret);
  if (size <= 128) return detail::of_17_to_128(x, size, secret);
  return detail::of_129_to_240(x, size, secret);
}

// The canonical form: big-endian, the high half first.
MLQ_HOST_DEVICE void put_canonical(const Hash128& h, uint8_t* at) {
  for (unsigned i = 0; i < 8; ++i) {
    at[i] = static_cast<uint8_t>(h.high >> (56 - 8 * i));
    at[8 + i] = static_cast<uint8_t>(h.low >> (56 - 8 * i));
  }
}

}  // namespace mlq::kernels::xxh3
