// Encoding in blocks by one multiplication an element: scales of a batch of blocks at once, then codes. A
// format is a class with
//   static constexpr unsigned kBits; static constexpr bool kHighFirst;
//   static constexpr bool kKeepsSign;   -0 has a code of its own, so a scale of 0 needs care
//   bool by_sign;                       the scale depends on the extreme's sign
//   static constexpr bool kHasLimit; float limit;   |extreme * inverse| below which codes() may be used
//   Float scale_type;
//   exact_scale(df, extremes)           in fp32, before rounding
//   codes<kType>(df, q)                 of a quad of scaled elements, for numbers below the limit
//   careful_codes<kType>(df, q)         of any, where there is a limit
//   twin(block layout, source, x, codes, scales, counts)
#if defined(MLQ_KERNELS_SIMD_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MLQ_KERNELS_SIMD_BLOCKS_INL_H_
#undef MLQ_KERNELS_SIMD_BLOCKS_INL_H_
#else
#define MLQ_KERNELS_SIMD_BLOCKS_INL_H_
#endif

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET != HWY_SCALAR
namespace mlq::kernels {
namespace HWY_NAMESPACE {

constexpr uint64_t kBatchElems = 4096;

// Calls work(tag) with vectors of which a quad is not longer than a block, 16 elements at least.
template <class Work>
HWY_INLINE void with_tag_for([[maybe_unused]] uint64_t block, const Work& work) {
#if HWY_MAX_BYTES >= 64
  if (block >= 64) return work(hn::CappedTag<float, 16>());
#endif
#if HWY_MAX_BYTES >= 32
  if (block >= 32) return work(hn::CappedTag<float, 8>());
#endif
  work(hn::CappedTag<float, 4>());
}

template <Float kType, bool kCareful, class Format, class DF>
HWY_INLINE void encode_quad(DF df, const Format& format, const Word<kType>* x, Vec<DF> inverse,
                            uint8_t* out) {
  const Quad<DF> q = scaled(load_quad<kType>(df, x), inverse);
  if constexpr (kCareful) {
    const auto codes = format.template careful_codes<kType>(df, q);
    store_codes<Format::kBits, Format::kHighFirst>(df, codes, out);
  } else {
    const auto codes = format.template codes<kType>(df, q);
    store_codes<Format::kBits, Format::kHighFirst>(df, codes, out);
  }
}

// What is left of a block after its quads.
template <Float kType, bool kCareful, class Format, class DF>
HWY_NOINLINE void encode_rest(DF df, const Format& format, const Word<kType>* x, uint64_t size, float inverse,
                              uint8_t* out) {
  Word<kType> rest[HWY_MAX_BYTES] = {};
  uint8_t packed[HWY_MAX_BYTES];
  std::memcpy(rest, x, size * sizeof(Word<kType>));
  encode_quad<kType, kCareful>(df, format, rest, hn::Set(df, inverse), packed);
  const uint64_t bits = size * Format::kBits, bytes = (bits + 7) / 8;
  if (bits % 8) {
    const unsigned used = (1u << (bits % 8)) - 1;
    packed[bytes - 1] = static_cast<uint8_t>(packed[bytes - 1] & (Format::kHighFirst ? used << 4 : used));
  }
  std::memcpy(out, packed, bytes);
}

// `size` elements by one factor; they begin on a byte of codes. The format comes as a copy, which no store of
// bytes can change behind the compiler's back.
template <Float kType, bool kCareful, class Format, class DF>
HWY_INLINE void encode_elements(DF df, const Format format, const Word<kType>* x, uint64_t size,
                                float inverse, uint8_t* out) {
  constexpr unsigned kBits = Format::kBits;
  if (Format::kKeepsSign && inverse == 0) {
    std::memset(out, 0, (size * kBits + 7) / 8);
    return;
  }
  constexpr size_t kStep = 4 * hn::MaxLanes(DF()), kBytes = kStep * kBits / 8;
  const auto factor = hn::Set(df, inverse);
  for (; size >= 2 * kStep; size -= 2 * kStep, x += 2 * kStep, out += 2 * kBytes) {
    encode_quad<kType, kCareful>(df, format, x, factor, out);
    encode_quad<kType, kCareful>(df, format, x + kStep, factor, out + kBytes);
  }
  if (size >= kStep) {
    encode_quad<kType, kCareful>(df, format, x, factor, out);
    size -= kStep;
    x += kStep;
    out += kBytes;
  }
  if (HWY_UNLIKELY(size > 0)) encode_rest<kType, kCareful>(df, format, x, size, inverse, out);
}

// For numbers beyond the format's limit.
template <Float kType, class Format, class DF>
HWY_NOINLINE void encode_carefully(DF df, const Format& format, const Word<kType>* x, uint64_t size,
                                   float inverse, uint8_t* out) {
  encode_elements<kType, Format::kHasLimit>(df, format, x, size, inverse, out);
}

struct BatchScales {
  alignas(64) float extreme[kBatch];
  alignas(64) float inverse[kBatch];
  bool careful = false;  // some element may be beyond the format's limit
};

// kernels/block_math.h's block_scale, a vector at a time.
template <class DF>
struct Scales {
  Vec<U32<DF>> bits;  // as stored: bf16 in the upper half, f16 in the lower one
  Vec<DF> value, inverse;
  hn::Mask<DF> flushed, overflow;
};

template <class DF>
HWY_INLINE Scales<DF> rounded_scales(DF df, Float type, Vec<DF> exact, Vec<DF> extreme) {
  const U32<DF> du;
  const auto sign = hn::Set(df, -0.0f);
  auto magnitude = hn::AndNot(sign, exact);
  auto bits = hn::BitCast(du, exact);
  auto overflow = hn::Ne(magnitude, magnitude);
  if (type == Float::bf16) {
    overflow = hn::Ge(magnitude, hn::BitCast(df, hn::Set(du, 0x7f7f8000u)));
    magnitude = hn::Min(magnitude, hn::BitCast(df, hn::Set(du, 0x7f7f0000u)));
    const auto cut = hn::Or(magnitude, hn::And(sign, exact));
    bits = hn::And(bf16_in_upper_half(df, cut), hn::Set(du, 0xffff0000u));
    exact = hn::BitCast(df, bits);
  } else if (type == Float::f16) {
    overflow = hn::Ge(magnitude, hn::Set(df, 65520.0f));
    magnitude = hn::Min(magnitude, hn::Set(df, 65504.0f));
    const auto cut = hn::Or(magnitude, hn::And(sign, exact));
    bits = f16_in_lower_half(df, cut);
    alignas(64) uint16_t words[HWY_MAX_BYTES / 2];
    hn::Store(hn::BitCast(U16<DF>(), bits), U16<DF>(), words);
    for (size_t i = 0; i < hn::Lanes(df); ++i) words[i] = words[2 * i];
    exact = widened_f16(df, words);
  }
  const auto kept = hn::Ge(hn::AndNot(sign, exact), hn::Set(df, 0x1p-126f));
  const auto was_zero = hn::Eq(extreme, hn::Zero(df));
  return {hn::IfThenElseZero(hn::RebindMask(du, kept), bits), hn::IfThenElseZero(kept, exact),
          hn::IfThenElseZero(kept, hn::Div(hn::Set(df, 1.0f), exact)), hn::Not(hn::Or(kept, was_zero)),
          overflow};
}

// Scales and their inverses of `blocks` blocks, whose extremes are there.
template <class Format>
HWY_NOINLINE void batch_scales(const Format& format, uint64_t blocks, BatchScales& batch, void* scales,
                               uint64_t first, EncodeCounts* counts) {
  const hn::CappedTag<float, kBatch> df;
  const hn::Repartition<uint16_t, decltype(df)> dw;
  const hn::Half<decltype(dw)> dh;
  const size_t lanes = hn::Lanes(df);
  const Float type = format.scale_type;
  alignas(64) uint16_t words[2 * kBatch];  // as stored, whatever the type
  auto worst = hn::Zero(df);
  for (uint64_t b = 0; b < blocks; b += lanes) {
    const auto extreme = hn::Load(df, batch.extreme + b);
    const auto s = rounded_scales(df, type, format.exact_scale(df, extreme), extreme);
    counts->flushed_blocks += hn::CountTrue(df, s.flushed);
    counts->scale_overflow += hn::CountTrue(df, s.overflow);
    worst = hn::Max(worst, hn::Abs(hn::Mul(extreme, s.inverse)));
    hn::Store(s.inverse, df, batch.inverse + b);
    const auto halves = hn::BitCast(dw, s.bits);
    if (type == Float::f32) {
      hn::Store(halves, dw, words + 2 * b);
    } else {
      const auto narrow =
          type == Float::bf16 ? hn::ConcatOdd(dw, halves, halves) : hn::ConcatEven(dw, halves, halves);
      hn::StoreU(hn::LowerHalf(dh, narrow), dh, words + b);
    }
  }
  if constexpr (Format::kHasLimit) batch.careful = !hn::AllTrue(df, hn::Lt(worst, hn::Set(df, format.limit)));
  const size_t width = size_of(type);
  auto* out = static_cast<uint8_t*>(scales) + first * width;
  if (HWY_UNLIKELY(blocks != kBatch)) {
    std::memcpy(out, words, blocks * width);
  } else if (width == 2) {
    std::memcpy(out, words, 2 * kBatch);
  } else {
    std::memcpy(out, words, 4 * kBatch);
  }
}

// `blocks` blocks of `size` elements each, at most kBatch. False if an element is not finite; then nothing
// was done.
template <Float kType, class Format, class DF>
HWY_INLINE bool encode_batch(DF df, const Format& format, uint64_t blocks, uint64_t size,
                             const Word<kType>* x, uint8_t* codes, void* scales, uint64_t first,
                             EncodeCounts* counts) {
  BatchScales batch;
  if (!block_extremes<kType>(df, x, blocks, size, format.by_sign, batch.extreme)) return false;
  batch_scales(format, blocks, batch, scales, first, counts);
  const uint64_t bytes = size * Format::kBits / 8;
  if (Format::kHasLimit && HWY_UNLIKELY(batch.careful)) {
    for (uint64_t b = 0; b < blocks; ++b)
      encode_carefully<kType>(df, format, x + b * size, size, batch.inverse[b], codes + b * bytes);
  } else {
    for (uint64_t b = 0; b < blocks; ++b)
      encode_elements<kType, false>(df, format, x + b * size, size, batch.inverse[b], codes + b * bytes);
  }
  return true;
}

template <Float kType, class Format>
struct EncodeRows {
  const Format& format;
  const BlockLayout& layout;
  const Word<kType>* x;
  uint8_t* codes;
  void* scales;
  EncodeCounts* counts;

