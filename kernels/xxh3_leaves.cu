// A warp a leaf. What the stripes of a block add to the accumulators does not depend on them, so the 32 lanes
// take 16 bytes of each of eight stripes, twice a block, and add up by shuffles; only the scrambling after
// each 1024 bytes goes one after the other.
#include "kernels/cuda_common.h"
#include "kernels/xxh3_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

__constant__ xxh3::Secret device_secret = xxh3::kSecret;

template <bool kAligned>
__device__ __forceinline__ xxh3::Pair load_pair(const uint8_t* at) {
  if constexpr (kAligned) {
    const uint4 a = *reinterpret_cast<const uint4*>(at);
    return {a.x | uint64_t{a.y} << 32, a.z | uint64_t{a.w} << 32};
  } else {
    return xxh3::read_pair(at);
  }
}

__device__ __forceinline__ uint64_t over_stripes(uint64_t x) {
#pragma unroll
  for (int by = 4; by < 32; by *= 2) x += __shfl_xor_sync(kAllLanes, x, by);
  return x;
}

// The lane's accumulators p, with what all lanes of that p added.
__device__ __forceinline__ xxh3::Pair with_all(xxh3::Pair to, xxh3::Pair sum) {
  return {to.even + over_stripes(sum.even), to.odd + over_stripes(sum.odd)};
}

// More than kLongest bytes.
template <bool kAligned>
__device__ __forceinline__ xxh3::Hash128 long_hash(const uint8_t* x, uint64_t size) {
  using namespace xxh3;
  const unsigned p = lane() % 4, s = lane() / 4;  // 16 bytes of the stripes s and s + 8 of every block
  const Pair secret[2] = {read_pair(device_secret.at + 8 * s + 16 * p),
                          read_pair(device_secret.at + 8 * (s + 8) + 16 * p)};
  const Pair scramble = read_pair(device_secret.at + kScrambleSecret + 16 * p);
  const uint8_t* at = x + kStripe * s + 16 * p;
  Pair sum = initial_pair(p);
  const uint64_t blocks = (size - 1) / kBlock;
  Pair data[2] = {};
  if (blocks > 0) {
    data[0] = load_pair<kAligned>(at);
    data[1] = load_pair<kAligned>(at + 8 * kStripe);
  }
  for (uint64_t b = 0; b < blocks; ++b) {
    Pair next[2] = {};
    if (b + 1 < blocks) {
      next[0] = load_pair<kAligned>(at + (b + 1) * kBlock);
      next[1] = load_pair<kAligned>(at + (b + 1) * kBlock + 8 * kStripe);
    }
    sum = scrambled(with_all(sum, added(added({}, data[0], secret[0]), data[1], secret[1])), scramble);
    data[0] = next[0];
    data[1] = next[1];
  }
  // The stripes after the last whole block, and the last 64 bytes of all.
  const auto stripes = static_cast<unsigned>((size - 1) % kBlock / kStripe);
  at += blocks * kBlock;
  Pair rest{};
  if (s < stripes) rest = added(rest, load_pair<kAligned>(at), secret[0]);
  if (s + 8 < stripes) rest = added(rest, load_pair<kAligned>(at + 8 * kStripe), secret[1]);
  if (s == 0)
    rest = added(rest, read_pair(x + size - kStripe + 16 * p),
                 read_pair(device_secret.at + kLastSecret + 16 * p));
  sum = with_all(sum, rest);

  Hash128 shares = {merged(sum, read_pair(device_secret.at + kLowSecret + 16 * p)),
                    merged(sum, read_pair(device_secret.at + kHighSecret + 16 * p))};
#pragma unroll
  for (int by = 1; by < 4; by *= 2) {
    shares.low += __shfl_xor_sync(kAllLanes, shares.low, by);
    shares.high += __shfl_xor_sync(kAllLanes, shares.high, by);
  }
  return finished(size, shares);
}

template <bool kAligned>
MLQ_KERNEL hash_leaves(const uint8_t* bytes, uint64_t size, uint8_t* digests) {
  const Team<kLanes> warp;
  const uint64_t leaves = (size + kHashLeaf - 1) / kHashLeaf;
  for (uint64_t leaf = warp.first; leaf < leaves; leaf += warp.stride) {
    const uint8_t* at = bytes + leaf * kHashLeaf;
    const uint64_t left = size - leaf * kHashLeaf, own = left < kHashLeaf ? left : kHashLeaf;
    const xxh3::Hash128 hash = own > xxh3::kLongest
                                   ? long_hash<kAligned>(at, own)
                                   : xxh3::of_short(at, static_cast<unsigned>(own), device_secret.at);
    if (lane() == 0) xxh3::put_canonical(hash, digests + 16 * leaf);
  }
}

}  // namespace

void xxh3_leaves_cuda(const void* bytes, uint64_t size, uint8_t* digests, Stream stream) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  const uint64_t ctas = divided_up(divided_up(size, kHashLeaf), kThreads / kLanes);
  launch(reinterpret_cast<uintptr_t>(at) % 16 == 0 ? hash_leaves<true> : hash_leaves<false>, ctas, stream, at,
         size, digests);
}

}  // namespace mlq::kernels
