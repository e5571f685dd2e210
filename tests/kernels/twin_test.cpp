// Every SIMD version gives the bytes of its CPU twin: all formats, layouts, types and kinds of input.
#include <cinttypes>
#include <functional>
#include <ostream>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/ec.h"
#include "kernels/float8.h"
#include "kernels/lut4.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "kernels/qwz.h"
#include "kernels/sums.h"
#include "tests/kernels/inputs.h"
#include "tests/kernels/simd_targets.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

// What an operation wrote; bytes around it must stay as they were.
constexpr size_t kGuard = 64;
constexpr uint8_t kUntouched = 0xa5;

struct Encoded {
  Bytes codes, scales;
  EncodeCounts counts;
};
struct Decoded {
  Bytes out;
  uint64_t saturated = 0;
};

bool same(const EncodeCounts& a, const EncodeCounts& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

std::string difference(const char* what, const Bytes& a, const Bytes& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i])
      return std::string(what) + " differ first at byte " + std::to_string(i) + " of " +
             std::to_string(a.size() - kGuard) + ": " + std::to_string(a[i]) + ", not " +
             std::to_string(b[i]);
  return {};
}

// One format, as the test sees it.
struct Operation {
  std::string name;
  std::vector<BlockLayout> layouts;
  std::function<size_t(const BlockLayout&)> code_bytes, scale_bytes;
  std::function<void(bool simd, const BlockLayout&, const Array& x, Encoded&)> encode;
  std::function<void(bool simd, const BlockLayout&, const Encoded&, Float target, Decoded&)> decode;
};
void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

// Short and long rows, tails, odd columns, a block longer than its row.
const std::vector<BlockLayout> kLayouts = {
    {1, 64 * 37 + 13, 64}, {3, 200, 32},   {5, 72, 16},    {1, 1, 64},   {7, 33, 64},
    {2, 4096 + 40, 2048},  {1, 1300, 256}, {2, 1024, 128}, {1, 2049, 64}};
const std::vector<BlockLayout> kRowLayouts = {{4, 1000, 1000}, {1, 3001, 3001}};

std::vector<BlockLayout> fixed_layouts(uint64_t block) {
  return {{1, block * 70 + 5, block}, {5, block * 3, block}, {3, block * 2 + 7, block}, {1, 1, block}};
}

std::vector<BlockLayout> joined(std::vector<BlockLayout> a, const std::vector<BlockLayout>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Operation block_int_operation(const BlockIntSpec& spec) {
  constexpr const char* kGrids[] = {"absmax", "sign", "mse"};
  Operation op;
  op.name = "int" + std::to_string(spec.bits) + "_" + kGrids[static_cast<int>(spec.grid)] + "_" +
            name_of(spec.scale) + (spec.positive_scales ? "_positive" : "");
  op.layouts = spec.grid == Grid::mse ? kLayouts : joined(kLayouts, kRowLayouts);
  op.code_bytes = [=](const BlockLayout& l) { return l.code_bytes(spec.bits); };
  op.scale_bytes = [=](const BlockLayout& l) { return l.blocks() * size_of(spec.scale); };
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    (simd ? block_int_encode_simd : block_int_encode_cpu)(spec, l, x.type(), x.data(), e.codes.data(),
                                                          e.scales.data(), &e.counts);
  };
  op.decode = [=](bool simd, const BlockLayout& l, const Encoded& e, Float target, Decoded& d) {
    (simd ? block_int_decode_simd : block_int_decode_cpu)(spec, l, e.codes.data(), e.scales.data(), target,
                                                          d.out.data(), &d.saturated);
  };
  return op;
}

// One scale for all, read from the first block's place.
Operation block_int_scaled_operation(const BlockIntSpec& spec) {
  Operation op = block_int_operation(spec);
  op.name += "_scaled";
  op.layouts = {{1, 3001, 3001}, {1, 4096, 4096}, {1, 5, 5}};
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    for (const float extreme : {1.5f, -3.0f, 1e-3f}) {
      EncodeCounts unused;
      const float scale = block_int_scale(spec, extreme, &unused);
      store(spec.scale, e.scales.data(), 0, scale);
      (simd ? block_int_encode_scaled_simd : block_int_encode_scaled_cpu)(spec, l, x.type(), x.data(), scale,
                                                                          e.codes.data(), &e.counts);
      if (extreme < 0 && x.at(0) > 0) break;  // so that more than one is compared
    }
  };
  return op;
}

