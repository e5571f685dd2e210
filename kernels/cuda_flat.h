// The fast way for blocks of 32, 64, 128 or 256 elements that lie one after another on aligned addresses: a
// lane holds eight elements, so a block is 4 to 32 lanes and its extreme a few shuffles. A warp takes several
// vectors of 32 times eight elements at once, to have as many 16-byte loads in flight; of their blocks'
// scales each lane computes one, since divisions are dear, and passes it on.
//
// A codec for this has, beside what cuda_blocks.h asks:
//   bool wants_sign() const                         whether the scale depends on the extreme element's sign
//   BlockScale scale_of(extreme) const, Float scale_type() const
//   auto prepare() const                            by all threads first: what encoding looks up
//   uint64_t packed(prepared, v, inverse) const     eight codes
//   auto prepare_values() const, void values(prepared, word, scale, y) const    the same for decoding
#pragma once

#include "kernels/cuda_blocks.h"

namespace mlq::kernels::cuda {

// The largest magnitudes of positive and of negative numbers, by comparing bits as they are: read as signed
// numbers the largest is the largest positive one, read as unsigned numbers the largest negative one, with
// its sign bit. 0 and 0x80... where there is none.
template <bool kWide>
struct Extremes {
  uint32_t plus, minus;
  __device__ __forceinline__ void take_lane(int by) {
    plus = Largest{}(plus, __shfl_xor_sync(kAllLanes, plus, by));
    minus = Largest{}(minus, __shfl_xor_sync(kAllLanes, minus, by));
  }
  __device__ __forceinline__ uint32_t plus_key() const { return plus; }
  __device__ __forceinline__ uint32_t minus_key() const { return minus & 0x7fffffffu; }
};
template <>
struct Extremes<false> {
  uint32_t both;  // of 16-bit types: the negative one in the high half
  __device__ __forceinline__ void take_lane(int by) {
    both = __vmaxu2(both, __shfl_xor_sync(kAllLanes, both, by));
  }
  __device__ __forceinline__ uint32_t plus_key() const { return both & 0xffffu; }
  __device__ __forceinline__ uint32_t minus_key() const { return both >> 16 & 0x7fffu; }
};

// Eight elements as they lie in memory. Keys are the bits of magnitudes: larger is larger.
template <Float kSource>
struct Vector {
  static constexpr bool kWide = kSource == Float::f32;
  static constexpr uint32_t kInfinite = kWide ? 0x7f800000u : kSource == Float::bf16 ? 0x7f80u : 0x7c00u;
  static constexpr unsigned kWords = kWide ? 8 : 4;
  uint32_t word[kWords];

  __device__ __forceinline__ static Vector load(const void* x, uint64_t unit) {
    const auto* at = static_cast<const uint4*>(x) + unit * (kWords / 4);
    Vector out;
#pragma unroll
    for (unsigned i = 0; i < kWords / 4; ++i) {
      const uint4 a = at[i];
      out.word[4 * i] = a.x;
      out.word[4 * i + 1] = a.y;
      out.word[4 * i + 2] = a.z;
      out.word[4 * i + 3] = a.w;
    }
    return out;
  }
  __device__ __forceinline__ static Vector zero() { return {}; }

  // Element k's bits.
  __device__ __forceinline__ uint32_t bits(unsigned k) const {
    return kWide ? word[k % kWords] : word[k / 2 % kWords] >> (k % 2 * 16) & 0xffffu;
  }
  __device__ __forceinline__ uint32_t key(unsigned k) const {
    return bits(k) & (kWide ? 0x7fffffffu : 0x7fffu);
  }
  __device__ __forceinline__ bool negative(unsigned k) const { return bits(k) >> (kWide ? 31 : 15); }
  __device__ __forceinline__ float value(unsigned k) const {
    if constexpr (kWide) return f32_from_bits(bits(k));
    return widened(kSource, bits(k));
  }
  __device__ __forceinline__ static float magnitude(uint32_t key) {
    if constexpr (kWide) return f32_from_bits(key);
    return widened(kSource, key);
  }

