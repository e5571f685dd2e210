// Two ways of the same sums. Two groups, the usual case, are read once: all four sums grow in registers. More
// groups are widened to fp64 a piece at a time, which stays in the cache while tiles of two rows and two
// columns go over it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gram_block_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/gram_block_math.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void GramBlocks(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) {
  gram_blocks_cpu(groups, elems, sums, nonfinite);
}
#else

constexpr unsigned kPiece = 256;  // elements of a group that are widened at a time
constexpr unsigned kMostSums = gram_sums(kMostGramGroups);
static_assert(kGramStrip % kPiece == 0 && kPiece % kGramLanes == 0);

using DD = hn::CappedTag<double, 8>;
using VD = hn::Vec<DD>;
// Two vectors at a time keep the adders busy and the sums of two groups in registers.
constexpr unsigned kVector = hn::MaxLanes(DD()), kStep = 2 * kVector;
static_assert(kGramLanes % kStep == 0);

template <GramType kType>
struct StoredGram {
  using Word = uint16_t;
};
template <>
struct StoredGram<GramType::f32> {
  using Word = float;
};
template <>
struct StoredGram<GramType::f64> {
  using Word = double;
};
template <>
struct StoredGram<GramType::e4m3> {
  using Word = uint8_t;
};
template <>
struct StoredGram<GramType::e5m2> {
  using Word = uint8_t;
};
template <GramType kType>
using GramWord = typename StoredGram<kType>::Word;

template <GramType kType>
HWY_INLINE VD load_doubles(const GramWord<kType>* p) {
  const DD dd;
  const hn::Rebind<float, DD> df;
  if constexpr (kType == GramType::f64) {
    return hn::LoadU(dd, p);
  } else if constexpr (kType == GramType::f32) {
    return hn::PromoteTo(dd, hn::LoadU(df, p));
  } else if constexpr (kType == GramType::bf16) {
    return hn::PromoteTo(dd, load_floats<Float::bf16>(df, p));
  } else {
    static_assert(kType == GramType::f16);
    const auto value = widened_f16(df, p);
#if MLQ_HAS_F16C
    return hn::PromoteTo(dd, value);
#else
    // widened_f16 takes what is not finite for numbers from 2^16 on.
    const auto infinite = hn::BitCast(df, hn::Set(U32<decltype(df)>(), 0x7f800000u));
    return hn::PromoteTo(dd, hn::IfThenElse(hn::Lt(hn::Abs(value), hn::Set(df, 65536.0f)), value, infinite));
#endif
  }
}

// acc + a b, where the product is exact but for f64.
template <bool kExact>
HWY_INLINE VD added(VD acc, VD a, VD b) {
  if constexpr (kExact) return hn::MulAdd(a, b, acc);
  return hn::Add(acc, hn::Mul(a, b));
}

// How groups weigh in between_ss. Where all have n samples, a power of two, each operation of it is n (or n
// squared) times what it is for one sample a group, exactly: then n is left out and put back at the end. Not
// for f64, whose squares may leave the range.
struct Weights {
  const double* samples;
  double per_batch;
  double scale;  // n if it was left out, else 1
};

template <GramType kType>
HWY_INLINE Weights weights_of(const GramGroups& groups, bool& unit) {
  const double n = groups.samples[0];
  const auto equal = [&](double other) { return other == n; };
  const uint64_t bits = __builtin_bit_cast(uint64_t, n);
  const bool power_of_two = (bits & 0x000fffffffffffffu) == 0 && n >= 1 && n <= 0x1p53;
  unit = kType != GramType::f64 && power_of_two && groups.per_batch == 1 / (n * groups.count) &&
         std::all_of(groups.samples, groups.samples + groups.count, equal);
  if (!unit) return {groups.samples, groups.per_batch, 1};
  return {groups.samples, groups.per_batch * n, n};
}

// ---- Two groups

