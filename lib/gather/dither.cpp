#include "lib/gather/dither.h"

#include "kernels/block_int_math.h"
#include "kernels/block_walk.h"
#include "lib/base/random.h"

namespace mlq::gather {

using namespace kernels;

namespace {

// The offsets of consecutive elements: four to a block of random words.
class Offsets {
 public:
  Offsets(const DitherKey& key, uint64_t first)
      : stream_(key.seed, Purpose::dither),
        tensor_(key.tensor),
        period_(static_cast<uint32_t>(key.step / key.strata)),
        shift_(static_cast<float>(key.step % key.strata) / static_cast<float>(key.strata)),
        next_(first) {
    if (next_ % 4 != 0) draw();
  }
  float next() {
    if (next_ % 4 == 0) draw();
    const float u = static_cast<float>(words_[next_++ % 4] >> 8) * 0x1p-24f + shift_;
    return (u >= 1 ? u - 1 : u) - 0.5f;
  }

 private:
  void draw() {
    const PhiloxCounter w = stream_.bits(next_ / 4, period_, tensor_);
    words_[0] = w.c0, words_[1] = w.c1, words_[2] = w.c2, words_[3] = w.c3;
  }

  RandomStream stream_;
  uint32_t tensor_, period_;
  float shift_;
  uint64_t next_;
  uint32_t words_[4] = {};
};

int code_at(const BlockIntSpec& spec, const uint8_t* row_codes, uint64_t i) {
  if (spec.bits == 8) return static_cast<int8_t>(row_codes[i]);
  return static_cast<int>(get_code(row_codes, i, spec.bits)) - (1 << (spec.bits - 1));
}

}  // namespace

float dither_offset(const DitherKey& key, uint64_t element) { return Offsets(key, element).next(); }

void dither_encode(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key, uint64_t first,
                   Float source, const void* x, uint8_t* codes, void* scales, EncodeCounts* counts) {
  std::memset(codes, 0, layout.code_bytes(spec.bits));
  const CodeRange range = code_range(spec);
  Offsets offsets(key, first);
  for_each_block(layout, [&](const BlockSpan& block) {
    const BlockScale scale = block_int_scale_of(spec, block_extreme(source, x, block, counts));
    count_scale(scale, counts);
    store(spec.scale, scales, block.index, scale.value);
    const float inverse = inverse_of(scale.value);
    uint8_t* row_codes = codes + block.row * layout.row_bytes(spec.bits);
    for (uint64_t i = 0; i < block.size; ++i) {
      const float v = finite_or_zero(load(source, x, block.first + i)) * inverse + offsets.next();
      const int code = static_cast<int>(round_half_even(v < range.low    ? range.low
                                                        : v > range.high ? range.high
                                                                         : v));
      if (spec.bits == 8) {
        row_codes[block.col + i] = static_cast<uint8_t>(code);
      } else {
        put_code(row_codes, block.col + i, spec.bits, static_cast<unsigned>(code + (1 << (spec.bits - 1))));
      }
    }
  });
}

void dither_decode(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key, uint64_t first,
                   const uint8_t* codes, const void* scales, Float target, void* out, uint64_t* saturated) {
  Offsets offsets(key, first);
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = load(spec.scale, scales, block.index);
    const uint8_t* row_codes = codes + block.row * layout.row_bytes(spec.bits);
    for (uint64_t i = 0; i < block.size; ++i) {
      const float code = static_cast<float>(code_at(spec, row_codes, block.col + i));
      *saturated += store_decoded(target, out, block.first + i, (code - offsets.next()) * scale);
    }
  });
}

}  // namespace mlq::gather