  // The largest magnitudes of either sign.
  __device__ __forceinline__ Extremes<kWide> extremes() const {
    Extremes<kWide> out;
    if constexpr (kWide) {
      int32_t plus = 0;
      uint32_t minus = 0x80000000u;
#pragma unroll
      for (unsigned i = 0; i < kWords; ++i) {
        plus = Largest{}(plus, static_cast<int32_t>(word[i]));
        minus = Largest{}(minus, word[i]);
      }
      out.plus = static_cast<uint32_t>(plus);
      out.minus = minus;
    } else {
      uint32_t plus = 0, minus = 0x80008000u;
#pragma unroll
      for (unsigned i = 0; i < kWords; ++i) {
        plus = __vmaxs2(plus, word[i]);
        minus = __vmaxu2(minus, word[i]);
      }
      out.both = __vmaxu2(__byte_perm(plus, minus, 0x5410), __byte_perm(plus, minus, 0x7632));
    }
    return out;
  }
  // Puts +0 for what is not finite; how many those were.
  __device__ __forceinline__ unsigned make_finite() {
    unsigned found = 0;
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if (key(k) >= kInfinite) {
        ++found;
        word[kWide ? k % kWords : k / 2 % kWords] &= kWide ? 0u : 0xffff0000u >> (k % 2 * 16);
      }
    }
    return found;
  }
};

// The lanes of one block in a warp.
struct BlockLanes {
  unsigned count, first, mask;
  __device__ __forceinline__ explicit BlockLanes(unsigned lanes)
      : count(lanes), first(lane() & ~(lanes - 1)), mask(kAllLanes >> (kLanes - lanes) << first) {}
};

// The block's first element with the largest magnitude; its sign only if that is wanted. `own`: the lane's.
template <Float kSource>
__device__ __forceinline__ float extreme_of(const Vector<kSource>& x,
                                            const Extremes<Vector<kSource>::kWide>& own,
                                            const BlockLanes& block, bool sign) {
  auto all = own;
  all.take_lane(1);
  all.take_lane(2);
  if (block.count > 4) all.take_lane(4);
  if (block.count > 8) all.take_lane(8);
  if (block.count > 16) all.take_lane(16);
  const uint32_t plus = all.plus_key(), minus = all.minus_key();
  const uint32_t key = Largest{}(plus, minus);
  const float magnitude = Vector<kSource>::magnitude(key);
  if (!sign) return magnitude;
  bool negative = minus > plus;
  // Both signs have the largest magnitude: the first in the block counts.
  if (__any_sync(kAllLanes, plus == minus && plus != 0)) {
    bool first_is_negative = false;
#pragma unroll
    for (unsigned k = kUnit; k-- > 0;) {
      if (x.key(k) == key) first_is_negative = x.negative(k);
    }
    const bool has = Largest{}(own.plus_key(), own.minus_key()) == key;
    const unsigned with = __ballot_sync(kAllLanes, has) & block.mask;
    const unsigned minuses = __ballot_sync(kAllLanes, first_is_negative);
    negative = (with & (0u - with) & minuses) != 0;
  }
  return negative ? -magnitude : magnitude;
}

// Eight codes of kBits each to unit `unit`'s place; `own` tells whether there is one.
template <unsigned kBits>
__device__ __forceinline__ void store_codes(uint8_t* codes, uint64_t unit, bool own, uint64_t word) {
  const auto low = static_cast<uint32_t>(word);
  if constexpr (kBits == 8) {
    if (own) reinterpret_cast<uint2*>(codes)[unit] = make_uint2(low, static_cast<uint32_t>(word >> 32));
  } else if constexpr (kBits == 4) {
    if (own) reinterpret_cast<uint32_t*>(codes)[unit] = low;
  } else if constexpr (kBits == 2) {
    if (own) reinterpret_cast<uint16_t*>(codes)[unit] = static_cast<uint16_t>(low);
  } else {
    // Four lanes have twelve bytes: three of them store a word each.
    static_assert(kBits == 3);
    const unsigned k = lane() % 4;
    const uint32_t next = __shfl_down_sync(kAllLanes, low, 1);
    if (own && k < 3)
      reinterpret_cast<uint32_t*>(codes)[unit / 4 * 3 + k] = low >> (8 * k) | next << (24 - 8 * k);
  }
}
template <unsigned kBits>
__device__ __forceinline__ uint64_t load_codes(const uint8_t* codes, uint64_t unit, bool own) {
  if constexpr (kBits == 8) {
    const uint2 a = own ? reinterpret_cast<const uint2*>(codes)[unit] : make_uint2(0, 0);
    return uint64_t{a.y} << 32 | a.x;
  } else if constexpr (kBits == 4) {
    return own ? reinterpret_cast<const uint32_t*>(codes)[unit] : 0u;
  } else if constexpr (kBits == 2) {
    return own ? reinterpret_cast<const uint16_t*>(codes)[unit] : 0u;
  } else {
    static_assert(kBits == 3);
    const unsigned k = lane() % 4, first = lane() - k;
    const uint32_t word = own && k < 3 ? reinterpret_cast<const uint32_t*>(codes)[unit / 4 * 3 + k] : 0u;
    const uint32_t low = __shfl_sync(kAllLanes, word, static_cast<int>(first + (k == 0 ? 0 : k - 1)));
    const uint32_t high = __shfl_sync(kAllLanes, word, static_cast<int>(first + (k < 2 ? k : 2)));
    return (uint64_t{high} << 32 | low) >> ((32 - 8 * k) % 32) & 0xffffffu;
  }
}