  template <class DF>
  HWY_ATTR void operator()(DF df) const {
    const uint64_t batch = std::clamp<uint64_t>(kBatchElems / layout.block, 1, kBatch);
    uint64_t first = 0;
    for (uint64_t row = 0; row < layout.rows; ++row) {
      const Word<kType>* in = x + row * layout.cols;
      uint8_t* out = codes + row * layout.row_bytes(Format::kBits);
      for (uint64_t col = 0; col < layout.cols;) {
        const uint64_t left = layout.cols - col;
        const uint64_t blocks = std::max<uint64_t>(1, std::min(left / layout.block, batch));
        const uint64_t size = std::min(left, layout.block);
        uint8_t* to = out + col * Format::kBits / 8;
        if (!encode_batch<kType>(df, format, blocks, size, in + col, to, scales, first, counts)) {
          const size_t width = size_of(format.scale_type);
          format.twin({1, blocks * size, layout.block}, kType, in + col, to,
                      static_cast<uint8_t*>(scales) + first * width, counts);
        }
        first += blocks;
        col += blocks * size;
      }
    }
  }
};

template <Float kType, class Format>
HWY_INLINE void encode_rows(const Format& format, const BlockLayout& layout, const void* x, uint8_t* codes,
                            void* scales, EncodeCounts* counts) {
  with_tag_for(
      std::min(layout.block, layout.cols),
      EncodeRows<kType, Format>{format, layout, static_cast<const Word<kType>*>(x), codes, scales, counts});
}

template <class Format>
HWY_INLINE void encode_blocks(const Format& format, const BlockLayout& layout, Float source, const void* x,
                              uint8_t* codes, void* scales, EncodeCounts* counts) {
  with_float(source, [&]<Float kType>() { encode_rows<kType>(format, layout, x, codes, scales, counts); });
}

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
#endif
HWY_AFTER_NAMESPACE();

#endif