// The sums of one strip, lane by lane: M00, M10, M11, between_ss, kGramLanes each.
template <GramType kType, bool kUnit>
HWY_INLINE void pair_strip(const Weights& weights, const GramWord<kType>* a, const GramWord<kType>* b,
                           double* sums) {
  const DD dd;
  constexpr bool kExact = kType != GramType::f64;
  const auto n1 = hn::Set(dd, weights.samples[1]), per_batch = hn::Set(dd, weights.per_batch);
  const auto between = [&](VD x0, VD x1) HWY_ATTR {
    const auto y = hn::Sub(x1, x0);
    if constexpr (kUnit) return hn::Mul(y, y);  // twice the term: y y - (y y) / 2
    const auto p = hn::Mul(n1, hn::Mul(y, y)), r = hn::Mul(n1, y);
    return hn::Sub(p, hn::Mul(hn::Mul(r, r), per_batch));
  };
  for (unsigned lane = 0; lane < kGramLanes; lane += kStep) {
    auto m00 = hn::Zero(dd), m10 = m00, m11 = m00, ss = m00;
    auto m00b = m00, m10b = m00, m11b = m00, ssb = m00;
    for (uint64_t i = lane; i < kGramStrip; i += kGramLanes) {
      const auto x0 = load_doubles<kType>(a + i), x0b = load_doubles<kType>(a + i + kVector);
      const auto x1 = load_doubles<kType>(b + i), x1b = load_doubles<kType>(b + i + kVector);
      m00 = added<kExact>(m00, x0, x0);
      m00b = added<kExact>(m00b, x0b, x0b);
      m10 = added<kExact>(m10, x1, x0);
      m10b = added<kExact>(m10b, x1b, x0b);
      m11 = added<kExact>(m11, x1, x1);
      m11b = added<kExact>(m11b, x1b, x1b);
      ss = hn::Add(ss, between(x0, x1));
      ssb = hn::Add(ssb, between(x0b, x1b));
    }
    double* out = sums + lane;
    hn::StoreU(m00, dd, out);
    hn::StoreU(m00b, dd, out + kVector);
    hn::StoreU(m10, dd, out + kGramLanes);
    hn::StoreU(m10b, dd, out + kGramLanes + kVector);
    hn::StoreU(m11, dd, out + 2 * kGramLanes);
    hn::StoreU(m11b, dd, out + 2 * kGramLanes + kVector);
    hn::StoreU(ss, dd, out + 3 * kGramLanes);
    hn::StoreU(ssb, dd, out + 3 * kGramLanes + kVector);
  }
}

// ---- Any number of groups

template <GramType kType>
HWY_INLINE void widen(const GramWord<kType>* x, double* out) {
  const DD dd;
  if constexpr (size_of(kType) == 1) {
    for (unsigned i = 0; i < kPiece; ++i)
      out[i] = kType == GramType::e4m3 ? f32_from_e4m3(x[i]) : f32_from_e5m2(x[i]);
  } else {
    for (unsigned i = 0; i < kPiece; i += kVector) hn::Store(load_doubles<kType>(x + i), dd, out + i);
  }
}

// Adds the products of two rows and two columns; each sum is kGramLanes wide.
template <bool kExact>
HWY_INLINE void tile(const double* row0, const double* row1, const double* column0, const double* column1,
                     double* s00, double* s01, double* s10, double* s11) {
  const DD dd;
  for (unsigned lane = 0; lane < kGramLanes; lane += kStep) {
    auto a = hn::LoadU(dd, s00 + lane), ab = hn::LoadU(dd, s00 + lane + kVector);
    auto b = hn::LoadU(dd, s01 + lane), bb = hn::LoadU(dd, s01 + lane + kVector);
    auto c = hn::LoadU(dd, s10 + lane), cb = hn::LoadU(dd, s10 + lane + kVector);
    auto d = hn::LoadU(dd, s11 + lane), db = hn::LoadU(dd, s11 + lane + kVector);
    for (unsigned i = lane; i < kPiece; i += kGramLanes) {
      const auto r0 = hn::Load(dd, row0 + i), r0b = hn::Load(dd, row0 + i + kVector);
      const auto r1 = hn::Load(dd, row1 + i), r1b = hn::Load(dd, row1 + i + kVector);
      const auto c0 = hn::Load(dd, column0 + i), c0b = hn::Load(dd, column0 + i + kVector);
      const auto c1 = hn::Load(dd, column1 + i), c1b = hn::Load(dd, column1 + i + kVector);
      a = added<kExact>(a, r0, c0);
      ab = added<kExact>(ab, r0b, c0b);
      b = added<kExact>(b, r0, c1);
      bb = added<kExact>(bb, r0b, c1b);
      c = added<kExact>(c, r1, c0);
      cb = added<kExact>(cb, r1b, c0b);
      d = added<kExact>(d, r1, c1);
      db = added<kExact>(db, r1b, c1b);
    }
    hn::StoreU(a, dd, s00 + lane);
    hn::StoreU(ab, dd, s00 + lane + kVector);
    hn::StoreU(b, dd, s01 + lane);
    hn::StoreU(bb, dd, s01 + lane + kVector);
    hn::StoreU(c, dd, s10 + lane);
    hn::StoreU(cb, dd, s10 + lane + kVector);
    hn::StoreU(d, dd, s11 + lane);
    hn::StoreU(db, dd, s11 + lane + kVector);
  }
}