Operation qwz_operation(const BlockIntSpec& spec) {
  Operation op = block_int_operation(spec);
  op.name += "_qwz";
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    (simd ? qwz_encode_simd : qwz_encode_cpu)(spec, l, x.type(), x.data(), e.codes.data(), e.scales.data(),
                                              &e.counts);
  };
  return op;
}

Operation lut4_operation(const Lut4Spec& spec) {
  Operation op;
  op.name = std::string(spec.table == Table4::nf4 ? "nf4_" : "fp4_") + name_of(spec.scale) +
            (spec.order == NibbleOrder::low_first ? "" : "_high_first");
  op.layouts = joined(kLayouts, kRowLayouts);
  op.code_bytes = [](const BlockLayout& l) { return l.code_bytes(4); };
  op.scale_bytes = [=](const BlockLayout& l) { return l.blocks() * size_of(spec.scale); };
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    (simd ? lut4_encode_simd : lut4_encode_cpu)(spec, l, x.type(), x.data(), e.codes.data(), e.scales.data(),
                                                &e.counts);
  };
  op.decode = [=](bool simd, const BlockLayout& l, const Encoded& e, Float target, Decoded& d) {
    (simd ? lut4_decode_simd : lut4_decode_cpu)(spec, l, e.codes.data(), e.scales.data(), target,
                                                d.out.data(), &d.saturated);
  };
  return op;
}

Operation float8_operation(const Float8Spec& spec) {
  Operation op;
  op.name = std::string(spec.type == Float8::e4m3 ? "e4m3_" : "e5m2_") + name_of(spec.scale);
  op.layouts = joined(kLayouts, kRowLayouts);
  op.code_bytes = [](const BlockLayout& l) { return l.elems(); };
  op.scale_bytes = [=](const BlockLayout& l) {
    return spec.type == Float8::e4m3 ? l.blocks() * size_of(spec.scale) : 0;
  };
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    (simd ? float8_encode_simd : float8_encode_cpu)(spec, l, x.type(), x.data(), e.codes.data(),
                                                    e.scales.data(), &e.counts);
  };
  op.decode = [=](bool simd, const BlockLayout& l, const Encoded& e, Float target, Decoded& d) {
    (simd ? float8_decode_simd : float8_decode_cpu)(spec, l, e.codes.data(), e.scales.data(), target,
                                                    d.out.data(), &d.saturated);
  };
  return op;
}

Operation float8_scaled_operation() {
  const Float8Spec spec;
  Operation op = float8_operation(spec);
  op.name = "e4m3_scaled";
  op.layouts = {{1, 3001, 3001}, {1, 5, 5}};
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    EncodeCounts unused;
    const float scale = float8_scale(spec, x.at(0) > 0 ? 1e-3f : 2.0f, &unused);
    store(spec.scale, e.scales.data(), 0, scale);
    (simd ? float8_encode_scaled_simd : float8_encode_scaled_cpu)(l.elems(), x.type(), x.data(), scale,
                                                                  e.codes.data(), &e.counts);
  };
  return op;
}

Operation mx_operation(const MxSpec& spec) {
  constexpr const char* kRules[] = {"floor", "even", "best"};
  Operation op;
  const unsigned bits = spec.element == MxElement::e4m3 ? 8 : 4;
  op.name = (bits == 8 ? "mxfp8_" : "mxfp4_") + std::string(kRules[static_cast<int>(spec.scale)]);
  op.layouts = fixed_layouts(kMxBlock);
  op.code_bytes = [=](const BlockLayout& l) { return l.code_bytes(bits); };
  op.scale_bytes = [](const BlockLayout& l) { return l.blocks(); };
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    (simd ? mx_encode_simd : mx_encode_cpu)(spec, l, x.type(), x.data(), e.codes.data(), e.scales.data(),
                                            &e.counts);
  };
  op.decode = [=](bool simd, const BlockLayout& l, const Encoded& e, Float target, Decoded& d) {
    (simd ? mx_decode_simd : mx_decode_cpu)(spec, l, e.codes.data(), e.scales.data(), target, d.out.data(),
                                            &d.saturated);
  };
  return op;
}

