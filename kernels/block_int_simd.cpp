#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/block_int_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/block_int_math.h"
#include "kernels/simd_blocks-inl.h"
#include "kernels/simd_tables-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void BlockIntEncode(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, void* scales, EncodeCounts* counts) {
  block_int_encode_cpu(spec, layout, source, x, codes, scales, counts);
}
void BlockIntEncodeScaled(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                          float scale, uint8_t* codes, EncodeCounts* counts) {
  block_int_encode_scaled_cpu(spec, layout, source, x, scale, codes, counts);
}
void BlockIntDecode(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                    const void* scales, Float target, void* out, uint64_t* saturated) {
  block_int_decode_cpu(spec, layout, codes, scales, target, out, saturated);
}
#else

template <unsigned kWidth>
struct IntFormat {
  static constexpr unsigned kBits = kWidth;
  static constexpr bool kHighFirst = false, kKeepsSign = false, kHasLimit = true;
  BlockIntSpec spec;
  Float scale_type;
  bool by_sign;
  CodeRange range;
  float limit;

  explicit IntFormat(const BlockIntSpec& s)
      : spec(s),
        scale_type(s.scale),
        by_sign(s.grid != Grid::absmax),
        range(code_range(s)),
        limit(0.5f - range.low) {}

  template <class DF>
  HWY_INLINE Vec<DF> exact_scale(DF df, Vec<DF> extreme) const {
    const float half = half_range(kBits);
    const auto by_absmax = hn::Div(hn::Abs(extreme), hn::Set(df, half - 1));
    if (!by_sign) return by_absmax;
    // A division by a power of two is a multiplication by its inverse, bit for bit.
    const auto scale = hn::Mul(extreme, hn::Set(df, -1 / half));
    return spec.positive_scales ? hn::IfThenElse(hn::Gt(extreme, hn::Zero(df)), by_absmax, scale) : scale;
  }

  template <Float kType, class DF>
  HWY_INLINE Bytes<DF> codes(DF df, const Quad<DF>& q) const {
    const U8<DF> db;
    const auto bytes = quad_bytes<kType>(df, rounded_quad(df, q));  // saturated
    if constexpr (kBits == 8) {
      return bytes;
    } else {
      const hn::RebindToSigned<U8<DF> > di;
      const auto cut = hn::Min(hn::BitCast(di, bytes), hn::Set(di, static_cast<int8_t>(range.high)));
      return hn::Add(hn::BitCast(db, cut), hn::Set(db, static_cast<uint8_t>(half_range(kBits))));
    }
  }

  template <Float kType, class DF>
  HWY_INLINE Bytes<DF> careful_codes(DF df, const Quad<DF>& q) const {
    const auto low = hn::Set(df, range.low), high = hn::Set(df, range.high);
    return codes<kType>(df, Quad<DF>{hn::Max(hn::Min(q.a, high), low), hn::Max(hn::Min(q.b, high), low),
                                     hn::Max(hn::Min(q.c, high), low), hn::Max(hn::Min(q.d, high), low)});
  }

  void twin(const BlockLayout& layout, Float source, const void* x, uint8_t* to, void* scales,
            EncodeCounts* counts) const {
    block_int_encode_cpu(spec, layout, source, x, to, scales, counts);
  }
};

// ---- The search of mse

// A lane is a candidate, and elements come one by one: so sums are folded without looking across lanes.
struct Clamp {
  float low, high;
};

// Sums of the squared errors of n elements that lie `stride` apart, in the tree of the fold: its last
// addition is that of the even and the odd ones.
template <unsigned kElems, class DF>
HWY_INLINE Vec<DF> folded_errors(DF df, const float* x, uint64_t stride, Vec<DF> scale, Vec<DF> inverse,
                                 const Clamp& clamp) {
  if constexpr (kElems == 1) {
    const auto v = hn::Set(df, *x);
    const auto cut = hn::Max(hn::Min(hn::Mul(v, inverse), hn::Set(df, clamp.high)), hn::Set(df, clamp.low));
    // Round may give -0 where the twin has +0: neither its product nor the square of the error knows.
    const auto error = hn::Sub(hn::Mul(hn::Round(cut), scale), v);
    return hn::Mul(error, error);
  } else {
    return hn::Add(folded_errors<kElems / 2>(df, x, 2 * stride, scale, inverse, clamp),
                   folded_errors<kElems / 2>(df, x + stride, 2 * stride, scale, inverse, clamp));
  }
}

