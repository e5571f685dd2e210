#include "kernels/block_walk.h"
#include "kernels/dither_math.h"

namespace mlq::kernels {
namespace {

// The offsets of consecutive elements.
class Offsets {
 public:
  Offsets(const DitherKey& key, uint64_t first) : key_(key), next_(first) {
    if (next_ % kDitherGroup != 0) draw();
  }
  float next() {
    if (next_ % kDitherGroup == 0) draw();
    return dither_offset_of(words_[next_++ % kDitherGroup], key_.shift);
  }

 private:
  void draw() {
    const PhiloxCounter w = dither_words(key_, next_ / kDitherGroup);
    words_[0] = w.c0, words_[1] = w.c1, words_[2] = w.c2, words_[3] = w.c3;
  }

  const DitherKey key_;
  uint64_t next_;
  uint32_t words_[kDitherGroup] = {};
};

int code_at(const BlockIntSpec& spec, const uint8_t* row_codes, uint64_t i) {
  if (spec.bits == 8) return static_cast<int8_t>(row_codes[i]);
  return static_cast<int>(get_code(row_codes, i, spec.bits)) - (1 << (spec.bits - 1));
}

}  // namespace

float dither_offset(const DitherKey& key, uint64_t element) { return Offsets(key, element).next(); }

void dither_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                       uint64_t first, Float source, const void* x, uint8_t* codes, void* scales,
                       EncodeCounts* counts) {
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
      const float v = dithered(finite_or_zero(load(source, x, block.first + i)), inverse, offsets.next());
      const int code = static_cast<int>(quantized(v, 1, range.low, range.high));
      if (spec.bits == 8) {
        row_codes[block.col + i] = static_cast<uint8_t>(code);
      } else {
        put_code(row_codes, block.col + i, spec.bits, static_cast<unsigned>(code + (1 << (spec.bits - 1))));
      }
    }
  });
}

void dither_decode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                       uint64_t first, const uint8_t* codes, const void* scales, Float target, void* out,
                       uint64_t* saturated) {
  Offsets offsets(key, first);
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = load(spec.scale, scales, block.index);
    const uint8_t* row_codes = codes + block.row * layout.row_bytes(spec.bits);
    for (uint64_t i = 0; i < block.size; ++i) {
      const auto code = static_cast<float>(code_at(spec, row_codes, block.col + i));
      *saturated += store_decoded(target, out, block.first + i, undithered(code, offsets.next(), scale));
    }
  });
}

}  // namespace mlq::kernels