// Adds all products of a piece; `x` has the groups one after another.
template <bool kExact>
HWY_INLINE void add_products(unsigned count, const double* x, double* sums) {
  alignas(64) double dropped[kGramLanes] = {};  // of pairs above the diagonal and of rows that are not there
  for (unsigned i = 0; i < count; i += 2) {
    const bool last = i + 1 == count;
    const double *row0 = x + i * kPiece, *row1 = last ? row0 : row0 + kPiece;
    double* out0 = sums + gram_products(i) * kGramLanes;
    double* out1 = sums + gram_products(i + 1) * kGramLanes;
    for (unsigned j = 0; j <= i; j += 2) {
      const bool diagonal = j == i;
      const double *column0 = x + j * kPiece, *column1 = diagonal ? row1 : column0 + kPiece;
      tile<kExact>(row0, row1, column0, column1, out0 + j * kGramLanes,
                   diagonal ? dropped : out0 + (j + 1) * kGramLanes, last ? dropped : out1 + j * kGramLanes,
                   last ? dropped : out1 + (j + 1) * kGramLanes);
    }
  }
}

template <bool kUnit>
HWY_INLINE VD weighed(VD n, VD x) {
  if constexpr (kUnit) return x;
  return hn::Mul(n, x);
}

template <bool kUnit>
HWY_INLINE void add_between(const Weights& weights, unsigned count, const double* x, double* sums) {
  const DD dd;
  const auto per_batch = hn::Set(dd, weights.per_batch);
  for (unsigned lane = 0; lane < kGramLanes; lane += kStep) {
    auto ss = hn::LoadU(dd, sums + lane), ssb = hn::LoadU(dd, sums + lane + kVector);
    for (unsigned at = lane; at < kPiece; at += kGramLanes) {
      const auto x0 = hn::Load(dd, x + at), x0b = hn::Load(dd, x + at + kVector);
      auto p = hn::Zero(dd), pb = p, r = p, rb = p;
      for (unsigned i = 1; i < count; ++i) {
        const auto n = hn::Set(dd, weights.samples[i]);
        const double* xi = x + i * kPiece + at;
        const auto y = hn::Sub(hn::Load(dd, xi), x0), yb = hn::Sub(hn::Load(dd, xi + kVector), x0b);
        p = hn::Add(p, weighed<kUnit>(n, hn::Mul(y, y)));
        pb = hn::Add(pb, weighed<kUnit>(n, hn::Mul(yb, yb)));
        r = hn::Add(r, weighed<kUnit>(n, y));
        rb = hn::Add(rb, weighed<kUnit>(n, yb));
      }
      ss = hn::Add(ss, hn::Sub(p, hn::Mul(hn::Mul(r, r), per_batch)));
      ssb = hn::Add(ssb, hn::Sub(pb, hn::Mul(hn::Mul(rb, rb), per_batch)));
    }
    hn::StoreU(ss, dd, sums + lane);
    hn::StoreU(ssb, dd, sums + lane + kVector);
  }
}