template <class DF>
Vec<DF> folded_errors(DF df, const float* x, uint64_t stride, uint64_t n, Vec<DF> scale, Vec<DF> inverse,
                      const Clamp& clamp) {
  if (n == 16) return folded_errors<16>(df, x, stride, scale, inverse, clamp);
  return hn::Add(folded_errors(df, x, 2 * stride, n / 2, scale, inverse, clamp),
                 folded_errors(df, x + stride, 2 * stride, n / 2, scale, inverse, clamp));
}

struct Candidates {
  alignas(64) float scale[32], inverse[32];
};

inline void candidate_scales(const BlockIntSpec& spec, float extreme, Candidates& out) {
  const hn::CappedTag<float, 16> df;
  const float half = half_range(spec.bits);
  const auto m = hn::Set(df, extreme);
  const auto base = hn::Set(df, spec.positive_scales ? absolute(extreme) / half : extreme / -half);
  for (unsigned i = 0; i < 32; i += static_cast<unsigned>(hn::Lanes(df))) {
    const auto k = hn::Iota(df, static_cast<float>(kMseFirst + i));
    const auto s = rounded_scales(df, spec.scale, hn::Mul(base, hn::Mul(k, hn::Set(df, 1.0f / 32))), m);
    hn::Store(s.value, df, out.scale + i);
    hn::Store(s.inverse, df, out.inverse + i);
  }
}

// The index of the best candidate for the block x, padded to n floats: the lowest of those with the least
// sum.
inline unsigned best_candidate(const CodeRange& range, const Candidates& candidates, const float* x,
                               uint64_t n) {
  const hn::CappedTag<float, 16> df;
  const unsigned lanes = static_cast<unsigned>(hn::Lanes(df));
  const Clamp clamp = {range.low, range.high};
  alignas(64) float sums[32];
  auto least = hn::Set(df, f32_from_bits(0x7f800000u));
  for (unsigned i = 0; i < 32; i += lanes) {
    const auto sum = folded_errors(df, x, 1, n, hn::Load(df, candidates.scale + i),
                                   hn::Load(df, candidates.inverse + i), clamp);
    hn::Store(sum, df, sums + i);
    least = hn::Min(least, sum);
  }
  least = hn::MinOfLanes(df, least);
  for (unsigned i = 0; i < 32; i += lanes) {
    const auto first = hn::FindFirstTrue(df, hn::Eq(hn::Load(df, sums + i), least));
    if (first >= 0) return i + static_cast<unsigned>(first);
  }
  return 0;
}

template <Float kType, unsigned kBits>
struct MseRows {
  const IntFormat<kBits>& format;
  const BlockLayout& layout;
  const Word<kType>* x;
  uint8_t* codes;
  void* scales;
  EncodeCounts* counts;

  template <class DF>
  HWY_ATTR void block(DF df, const Word<kType>* in, uint64_t size, uint8_t* out, uint64_t index) const {
    alignas(64) float extremes[kBatch];
    if (!block_extremes<kType>(df, in, 1, size, true, extremes)) {
      format.twin({1, size, layout.block}, kType, in, out,
                  static_cast<uint8_t*>(scales) + index * size_of(format.scale_type), counts);
      return;
    }
    const float extreme = extremes[0];
    Candidates candidates;
    candidate_scales(format.spec, extreme, candidates);
    alignas(64) float floats[kMseLargestBlock];
    load_padded<kType>(df, in, size, layout.block, floats);
    const unsigned best = best_candidate(format.range, candidates, floats, layout.block);
    const BlockScale scale = block_int_candidate(format.spec, extreme, kMseFirst + best);
    counts->flushed_blocks += scale.flushed;
    counts->scale_overflow += scale.overflow;
    store(format.scale_type, scales, index, scale.value);
    encode_carefully<kType>(df, format, in, size, candidates.inverse[best], out);
  }

