// Dithered block integers on the device: the twin's codes, scales, counts and values, wherever in its tensor
// an array begins.
#include "kernels/dither.h"
#include "tests/kernels/device/device_memory.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

class DitherOnTheDevice : public DeviceTest {};

// With an element whose sum is 1, which is taken for 0.
DitherKey key_for(uint64_t first, uint64_t elems) {
  DitherKey key = {{0x243f6a88u, 0x85a308d3u}, 5, 7, 0};
  key.shift = 0.5f - dither_offset(key, first + elems / 2);
  return key;
}
// Whole draws, and all that may be left of one; beyond 32 bits of draws.
constexpr uint64_t kFirsts[] = {0, 1, 2, 3, (uint64_t{1} << 34) + 6};

// Flat with a tail, for each way that a block is worked on: by some lanes, by a warp, by a CTA. Then rows.
const std::vector<BlockLayout> kLayouts = {{1, 16 * 37 + 5, 16},  {1, 32 * 40 + 31, 32},
                                           {1, 64 * 37 + 13, 64}, {1, 128 * 17 + 3, 128},
                                           {1, 512 * 2 + 9, 512}, {1, 8192 + 1001, 8192},
                                           {1, 16384, 16384},     {3, 200, 32},
                                           {7, 33, 64},           {1, 1, 64}};

struct Coded {
  Bytes codes, scales;
  EncodeCounts counts;
};

struct Case {
  BlockIntSpec spec;
  BlockLayout layout;
  uint64_t first;
  bool shifted;  // every array begins an element after an aligned address
  DitherKey key = key_for(first, layout.elems());
};

Coded compare_encoded(const Case& c, const Array& x) {
  Coded twin{Bytes(c.layout.code_bytes(c.spec.bits)), Bytes(c.layout.blocks() * size_of(c.spec.scale)), {}};
  dither_encode_cpu(c.spec, c.layout, c.key, c.first, x.type(), x.data(), twin.codes.data(),
                    twin.scales.data(), &twin.counts);
  const DeviceBytes from(x.data(), x.bytes(), c.shifted ? size_of(x.type()) : 0);
  const DeviceBytes codes(twin.codes.size(), c.shifted ? 1 : 0);
  const DeviceBytes scales(twin.scales.size(), c.shifted ? size_of(c.spec.scale) : 0);
  const EncodeCounts none;
  const DeviceBytes counts(&none, sizeof none);
  dither_encode_cuda(c.spec, c.layout, c.key, c.first, x.type(), from.data(), codes.as<uint8_t>(),
                     scales.data(), counts.as<EncodeCounts>(), nullptr);
  finish();
  EXPECT_EQ(difference("codes", codes.to_host(), twin.codes), "");
  EXPECT_EQ(difference("scales", scales.to_host(), twin.scales), "");
  const auto met = counts.value<EncodeCounts>();
  EXPECT_EQ(met.nonfinite, twin.counts.nonfinite);
  EXPECT_EQ(met.flushed_blocks, twin.counts.flushed_blocks);
  EXPECT_EQ(met.scale_overflow, twin.counts.scale_overflow);
  return twin;
}

void compare_decoded(const Case& c, const Coded& coded, Float target) {
  Bytes twin(c.layout.elems() * size_of(target));
  uint64_t twin_saturated = 0;
  dither_decode_cpu(c.spec, c.layout, c.key, c.first, coded.codes.data(), coded.scales.data(), target,
                    twin.data(), &twin_saturated);
  const DeviceBytes codes(coded.codes.data(), coded.codes.size(), c.shifted ? 1 : 0);
  const DeviceBytes scales(coded.scales.data(), coded.scales.size(), c.shifted ? size_of(c.spec.scale) : 0);
  const DeviceBytes out(twin.size(), c.shifted ? size_of(target) : 0);
  const uint64_t none = 0;
  const DeviceBytes saturated(&none, sizeof none);
  dither_decode_cuda(c.spec, c.layout, c.key, c.first, codes.as<uint8_t>(), scales.data(), target, out.data(),
                     saturated.as<uint64_t>(), nullptr);
  finish();
  EXPECT_EQ(difference("values", out.to_host(), twin), "");
  EXPECT_EQ(saturated.value<uint64_t>(), twin_saturated);
}

void compare(const Case& c, Input input, Float type) {
  SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(type) + ", " + std::to_string(c.spec.bits) +
               " bits, " + std::to_string(c.layout.rows) + " x " + std::to_string(c.layout.cols) +
               " in blocks of " + std::to_string(c.layout.block) + " from " + std::to_string(c.first) +
               (c.shifted ? ", shifted" : ""));
  const Coded coded = compare_encoded(c, make_input(input, type, c.layout.elems()));
  compare_decoded(c, coded, type);
}

TEST_F(DitherOnTheDevice, HasTheBytesOfTheTwin) {
  size_t n = 0;
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const Grid grid : {Grid::absmax, Grid::sign})
      for (const BlockLayout& layout : kLayouts)
        for (const Float type : kFloats)
          for (const Input input :
               {Input::normal, Input::zero, Input::nonfinite, Input::subnormal, Input::huge, Input::spread}) {
            const uint64_t first = kFirsts[n++ % std::size(kFirsts)];
            compare({{bits, grid, Float::bf16}, layout, first, n % 7 == 0}, input, type);
            if (HasFailure()) return;
          }
}

TEST_F(DitherOnTheDevice, HasScalesOfAnyType) {
  for (const Float scale : kFloats)
    for (const Input input : {Input::normal, Input::huge, Input::tiny_blocks})
      for (const uint64_t first : kFirsts)
        compare({{4, Grid::sign, scale}, {1, 64 * 37 + 13, 64}, first, false}, input, Float::f32);
}

}  // namespace
}  // namespace mlq::kernels::test