template <class Codec, Float kSource>
MLQ_KERNEL encode_flat(Codec codec, uint64_t units, unsigned block_lanes, const void* x, uint8_t* codes,
                       void* scales, EncodeCounts* counts) {
  constexpr unsigned kMany = kSource == Float::f32 ? 2 : 4;
  const auto prepared = codec.prepare();
  const Team<kLanes> warp;
  const BlockLanes block(block_lanes);
  const auto shift = static_cast<unsigned>(__ffs(static_cast<int>(block_lanes))) - 1;
  const unsigned rank = lane() - block.first, own = rank % kMany;  // the vector whose scale is this lane's
  unsigned nonfinite = 0, flushed = 0, overflow = 0;
  for (uint64_t first = warp.first * kMany * kLanes; first < units; first += warp.stride * kMany * kLanes) {
    Vector<kSource> v[kMany];
#pragma unroll
    for (unsigned j = 0; j < kMany; ++j) {
      const uint64_t unit = first + j * kLanes + lane();
      v[j] = unit < units ? Vector<kSource>::load(x, unit) : Vector<kSource>::zero();
    }
    float extreme = 0;
#pragma unroll
    for (unsigned j = 0; j < kMany; ++j) {
      auto extremes = v[j].extremes();
      if (Largest{}(extremes.plus_key(), extremes.minus_key()) >= Vector<kSource>::kInfinite) {
        nonfinite += v[j].make_finite();
        extremes = v[j].extremes();
      }
      const float of_block = extreme_of(v[j], extremes, block, codec.wants_sign());
      if (own == j) extreme = of_block;
    }
    const BlockScale scale = codec.scale_of(extreme);
    const uint64_t first_unit = first + own * kLanes + block.first;  // of the block with this scale
    if (rank < kMany && first_unit < units) {
      store(codec.scale_type(), scales, first_unit >> shift, scale.value);
      flushed += scale.flushed;
      overflow += scale.overflow;
    }
    const float inverse = inverse_of(scale.value);
#pragma unroll
    for (unsigned j = 0; j < kMany; ++j) {
      float by = __shfl_sync(kAllLanes, inverse, static_cast<int>(block.first + j));
      float values[kUnit];
#pragma unroll
      for (unsigned k = 0; k < kUnit; ++k) values[k] = v[j].value(k);
      const uint64_t unit = first + j * kLanes + lane();
      if constexpr (Dithers<Codec>) codec.dither(unit * kUnit, values, by);
      store_codes<Codec::kCodeBits>(codes, unit, unit < units,
                                    codec.arranged(codec.packed(prepared, values, by)));
    }
  }
  add_to(counts, {nonfinite, flushed, overflow});
}

// Two values as the hardware rounds them, to the nearest even, where neither is beyond the target's range.
template <Float kTarget>
__device__ __forceinline__ uint32_t narrowed_pair(float low, float high) {
#ifdef __CUDA_ARCH__
  uint32_t out;
  if constexpr (kTarget == Float::f16) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  }
  return out;
#else
  return narrowed(kTarget, low) | narrowed(kTarget, high) << 16;
#endif
}

// Below this scale (in bits) no decoded value, at most 448 times it, is beyond the target's range.
template <Float kTarget>
inline constexpr uint32_t kSafeScale = kTarget == Float::f16 ? (127u + 7u) << 23 : (127u + 118u) << 23;