template <GramType kType, bool kUnit>
HWY_INLINE void strip(const Weights& weights, unsigned count, const GramWord<kType>* const* x, double* sums) {
  if constexpr (size_of(kType) > 1) {
    if (count == 2) return pair_strip<kType, kUnit>(weights, x[0], x[1], sums);
  }
  std::fill_n(sums, gram_sums(count) * kGramLanes, 0.0);
  alignas(64) double pieces[kMostGramGroups * kPiece];
  for (uint64_t at = 0; at < kGramStrip; at += kPiece) {
    for (unsigned i = 0; i < count; ++i) widen<kType>(x[i] + at, pieces + i * kPiece);
    add_products<kType != GramType::f64>(count, pieces, sums);
    add_between<kUnit>(weights, count, pieces, sums + gram_products(count) * kGramLanes);
  }
}

// ---- Blocks

HWY_INLINE void add_to(const double* from, double* to, unsigned n) {
  const DD dd;
  for (unsigned i = 0; i < n; i += kVector)
    hn::StoreU(hn::Add(hn::LoadU(dd, from + i), hn::LoadU(dd, to + i)), dd, to + i);
}

template <GramType kType, bool kUnit>
void block(const Weights& weights, const GramGroups& groups, uint64_t first, uint64_t size, double* sums) {
  using W = GramWord<kType>;
  const unsigned width = gram_sums(groups.count) * kGramLanes;
  alignas(64) double waiting[7][kMostSums * kGramLanes], current[kMostSums * kGramLanes];
  const W* x[kMostGramGroups];
  for (unsigned i = 0; i < groups.count; ++i) x[i] = static_cast<const W*>(groups.data[i]) + first;
  // The sums of 2^level strips that wait for those of their neighbours.
  unsigned strips = 0;
  const auto push = [&](const W* const* data) HWY_ATTR {
    strip<kType, kUnit>(weights, groups.count, data, current);
    unsigned level = 0;
    for (; strips >> level & 1u; ++level) add_to(waiting[level], current, width);
    std::copy_n(current, width, waiting[level]);
    ++strips;
  };
  for (; size >= kGramStrip; size -= kGramStrip) {
    push(x);
    for (unsigned i = 0; i < groups.count; ++i) x[i] += kGramStrip;
  }
  if (size > 0) {
    W padded[kMostGramGroups][kGramStrip];
    for (unsigned i = 0; i < groups.count; ++i) {
      std::memset(padded[i], 0, sizeof padded[i]);
      std::memcpy(padded[i], x[i], size * sizeof(W));
      x[i] = padded[i];
    }
    push(x);
  }
  // Strips that are not there would add +0.
  std::fill_n(current, width, 0.0);
  for (unsigned level = 0; level < 7; ++level)
    if (strips >> level & 1u) add_to(waiting[level], current, width);
  for (unsigned i = 0; i < gram_sums(groups.count); ++i)
    sums[i] = with_plain_nan(
        folded_neighbours<kGramLanes>([&](unsigned lane) { return current[i * kGramLanes + lane]; }));
}

template <GramType kType>
void blocks(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) {
  bool unit = false;
  Weights weights = weights_of<kType>(groups, unit);
  if (unit && groups.count == 2 && size_of(kType) > 1) weights.scale /= 2;
  for (uint64_t first = 0; first < elems; first += kGramBlock) {
    const uint64_t size = std::min(kGramBlock, elems - first);
    (unit ? block<kType, true> : block<kType, false>)(weights, groups, first, size, sums);
    sums[gram_products(groups.count)] *= weights.scale;
    note_nonfinite(groups, first, size, sums, nonfinite);
    sums += gram_sums(groups.count);
  }
}

void GramBlocks(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) {
  switch (groups.type) {
    case GramType::f32:
      return blocks<GramType::f32>(groups, elems, sums, nonfinite);
    case GramType::f16:
      return blocks<GramType::f16>(groups, elems, sums, nonfinite);
    case GramType::bf16:
      return blocks<GramType::bf16>(groups, elems, sums, nonfinite);
    case GramType::f64:
      return blocks<GramType::f64>(groups, elems, sums, nonfinite);
    case GramType::e4m3:
      return blocks<GramType::e4m3>(groups, elems, sums, nonfinite);
    case GramType::e5m2:
      return blocks<GramType::e5m2>(groups, elems, sums, nonfinite);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(GramBlocks);

void gram_blocks_simd(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) {
  HWY_DYNAMIC_DISPATCH(GramBlocks)(groups, elems, sums, nonfinite);
}

}  // namespace mlq::kernels
#endif