  template <class DF>
  HWY_ATTR void operator()(DF df) const {
    uint64_t index = 0;
    for (uint64_t row = 0; row < layout.rows; ++row)
      for (uint64_t col = 0; col < layout.cols; col += layout.block)
        block(df, x + row * layout.cols + col, std::min(layout.block, layout.cols - col),
              codes + row * layout.row_bytes(kBits) + col * kBits / 8, index++);
  }
};

template <unsigned kBits>
HWY_INLINE void encode_mse(const IntFormat<kBits>& format, const BlockLayout& layout, Float source,
                           const void* x, uint8_t* codes, void* scales, EncodeCounts* counts) {
  switch (source) {
    case Float::f32:
      return with_tag_for(
          layout.block,
          MseRows<Float::f32, kBits>{format, layout, static_cast<const float*>(x), codes, scales, counts});
    case Float::f16:
      return with_tag_for(
          layout.block,
          MseRows<Float::f16, kBits>{format, layout, static_cast<const uint16_t*>(x), codes, scales, counts});
    case Float::bf16:
      return with_tag_for(layout.block,
                          MseRows<Float::bf16, kBits>{format, layout, static_cast<const uint16_t*>(x), codes,
                                                      scales, counts});
  }
}

template <unsigned kBits>
void encode(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
            void* scales, EncodeCounts* counts) {
  const IntFormat<kBits> format(spec);
  if (spec.grid == Grid::mse) {
    encode_mse(format, layout, source, x, codes, scales, counts);
  } else {
    encode_blocks(format, layout, source, x, codes, scales, counts);
  }
}

void BlockIntEncode(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, void* scales, EncodeCounts* counts) {
  switch (spec.bits) {
    case 8:
      return encode<8>(spec, layout, source, x, codes, scales, counts);
    case 4:
      return encode<4>(spec, layout, source, x, codes, scales, counts);
    case 3:
      return encode<3>(spec, layout, source, x, codes, scales, counts);
    default:
      return encode<2>(spec, layout, source, x, codes, scales, counts);
  }
}

// ---- One scale for all

constexpr uint64_t kPiece = 4096;

template <Float kType, unsigned kBits>
void encode_scaled_as(const BlockIntSpec& spec, const BlockLayout& layout, const Word<kType>* x, float scale,
                      uint8_t* codes, EncodeCounts* counts) {
  const hn::CappedTag<float, 16> df;
  const IntFormat<kBits> format(spec);
  const float inverse = inverse_of(scale);
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols; col += kPiece) {
      const uint64_t size = std::min(kPiece, layout.cols - col);
      const Word<kType>* in = x + row * layout.cols + col;
      uint8_t* out = codes + row * layout.row_bytes(kBits) + col * kBits / 8;
      if (all_finite<kType>(df, in, size)) {
        encode_carefully<kType>(df, format, in, size, inverse, out);
      } else {
        block_int_encode_scaled_cpu(spec, {1, size, size}, kType, in, scale, out, counts);
      }
    }
}

template <Float kType>
void encode_scaled(const BlockIntSpec& spec, const BlockLayout& layout, const void* x, float scale,
                   uint8_t* codes, EncodeCounts* counts) {
  const auto* in = static_cast<const Word<kType>*>(x);
  switch (spec.bits) {
    case 8:
      return encode_scaled_as<kType, 8>(spec, layout, in, scale, codes, counts);
    case 4:
      return encode_scaled_as<kType, 4>(spec, layout, in, scale, codes, counts);
    case 3:
      return encode_scaled_as<kType, 3>(spec, layout, in, scale, codes, counts);
    default:
      return encode_scaled_as<kType, 2>(spec, layout, in, scale, codes, counts);
  }
}

void BlockIntEncodeScaled(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                          float scale, uint8_t* codes, EncodeCounts* counts) {
  with_float(source, [&]<Float kType>() { encode_scaled<kType>(spec, layout, x, scale, codes, counts); });
}