template <class Codec, Float kTarget>
MLQ_KERNEL decode_flat(Codec codec, uint64_t units, unsigned block_lanes, const uint8_t* codes,
                       const void* scales, void* out, uint64_t* saturated) {
  constexpr unsigned kMany = 4;
  const auto prepared = codec.prepare_values();
  const Team<kLanes> warp;
  const auto shift = static_cast<unsigned>(__ffs(static_cast<int>(block_lanes))) - 1;
  uint64_t cut = 0;
  for (uint64_t first = warp.first * kMany * kLanes; first < units; first += warp.stride * kMany * kLanes) {
    uint64_t word[kMany];
    float scale[kMany];
#pragma unroll
    for (unsigned j = 0; j < kMany; ++j) {
      const uint64_t unit = first + j * kLanes + lane();
      word[j] = load_codes<Codec::kCodeBits>(codes, unit, unit < units);
      scale[j] = unit < units ? codec.scale_at(scales, unit >> shift) : 0.0f;
    }
#pragma unroll
    for (unsigned j = 0; j < kMany; ++j) {
      const uint64_t unit = first + j * kLanes + lane();
      if (unit >= units) continue;
      float y[kUnit];
      codec.values(prepared, codec.arranged(word[j]), Dithers<Codec> ? 1.0f : scale[j], y);
      if constexpr (Dithers<Codec>) codec.undither(unit * kUnit, scale[j], y);
      if (magnitude_bits(scale[j]) >= kSafeScale<kTarget>) {
        cut += store_unit(kTarget, out, unit * kUnit, kUnit, y);
        continue;
      }
      if constexpr (kTarget == Float::f32) {
        auto* at = static_cast<uint4*>(out) + 2 * unit;
        at[0] = make_uint4(bits_of(y[0]), bits_of(y[1]), bits_of(y[2]), bits_of(y[3]));
        at[1] = make_uint4(bits_of(y[4]), bits_of(y[5]), bits_of(y[6]), bits_of(y[7]));
      } else {
        static_cast<uint4*>(out)[unit] =
            make_uint4(narrowed_pair<kTarget>(y[0], y[1]), narrowed_pair<kTarget>(y[2], y[3]),
                       narrowed_pair<kTarget>(y[4], y[5]), narrowed_pair<kTarget>(y[6], y[7]));
      }
    }
  }
  add_to(saturated, cut);
}

// Whole blocks that this way can take; 0 if the layout or an address is not for it.
inline uint64_t flat_blocks(const BlockLayout& layout, const void* floats, const uint8_t* codes) {
  const bool length = layout.block == 32 || layout.block == 64 || layout.block == 128 || layout.block == 256;
  if (!length || (layout.rows > 1 && layout.cols % layout.block != 0)) return 0;
  if (reinterpret_cast<uintptr_t>(floats) % 16 != 0 || reinterpret_cast<uintptr_t>(codes) % 8 != 0) return 0;
  return layout.elems() / layout.block;
}

template <class Codec>
void launch_encode_flat(const Codec& codec, uint64_t blocks, uint64_t block, Float source, const void* x,
                        uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  const uint64_t units = blocks * (block / kUnit);
  const auto lanes = static_cast<unsigned>(block / kUnit);
  const auto kernel = source == Float::f32   ? encode_flat<Codec, Float::f32>
                      : source == Float::f16 ? encode_flat<Codec, Float::f16>
                                             : encode_flat<Codec, Float::bf16>;
  launch(kernel, ctas_for(divided_up(units, source == Float::f32 ? 2 : 4)), stream, codec, units, lanes, x,
         codes, scales, counts);
}

// The fast way for as many blocks as it can take, the slow one for the rest.
template <class Codec, class AnyCodec>
void launch_encode(const Codec& codec, const AnyCodec& any, const BlockLayout& layout, Float source,
                   const void* x, uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  const uint64_t blocks = flat_blocks(layout, x, codes);
  if (blocks > 0) launch_encode_flat(codec, blocks, layout.block, source, x, codes, scales, counts, stream);
  if (blocks < layout.blocks())
    launch_encode_blocks(any, layout, blocks, source, x, codes, scales, counts, stream);
}

template <class Codec, class AnyCodec>
void launch_decode(const Codec& codec, const AnyCodec& any, const BlockLayout& layout, const uint8_t* codes,
                   const void* scales, Float target, void* out, uint64_t* saturated, Stream stream) {
  const uint64_t blocks = flat_blocks(layout, out, codes), units = blocks * (layout.block / kUnit);
  if (blocks > 0) {
    const auto kernel = target == Float::f32   ? decode_flat<Codec, Float::f32>
                        : target == Float::f16 ? decode_flat<Codec, Float::f16>
                                               : decode_flat<Codec, Float::bf16>;
    launch(kernel, ctas_for(divided_up(units, 4)), stream, codec, units,
           static_cast<unsigned>(layout.block / kUnit), codes, scales, out, saturated);
  }
  if (blocks < layout.blocks())
    launch_decode_units(any, layout, units, codes, scales, target, out, saturated, stream);
}

}  // namespace mlq::kernels::cuda
