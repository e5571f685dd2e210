// Every block format gives the CPU twin's bytes on the device: layouts, types, inputs, and arrays that begin
// where 16-byte accesses may not.
#include <functional>
#include <ostream>

#include "kernels/block_int.h"
#include "kernels/float8.h"
#include "kernels/lut4_math.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "kernels/qwz.h"
#include "tests/kernels/device/device_memory.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

struct Encoded {
  Bytes codes, scales;
  EncodeCounts counts;
};
struct Decoded {
  Bytes out;
  uint64_t saturated = 0;
};

// A format: the twin's functions and the device's, of the same arguments but for the stream.
struct Format {
  using Encode = std::function<void(const BlockLayout&, Float, const void* x, uint8_t* codes, void* scales,
                                    EncodeCounts*)>;
  using Decode = std::function<void(const BlockLayout&, const uint8_t* codes, const void* scales, Float,
                                    void* out, uint64_t* saturated)>;
  std::string name;
  unsigned bits;
  size_t scale_width;  // bytes
  std::vector<BlockLayout> layouts;
  Encode encode_cpu, encode_cuda;
  Decode decode_cpu, decode_cuda;
};
void PrintTo(const Format& format, std::ostream* out) { *out << format.name; }

// Flat: whole blocks and a tail, for each block length that has a kernel of its own. Then rows: short and
// long, tails, odd columns, blocks longer than their row, and blocks for a whole CTA.
const std::vector<BlockLayout> kLayouts = {{1, 32 * 333 + 31, 32},
                                           {1, 64 * 165 + 13, 64},
                                           {1, 128 * 83 + 77, 128},
                                           {1, 256 * 41 + 250, 256},
                                           {3, 64 * 40, 64},
                                           {1, 4096, 64},
                                           {3, 200, 32},
                                           {5, 72, 16},
                                           {1, 1, 64},
                                           {7, 33, 64},
                                           {2, 4096 + 40, 2048},
                                           {2, 1024, 128},
                                           {1, 3 * 1024 + 40, 1024},
                                           {3, 2 * 512, 512}};
const std::vector<BlockLayout> kLongBlocks = {{4, 1000, 1000}, {1, 9001, 9001}, {2, 8192 + 8, 4096}};
// The search for a scale takes its time.
const std::vector<BlockLayout> kSearchLayouts = {
    {1, 32 * 33 + 31, 32}, {1, 64 * 16 + 13, 64}, {5, 72, 16}, {1, 1, 64}, {3, 33, 64}, {2, 2048 + 40, 2048}};