// ---- Decoding

template <Float kTarget, unsigned kBits, class DF>
HWY_INLINE void decode_block(DF df, const float* values, const uint8_t* codes, float scale, uint64_t size,
                             Word<kTarget>* out) {
  if constexpr (kBits == 8) {
    (void)values;
    const auto* in = reinterpret_cast<const int8_t*>(codes);
    const size_t step = 2 * hn::Lanes(df);
    uint64_t i = 0;
    const auto factor = hn::Set(df, scale);
    const hn::Rebind<int8_t, I16<DF> > db;
    for (; i + step <= size; i += step)
      store_scaled_words<kTarget>(df, hn::PromoteTo(I16<DF>(), hn::LoadU(db, in + i)), factor, out + i);
    for (; i < size; ++i) store(kTarget, out, i, static_cast<float>(in[i]) * scale);
  } else {
    decode_by_table<kTarget, kBits, false>(df, ValueTable<kTarget, DF>(df, values, scale), codes, size, out);
  }
}

template <Float kTarget, unsigned kBits>
struct DecodeRows {
  const BlockIntSpec& spec;
  const BlockLayout& layout;
  const uint8_t* codes;
  const void* scales;
  Word<kTarget>* out;
  uint64_t* saturated;

  template <class DF>
  HWY_ATTR void operator()(DF df) const {
    constexpr int kHalf = 1 << (kBits - 1);
    alignas(64) float values[16] = {};
    for (int i = 0; i < 2 * kHalf && i < 16; ++i) values[i] = static_cast<float>(i - kHalf);
    uint64_t index = 0;
    for (uint64_t row = 0; row < layout.rows; ++row)
      for (uint64_t col = 0; col < layout.cols; col += layout.block, ++index) {
        const uint64_t size = std::min(layout.block, layout.cols - col);
        const uint8_t* in = codes + row * layout.row_bytes(kBits) + col * kBits / 8;
        Word<kTarget>* to = out + row * layout.cols + col;
        const float scale = load(spec.scale, scales, index);
        if (absolute(scale) * kHalf < safe_limit<kTarget>()) {
          decode_block<kTarget, kBits>(df, values, in, scale, size, to);
        } else {
          block_int_decode_cpu(spec, {1, size, layout.block}, in,
                               static_cast<const uint8_t*>(scales) + index * size_of(spec.scale), kTarget, to,
                               saturated);
        }
      }
  }
};

template <Float kTarget>
void decode(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes, const void* scales,
            void* out, uint64_t* saturated) {
  auto* to = static_cast<Word<kTarget>*>(out);
  switch (spec.bits) {
    case 8:
      return with_tag_for(layout.block, DecodeRows<kTarget, 8>{spec, layout, codes, scales, to, saturated});
    case 4:
      return with_short_tag_for(layout.block,
                                DecodeRows<kTarget, 4>{spec, layout, codes, scales, to, saturated});
    case 3:
      return with_short_tag_for(layout.block,
                                DecodeRows<kTarget, 3>{spec, layout, codes, scales, to, saturated});
    default:
      return with_short_tag_for(layout.block,
                                DecodeRows<kTarget, 2>{spec, layout, codes, scales, to, saturated});
  }
}

void BlockIntDecode(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                    const void* scales, Float target, void* out, uint64_t* saturated) {
  with_float(target, [&]<Float kType>() { decode<kType>(spec, layout, codes, scales, out, saturated); });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(BlockIntEncode);
HWY_EXPORT(BlockIntEncodeScaled);
HWY_EXPORT(BlockIntDecode);

void block_int_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                           uint8_t* codes, void* scales, EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(BlockIntEncode)(spec, layout, source, x, codes, scales, counts);
}
void block_int_encode_scaled_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source,
                                  const void* x, float scale, uint8_t* codes, EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(BlockIntEncodeScaled)(spec, layout, source, x, scale, codes, counts);
}
void block_int_decode_simd(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                           const void* scales, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(BlockIntDecode)(spec, layout, codes, scales, target, out, saturated);
}

}  // namespace mlq::kernels
#endif