Operation nvfp4_operation(const Nvfp4Spec& spec) {
  Operation op;
  op.name = std::string(spec.four_or_six ? "nvfp4_four_or_six" : "nvfp4") + (spec.g == 1 ? "" : "_g") +
            (spec.zero_scale_as_eighth ? "_eighth" : "");
  op.layouts = fixed_layouts(kNvfp4Block);
  op.code_bytes = [](const BlockLayout& l) { return l.code_bytes(4); };
  op.scale_bytes = [](const BlockLayout& l) { return l.blocks(); };
  op.encode = [=](bool simd, const BlockLayout& l, const Array& x, Encoded& e) {
    (simd ? nvfp4_encode_simd : nvfp4_encode_cpu)(spec, l, x.type(), x.data(), e.codes.data(),
                                                  e.scales.data(), &e.counts);
  };
  op.decode = [=](bool simd, const BlockLayout& l, const Encoded& e, Float target, Decoded& d) {
    (simd ? nvfp4_decode_simd : nvfp4_decode_cpu)(spec, l, e.codes.data(), e.scales.data(), target,
                                                  d.out.data(), &d.saturated);
  };
  return op;
}

std::vector<Operation> operations() {
  std::vector<Operation> out;
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const Grid grid : {Grid::absmax, Grid::sign, Grid::mse}) {
      for (const Float scale : kFloats)
        if (grid != Grid::mse || bits != 3) out.push_back(block_int_operation({bits, grid, scale, false}));
      if (grid == Grid::mse) out.push_back(block_int_operation({bits, grid, Float::bf16, true}));
    }
  out.push_back(block_int_operation({4, Grid::sign, Float::bf16, true}));
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    out.push_back(
        block_int_scaled_operation({bits, bits % 2 ? Grid::absmax : Grid::sign, Float::f32, false}));
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    out.push_back(qwz_operation({bits, Grid::sign, Float::bf16, false}));
  for (const Table4 table : {Table4::nf4, Table4::fp4}) {
    for (const Float scale : kFloats) out.push_back(lut4_operation({table, scale, NibbleOrder::low_first}));
    out.push_back(lut4_operation({table, Float::f32, NibbleOrder::high_first}));
  }
  for (const Float scale : kFloats) out.push_back(float8_operation({Float8::e4m3, scale}));
  out.push_back(float8_operation({Float8::e5m2, Float::f32}));
  out.push_back(float8_scaled_operation());
  for (const MxElement element : {MxElement::e4m3, MxElement::e2m1})
    for (const MxScale scale : {MxScale::floor, MxScale::even, MxScale::best})
      out.push_back(mx_operation({element, scale}));
  out.push_back(nvfp4_operation({448 * 6 / 4.0f, false, false}));
  out.push_back(nvfp4_operation({448 * 6 / 4.0f, false, true}));
  out.push_back(nvfp4_operation({256 * 6 / 4.0f, true, false}));
  out.push_back(nvfp4_operation({1, true, false}));
  return out;
}

class Twin : public testing::TestWithParam<Operation> {};
INSTANTIATE_TEST_SUITE_P(Formats, Twin, testing::ValuesIn(operations()),
                         [](const auto& operation) { return operation.param.name; });

Encoded encoded(const Operation& op, bool simd, const BlockLayout& layout, const Array& x) {
  Encoded out{Bytes(op.code_bytes(layout) + kGuard, kUntouched),
              Bytes(op.scale_bytes(layout) + kGuard, kUntouched),
              {}};
  op.encode(simd, layout, x, out);
  return out;
}

Decoded decoded(const Operation& op, bool simd, const BlockLayout& layout, const Encoded& e, Float target) {
  Decoded out{Bytes(layout.elems() * size_of(target) + kGuard, kUntouched)};
  op.decode(simd, layout, e, target, out);
  return out;
}