std::vector<BlockLayout> fixed_layouts(uint64_t block) {
  return {{1, block * 700 + 5, block}, {5, block * 3, block}, {3, block * 2 + 7, block}, {1, 1, block}};
}
std::vector<BlockLayout> joined(std::vector<BlockLayout> a, const std::vector<BlockLayout>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Binds `spec` in front of the functions of its format.
template <class Spec, class EncodeCpu, class EncodeCuda, class DecodeCpu, class DecodeCuda>
Format format(const std::string& name, unsigned bits, size_t scale_width, std::vector<BlockLayout> layouts,
              const Spec& spec, EncodeCpu encode_cpu, EncodeCuda encode_cuda, DecodeCpu decode_cpu,
              DecodeCuda decode_cuda) {
  Format out{name, bits, scale_width, std::move(layouts), {}, {}, {}, {}};
  out.encode_cpu = [=](const BlockLayout& l, Float f, const void* x, uint8_t* c, void* s, EncodeCounts* n) {
    encode_cpu(spec, l, f, x, c, static_cast<uint8_t*>(s), n);
  };
  out.encode_cuda = [=](const BlockLayout& l, Float f, const void* x, uint8_t* c, void* s, EncodeCounts* n) {
    encode_cuda(spec, l, f, x, c, static_cast<uint8_t*>(s), n, nullptr);
  };
  out.decode_cpu = [=](const BlockLayout& l, const uint8_t* c, const void* s, Float f, void* o, uint64_t* n) {
    decode_cpu(spec, l, c, static_cast<const uint8_t*>(s), f, o, n);
  };
  out.decode_cuda = [=](const BlockLayout& l, const uint8_t* c, const void* s, Float f, void* o,
                        uint64_t* n) {
    decode_cuda(spec, l, c, static_cast<const uint8_t*>(s), f, o, n, nullptr);
  };
  return out;
}

Format block_int_format(const BlockIntSpec& spec) {
  constexpr const char* kGrids[] = {"absmax", "sign", "mse"};
  const std::string name = "int" + std::to_string(spec.bits) + "_" + kGrids[static_cast<int>(spec.grid)] +
                           "_" + name_of(spec.scale) + (spec.positive_scales ? "_positive" : "");
  return format(name, spec.bits, size_of(spec.scale),
                spec.grid == Grid::mse ? kSearchLayouts : joined(kLayouts, kLongBlocks), spec,
                block_int_encode_cpu, block_int_encode_cuda, block_int_decode_cpu, block_int_decode_cuda);
}

Format qwz_format(const BlockIntSpec& spec) {
  return format("int" + std::to_string(spec.bits) + "_qwz", spec.bits, size_of(spec.scale),
                joined(kLayouts, kLongBlocks), spec, qwz_encode_cpu, qwz_encode_cuda, block_int_decode_cpu,
                block_int_decode_cuda);
}

Format block_int_scaled_format(const BlockIntSpec& spec) {
  Format out = block_int_format(spec);
  out.name += "_scaled";
  out.layouts = {{1, 5001, 5001}, {1, 8192, 8192}, {1, 5, 5}};
  constexpr float kScale = 0.017f;
  out.encode_cpu = [=](const BlockLayout& l, Float f, const void* x, uint8_t* c, void* s, EncodeCounts* n) {
    std::memcpy(s, &kScale, sizeof kScale);
    block_int_encode_scaled_cpu(spec, l, f, x, kScale, c, n);
  };
  out.encode_cuda = [=](const BlockLayout& l, Float f, const void* x, uint8_t* c, void* s, EncodeCounts* n) {
    check(cudaMemcpy(s, &kScale, sizeof kScale, cudaMemcpyHostToDevice), "cudaMemcpy");
    block_int_encode_scaled_cuda(spec, l, f, x, kScale, c, n, nullptr);
  };
  return out;
}

Format lut4_format(const Lut4Spec& spec) {
  const std::string name = std::string(spec.table == Table4::nf4 ? "nf4_" : "fp4_") + name_of(spec.scale) +
                           (spec.order == NibbleOrder::low_first ? "" : "_high_first");
  return format(name, 4, size_of(spec.scale), joined(kLayouts, kLongBlocks), spec, lut4_encode_cpu,
                lut4_encode_cuda, lut4_decode_cpu, lut4_decode_cuda);
}

Format float8_format(const Float8Spec& spec) {
  const bool e4m3 = spec.type == Float8::e4m3;
  return format(std::string(e4m3 ? "e4m3_" : "e5m2_") + name_of(spec.scale), 8,
                e4m3 ? size_of(spec.scale) : 0, joined(kLayouts, kLongBlocks), spec, float8_encode_cpu,
                float8_encode_cuda, float8_decode_cpu, float8_decode_cuda);
}

Format float8_scaled_format(float scale) {
  Format out = float8_format({});
  out.name = scale == 0 ? "e4m3_scaled_by_zero" : "e4m3_scaled";
  out.layouts = {{1, 5001, 5001}, {1, 5, 5}};
  out.encode_cpu = [=](const BlockLayout& l, Float f, const void* x, uint8_t* c, void* s, EncodeCounts* n) {
    std::memcpy(s, &scale, sizeof scale);
    float8_encode_scaled_cpu(l.elems(), f, x, scale, c, n);
  };
  out.encode_cuda = [=](const BlockLayout& l, Float f, const void* x, uint8_t* c, void* s, EncodeCounts* n) {
    check(cudaMemcpy(s, &scale, sizeof scale, cudaMemcpyHostToDevice), "cudaMemcpy");
    float8_encode_scaled_cuda(l.elems(), f, x, scale, c, n, nullptr);
  };
  return out;
}

Format mx_format(const MxSpec& spec) {
  constexpr const char* kRules[] = {"floor", "even", "best"};
  const unsigned bits = spec.element == MxElement::e4m3 ? 8 : 4;
  return format((bits == 8 ? "mxfp8_" : "mxfp4_") + std::string(kRules[static_cast<int>(spec.scale)]), bits,
                1, fixed_layouts(kMxBlock), spec, mx_encode_cpu, mx_encode_cuda, mx_decode_cpu,
                mx_decode_cuda);
}

Format nvfp4_format(const char* name, const Nvfp4Spec& spec) {
  return format(name, 4, 1, fixed_layouts(kNvfp4Block), spec, nvfp4_encode_cpu, nvfp4_encode_cuda,
                nvfp4_decode_cpu, nvfp4_decode_cuda);
}

std::vector<Format> formats() {
  std::vector<Format> out;
  for (const unsigned bits : {8u, 4u, 3u, 2u}) {
    for (const Grid grid : {Grid::absmax, Grid::sign}) {
      for (const Float scale : kFloats) out.push_back(block_int_format({bits, grid, scale, false}));
    }
    out.push_back(block_int_format({bits, Grid::sign, Float::bf16, true}));
    out.push_back(block_int_format({bits, Grid::mse, Float::bf16, bits == 3}));
    out.push_back(block_int_scaled_format({bits, Grid::sign, Float::f32, false}));
  }
  out.push_back(block_int_format({4, Grid::mse, Float::f16, false}));
  for (const unsigned bits : {8u, 3u}) out.push_back(qwz_format({bits, Grid::sign, Float::bf16, false}));
  for (const Table4 table : {Table4::nf4, Table4::fp4}) {
    for (const Float scale : kFloats) out.push_back(lut4_format({table, scale, NibbleOrder::low_first}));
    out.push_back(lut4_format({table, Float::f32, NibbleOrder::high_first}));
  }
  for (const Float scale : kFloats) out.push_back(float8_format({Float8::e4m3, scale}));
  out.push_back(float8_format({Float8::e5m2, Float::f32}));
  out.push_back(float8_scaled_format(0.01f));
  out.push_back(float8_scaled_format(0.0f));
  for (const MxElement element : {MxElement::e4m3, MxElement::e2m1}) {
    for (const MxScale scale : {MxScale::floor, MxScale::even, MxScale::best})
      out.push_back(mx_format({element, scale}));
  }
  out.push_back(nvfp4_format("nvfp4", {448 * 6 / 4.0f, false, false}));
  out.push_back(nvfp4_format("nvfp4_eighth", {448 * 6 / 4.0f, false, true}));
  out.push_back(nvfp4_format("nvfp4_four_or_six", {256 * 6 / 4.0f, true, false}));
  out.push_back(nvfp4_format("nvfp4_four_or_six_g1", {1, true, false}));
  return out;
}

class BlocksByTable : public DeviceTest {};

class BlocksOnTheDevice : public DeviceTest, public testing::WithParamInterface<Format> {};
INSTANTIATE_TEST_SUITE_P(Formats, BlocksOnTheDevice, testing::ValuesIn(formats()),
                         [](const auto& format) { return format.param.name; });

Encoded twin_encoded(const Format& format, const BlockLayout& layout, const Array& x) {
  Encoded out{Bytes(layout.code_bytes(format.bits)), Bytes(layout.blocks() * format.scale_width), {}};
  out.scales.reserve(8);  // never null
  format.encode_cpu(layout, x.type(), x.data(), out.codes.data(), out.scales.data(), &out.counts);
  return out;
}
Decoded twin_decoded(const Format& format, const BlockLayout& layout, const Encoded& e, Float target) {
  Decoded out{Bytes(layout.elems() * size_of(target))};
  format.decode_cpu(layout, e.codes.data(), e.scales.data(), target, out.out.data(), &out.saturated);
  return out;
}

// `shifted`: arrays begin an element after an aligned address, codes a byte.
void compare_encoded(const Format& format, const BlockLayout& layout, const Array& x, const Encoded& expected,
                     bool shifted) {
  const DeviceBytes from(x.data(), x.bytes(), shifted ? size_of(x.type()) : 0);
  const DeviceBytes codes(expected.codes.size(), shifted ? 1 : 0);
  const DeviceBytes scales(expected.scales.size(), shifted ? format.scale_width : 0);
  const EncodeCounts none;
  const DeviceBytes counts(&none, sizeof none);
  format.encode_cuda(layout, x.type(), from.data(), codes.as<uint8_t>(), scales.data(),
                     counts.as<EncodeCounts>());
  finish();
  ASSERT_EQ(difference("codes", codes.to_host(), expected.codes), "");
  ASSERT_EQ(difference("scales", scales.to_host(), expected.scales), "");
  const auto met = counts.value<EncodeCounts>();
  ASSERT_EQ(met.nonfinite, expected.counts.nonfinite);
  ASSERT_EQ(met.flushed_blocks, expected.counts.flushed_blocks);
  ASSERT_EQ(met.scale_overflow, expected.counts.scale_overflow);
}

void compare_decoded(const Format& format, const BlockLayout& layout, const Encoded& e, Float target,
                     bool shifted) {
  SCOPED_TRACE(std::string("decoded to ") + name_of(target));
  const Decoded expected = twin_decoded(format, layout, e, target);
  const DeviceBytes codes(e.codes.data(), e.codes.size(), shifted ? 1 : 0);
  const DeviceBytes scales(e.scales.data(), e.scales.size(), shifted ? format.scale_width : 0);
  const DeviceBytes out(expected.out.size(), shifted ? size_of(target) : 0);
  const uint64_t none = 0;
  const DeviceBytes saturated(&none, sizeof none);
  format.decode_cuda(layout, codes.as<uint8_t>(), scales.data(), target, out.data(),
                     saturated.as<uint64_t>());
  finish();
  ASSERT_EQ(difference("values", out.to_host(), expected.out), "");
  ASSERT_EQ(saturated.value<uint64_t>(), expected.saturated);
}

TEST_P(BlocksOnTheDevice, HaveTheBytesOfTheTwin) {
  const Format& format = GetParam();
  for (const BlockLayout& layout : format.layouts) {
    for (const Float source : kFloats) {
      for (const Input input : kInputs) {
        SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(source) + ", " +
                     std::to_string(layout.rows) + " x " + std::to_string(layout.cols) + " in blocks of " +
                     std::to_string(layout.block));
        const Array x = make_input(input, source, layout.elems());
        const Encoded expected = twin_encoded(format, layout, x);
        compare_encoded(format, layout, x, expected, false);
        if (input == Input::nonfinite) compare_encoded(format, layout, x, expected, true);
        for (const Float target : kFloats) {
          // What decoders meet depends on the source through the scales alone.
          if (target != source && input != Input::huge) continue;
          compare_decoded(format, layout, expected, target, false);
          if (input == Input::normal) compare_decoded(format, layout, expected, target, true);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Values at, and some bits beside, every step of a table and every border between the bins that the device
// looks up; then many between. The blocks' scale is 1.
TEST_F(BlocksByTable, ChangeTheirCodesWhereTheTwinDoes) {
  std::vector<float> values;
  const auto around = [&](float x) {
    for (int by = -4; by <= 4; ++by) {
      const float v = f32_from_bits(bits_of(x) + static_cast<uint32_t>(by));
      if (v > -1 && v < 1) values.insert(values.end(), {v, -v});
    }
  };
  for (const float x : kNf4Midpoints.at) around(x);
  for (const float x : kFp4Steps.above) around(x);
  for (int i = 0; i < 64; ++i) around((static_cast<float>(i) + 0.5f) / 28);
  for (int i = -20'000; i <= 20'000; ++i) values.push_back(static_cast<float>(i) / 20'001);
  Array x(Float::f32, (values.size() + 62) / 63 * 64);
  for (uint64_t i = 0, next = 0; i < x.elems(); ++i)
    x.set(i, i % 64 == 0 ? 1.0f : next < values.size() ? values[next++] : 0.0f);
  for (const Table4 table : {Table4::nf4, Table4::fp4}) {
    const Format format = lut4_format({table, Float::f32, NibbleOrder::low_first});
    SCOPED_TRACE(format.name);
    const BlockLayout layout{1, x.elems(), 64};
    compare_encoded(format, layout, x, twin_encoded(format, layout, x), false);
  }
}

}  // namespace
}  // namespace mlq::kernels::test
