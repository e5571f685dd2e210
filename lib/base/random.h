// Random draws keyed by purpose and event, on Philox4x32-10 (kernels/philox.h).
//
// Every variate of every event can be drawn alone: the key says what it is for, the counter which event it
// belongs to. So results do not depend on threads, shards or the order of work, and one purpose never
// disturbs another.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "kernels/philox.h"

namespace mlq {

// What draws are for. Frozen: a number never changes its meaning; new purposes are appended.
enum class Purpose : uint64_t {
  gaps = 1,
  start = 2,
  modulator = 3,
  batch = 4,
  klass = 5,
  lengths = 6,
  keys = 7,
  conversations = 8,
  payload = 9,
  thin = 10,
  jitter = 11,
  dequantise = 12,
  bootstrap = 13,
  service = 14,
  design = 15,         // first points and candidates of a tuner
  estimator = 16,      // random choices of a model's fit
  policy = 17,         // a tuner's own choice
  surface_noise = 18,  // of a recorded or simulated surface
  reservoir = 19,
  gradient_noise = 20,
  weight_update = 21,  // of simulated training
  dither = 22,
};

// The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA'14): a bijection on 64 bits.
constexpr uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

struct UniformPair {
  double a, b;  // each in (0, 1), never 0 or 1
};

// (x >> 12 + 1/2) * 2^-52, exact. Built from bits, so that a loop over it vectorises without an integer
// conversion.
MLQ_HOST_DEVICE double uniform_from_bits(uint64_t x) {
  return (std::bit_cast<double>((x >> 12) | 0x3FF0000000000000u) - 1.0) + 0x1p-53;
}

// The uniforms of one event: counter (index, draw, stream) under `key`.
MLQ_HOST_DEVICE UniformPair uniforms_at(PhiloxKey key, uint64_t index, uint32_t draw, uint32_t stream) {
  const PhiloxCounter w =
      philox4x32_10({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), draw, stream}, key);
  return {uniform_from_bits((uint64_t{w.c1} << 32) | w.c0), uniform_from_bits((uint64_t{w.c3} << 32) | w.c2)};
}

// The draws of one purpose under one seed. A value type of 8 bytes; thread-safe.
class RandomStream {
 public:
  constexpr RandomStream(uint64_t seed, Purpose purpose)
      : key_(make_key(seed, static_cast<uint64_t>(purpose))) {}

  // Draw `draw` of event `index` in stream `stream` (source of a superposition, client, component of a
  // state).
  PhiloxCounter bits(uint64_t index, uint32_t draw = 0, uint32_t stream = 0) const {
    return philox4x32_10({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), draw, stream},
                         key_);
  }
  UniformPair uniforms(uint64_t index, uint32_t draw = 0, uint32_t stream = 0) const {
    return uniforms_at(key_, index, draw, stream);
  }
  double uniform(uint64_t index, uint32_t draw = 0, uint32_t stream = 0) const {
    return uniforms(index, draw, stream).a;
  }
  PhiloxKey key() const { return key_; }

 private:
  static constexpr PhiloxKey make_key(uint64_t seed, uint64_t purpose) {
    const uint64_t k = mix64(seed + purpose * 0x9E3779B97F4A7C15u);
    return {static_cast<uint32_t>(k), static_cast<uint32_t>(k >> 32)};
  }
  PhiloxKey key_;
};

// A seed as users write it: decimal or 0x hexadecimal up to 2^64-1; any other text is hashed by XXH3-64.
// An empty text is a usage error.
uint64_t parse_seed(std::string_view text);

}  // namespace mlq