void compare(const Operation& op, const BlockLayout& layout, const Array& x) {
  const Encoded expected = encoded(op, false, layout, x);
  std::vector<Decoded> outs;
  for (const Float target : kFloats) outs.push_back(decoded(op, false, layout, expected, target));
  on_every_simd_target([&] {
    const Encoded e = encoded(op, true, layout, x);
    ASSERT_EQ(difference("codes", e.codes, expected.codes), "");
    ASSERT_EQ(difference("scales", e.scales, expected.scales), "");
    ASSERT_TRUE(same(e.counts, expected.counts))
        << e.counts.nonfinite << ' ' << e.counts.flushed_blocks << ' ' << e.counts.scale_overflow << ", not "
        << expected.counts.nonfinite << ' ' << expected.counts.flushed_blocks << ' '
        << expected.counts.scale_overflow;
    for (size_t k = 0; k < outs.size(); ++k) {
      SCOPED_TRACE(std::string("decoded to ") + name_of(kFloats[k]));
      const Decoded d = decoded(op, true, layout, expected, kFloats[k]);
      ASSERT_EQ(difference("values", d.out, outs[k].out), "");
      ASSERT_EQ(d.saturated, outs[k].saturated);
    }
  });
}

TEST_P(Twin, SimdGivesTheBytesOfTheCpu) {
  const Operation& op = GetParam();
  for (const BlockLayout& layout : op.layouts)
    for (const Float source : kFloats)
      for (const Input input : kInputs) {
        SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(source) + ", " +
                     std::to_string(layout.rows) + " x " + std::to_string(layout.cols) + " in blocks of " +
                     std::to_string(layout.block));
        compare(op, layout, make_input(input, source, layout.elems()));
        if (HasFatalFailure()) return;
      }
}

const uint64_t kLengths[] = {1, 31, 64, 4096, 3 * 4096 + 77};

struct EcEncoded {
  Bytes low, high;
  Array escapes;
  uint64_t escaped = 0;
  EncodeCounts counts;
};

EcEncoded ec_encoded(bool simd, bool wide, float step, const Array& x) {
  EcEncoded out{Bytes(x.elems() + kGuard, kUntouched),
                Bytes(x.elems() + kGuard, kUntouched),
                Array(x.type(), x.elems()),
                0,
                {}};
  out.escaped = (simd ? ec_encode_simd : ec_encode_cpu)(step, x.elems(), x.type(), x.data(), out.low.data(),
                                                        wide ? out.high.data() : nullptr, out.escapes.data(),
                                                        &out.counts);
  return out;
}

Decoded ec_decoded(bool simd, bool wide, float step, const Array& x, const EcEncoded& e, Float target) {
  Decoded out{Bytes(x.elems() * size_of(target) + kGuard, kUntouched)};
  (simd ? ec_decode_simd : ec_decode_cpu)(step, x.elems(), e.low.data(), wide ? e.high.data() : nullptr,
                                          x.type(), e.escapes.data(), target, out.out.data(), &out.saturated);
  return out;
}

void compare_ec(bool wide, float step, const Array& x) {
  const EcEncoded expected = ec_encoded(false, wide, step, x);
  std::vector<Decoded> outs;
  for (const Float target : kFloats) outs.push_back(ec_decoded(false, wide, step, x, expected, target));
  on_every_simd_target([&] {
    const EcEncoded e = ec_encoded(true, wide, step, x);
    ASSERT_EQ(difference("low codes", e.low, expected.low), "");
    ASSERT_EQ(difference("high codes", e.high, expected.high), "");
    ASSERT_EQ(e.escaped, expected.escaped);
    ASSERT_TRUE(e.escapes == expected.escapes);
    ASSERT_TRUE(same(e.counts, expected.counts));
    for (size_t k = 0; k < outs.size(); ++k) {
      SCOPED_TRACE(std::string("decoded to ") + name_of(kFloats[k]));
      const Decoded d = ec_decoded(true, wide, step, x, expected, kFloats[k]);
      ASSERT_EQ(difference("values", d.out, outs[k].out), "");
      ASSERT_EQ(d.saturated, outs[k].saturated);
    }
  });
}

// Calls it with every input, and says which.
template <class Body>
void with_inputs(Body&& body) {
  for (const uint64_t elems : kLengths)
    for (const Float source : kFloats)
      for (const Input input : kInputs) {
        SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(source) + ", " + std::to_string(elems));
        body(make_input(input, source, elems));
        if (testing::Test::HasFatalFailure()) return;
      }
}

TEST(EcTwin, SimdGivesTheBytesOfTheCpu) {
  for (const float step : {0.1f, 0.02f, 1e-4f, 1e30f, 1e-36f})
    for (const bool wide : {false, true}) {
      SCOPED_TRACE(std::string(wide ? "wide, step " : "narrow, step ") + std::to_string(step));
      with_inputs([&](const Array& x) { compare_ec(wide, step, x); });
      if (HasFatalFailure()) return;
    }
}

TEST(CastTwin, SimdGivesTheBytesOfTheCpu) {
  with_inputs([](const Array& x) {
    for (const Float target : kFloats) {
      Decoded expected{Bytes(x.elems() * size_of(target) + kGuard, kUntouched)};
      cast_cpu(x.elems(), x.type(), x.data(), target, expected.out.data(), &expected.saturated);
      on_every_simd_target([&] {
        Decoded out{Bytes(x.elems() * size_of(target) + kGuard, kUntouched)};
        cast_simd(x.elems(), x.type(), x.data(), target, out.out.data(), &out.saturated);
        ASSERT_EQ(difference(name_of(target), out.out, expected.out), "");
        ASSERT_EQ(out.saturated, expected.saturated);
      });
    }
  });
}

TEST(CountNonfiniteTwin, SimdCountsAsTheCpu) {
  with_inputs([](const Array& x) {
    uint64_t expected = 0;
    for (uint64_t i = 0; i < x.elems(); ++i) expected += !std::isfinite(x.at(i));
    uint64_t counted = 5;
    count_nonfinite_cpu(x.elems(), x.type(), x.data(), &counted);
    ASSERT_EQ(counted, 5 + expected);
    on_every_simd_target([&] {
      uint64_t found = 5;
      count_nonfinite_simd(x.elems(), x.type(), x.data(), &found);
      ASSERT_EQ(found, 5 + expected);
    });
  });
}

TEST(ValueSumsTwin, SimdGivesTheBytesOfTheCpu) {
  with_inputs([](const Array& x) {
    std::vector<ValueSums> expected(sum_groups(x.elems()));
    value_sums_cpu(x.elems(), x.type(), x.data(), expected.data());
    on_every_simd_target([&] {
      std::vector<ValueSums> sums(sum_groups(x.elems()));
      value_sums_simd(x.elems(), x.type(), x.data(), sums.data());
      for (size_t k = 0; k < sums.size(); ++k) {
        const ValueSums &a = sums[k], &b = expected[k];
        ASSERT_EQ(std::memcmp(&a, &b, sizeof a), 0)
            << k << ": " << a.x1 << ' ' << b.x1 << ", " << a.x2 << ' ' << b.x2 << ", " << a.x3 << ' ' << b.x3
            << ", " << a.x4 << ' ' << b.x4 << ", " << a.min << ' ' << b.min << ", " << a.max << ' ' << b.max
            << ", " << a.extreme << ' ' << b.extreme << ", " << a.nan << ' ' << b.nan << ", " << a.inf << ' '
            << b.inf << ", " << a.zero << ' ' << b.zero << ", " << a.subnormal << ' ' << b.subnormal;
      }
    });
  });
}

TEST(ErrorSumsTwin, SimdGivesTheBytesOfTheCpu) {
  with_inputs([](const Array& x) {
    for (const Float target : kFloats) {
      Array y(target, x.elems());
      for (uint64_t i = 0; i < y.elems(); ++i) y.set(i, x.at(i) * (1 + 0.01f * normal_at(i, 5)));
      std::vector<ErrorSums> expected(sum_groups(x.elems()));
      error_sums_cpu(x.elems(), x.type(), x.data(), target, y.data(), expected.data());
      on_every_simd_target([&] {
        std::vector<ErrorSums> sums(sum_groups(x.elems()));
        error_sums_simd(x.elems(), x.type(), x.data(), target, y.data(), sums.data());
        for (size_t k = 0; k < sums.size(); ++k) {
          const ErrorSums &a = sums[k], &b = expected[k];
          ASSERT_EQ(std::memcmp(&a, &b, sizeof a), 0)
              << k << ": " << a.x2 << ' ' << b.x2 << ", " << a.e1 << ' ' << b.e1 << ", " << a.e2 << ' '
              << b.e2 << ", " << a.absmax << ' ' << b.absmax << ", " << a.max_error << ' ' << b.max_error;
        }
      });
    }
  });
}

}  // namespace
}  // namespace mlq::kernels::test
