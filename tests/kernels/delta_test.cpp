// Closed-loop deltas: the SIMD version is the twin, a receiver holds what the sender holds, and the error is
// that of the law.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/delta.h"
#include "tests/kernels/inputs.h"
#include "tests/kernels/simd_targets.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr size_t kGuard = 64;
constexpr uint8_t kUntouched = 0xa5;

struct Coded {
  Bytes codes, scales;
  EncodeCounts counts;
  uint64_t saturated = 0;

  Coded(const BlockIntSpec& spec, const BlockLayout& layout)
      : codes(layout.code_bytes(spec.bits) + kGuard, kUntouched),
        scales(layout.blocks() * size_of(spec.scale) + kGuard, kUntouched) {}
  bool operator==(const Coded& other) const {
    return codes == other.codes && scales == other.scales && saturated == other.saturated &&
           std::memcmp(&counts, &other.counts, sizeof counts) == 0;
  }
};

struct Case {
  BlockIntSpec spec;
  std::vector<BlockLayout> layouts;
};

const std::vector<BlockLayout> kLayouts = {
    {1, 64 * 37 + 13, 64}, {3, 200, 32},    {5, 72, 16},     {1, 1, 64},   {7, 33, 64},
    {2, 4096 + 40, 2048},  {4, 1000, 1000}, {1, 9000, 8192}, {1, 5, 16384}};
const std::vector<BlockLayout> kSearchLayouts = {{1, 64 * 5 + 13, 64}, {3, 200, 32}, {2, 2048 + 40, 2048}};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const Grid grid : {Grid::absmax, Grid::sign}) out.push_back({{bits, grid, Float::bf16}, kLayouts});
  out.push_back({{4, Grid::sign, Float::f32}, kLayouts});
  out.push_back({{4, Grid::sign, Float::f16}, kLayouts});
  out.push_back({{2, Grid::mse, Float::bf16}, kSearchLayouts});
  return out;
}

// What receivers hold is finite.
Array make_state(Input input, Float type, uint64_t elems) {
  return make_input(input == Input::nonfinite ? Input::normal : input, type, elems, 1);
}

void compare(const BlockIntSpec& spec, const BlockLayout& layout, const Array& w, const Array& before) {
  Coded expected(spec, layout);
  Array state = before;
  delta_encode_cpu(spec, layout, w.type(), w.data(), state.type(), state.data(), expected.codes.data(),
                   expected.scales.data(), &expected.counts, &expected.saturated);
  Array received = before;
  uint64_t cut = 0;
  delta_apply_cpu(spec, layout, expected.codes.data(), expected.scales.data(), received.type(),
                  received.data(), &cut);
  ASSERT_TRUE(received == state);
  ASSERT_EQ(cut, expected.saturated);
  on_every_simd_target([&] {
    Coded coded(spec, layout);
    Array own = before;
    delta_encode_simd(spec, layout, w.type(), w.data(), own.type(), own.data(), coded.codes.data(),
                      coded.scales.data(), &coded.counts, &coded.saturated);
    ASSERT_TRUE(coded == expected);
    ASSERT_TRUE(own == state);
    Array other = before;
    uint64_t simd_cut = 0;
    delta_apply_simd(spec, layout, coded.codes.data(), coded.scales.data(), other.type(), other.data(),
                     &simd_cut);
    ASSERT_TRUE(other == state);
    ASSERT_EQ(simd_cut, cut);
  });
}

TEST(Delta, SimdGivesTheBytesOfTheCpu) {
  for (const Case& c : cases())
    for (const BlockLayout& layout : c.layouts)
      for (const Float source : kFloats)
        for (const Float state : kFloats)
          for (const Input input : kInputs) {
            SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(source) + " to " + name_of(state) +
                         ", " + std::to_string(c.spec.bits) + " bits, " + std::to_string(layout.rows) +
                         " x " + std::to_string(layout.cols) + " in blocks of " +
                         std::to_string(layout.block));
            compare(c.spec, layout, make_input(input, source, layout.elems()),
                    make_state(input, state, layout.elems()));
            if (HasFatalFailure()) return;
          }
}

TEST(Delta, OfWhatIsHeldAlreadyIsNothing) {
  const BlockLayout layout{1, 1000, 64};
  const Array w = make_normal(Float::bf16, 1000);
  Array state = w;
  const BlockIntSpec spec{4, Grid::sign, Float::bf16};
  Coded coded(spec, layout);
  delta_encode_simd(spec, layout, w.type(), w.data(), state.type(), state.data(), coded.codes.data(),
                    coded.scales.data(), &coded.counts, &coded.saturated);
  EXPECT_TRUE(state == w);
  for (uint64_t i = 0; i < 500; ++i) ASSERT_EQ(coded.codes[i], 0x88);
  for (uint64_t i = 0; i < 2 * layout.blocks(); ++i) ASSERT_EQ(coded.scales[i], 0);
}

TEST(Delta, CountsWhatIsNotFiniteAndLeavesItsState) {
  const BlockIntSpec spec{4, Grid::sign, Float::bf16};
  const BlockLayout layout{1, 64, 64};
  Array w = make_normal(Float::f32, 64), state = make_normal(Float::f32, 64, 0.5f);
  w.set(3, f32_from_bits(0x7f800000u));
  w.set(5, f32_from_bits(0x7fc00000u));
  const float third = state.at(3), fifth = state.at(5);
  Coded coded(spec, layout);
  delta_encode_cpu(spec, layout, w.type(), w.data(), state.type(), state.data(), coded.codes.data(),
                   coded.scales.data(), &coded.counts, &coded.saturated);
  EXPECT_EQ(coded.counts.nonfinite, 2u);
  EXPECT_EQ(state.at(3), third);
  EXPECT_EQ(state.at(5), fifth);
}

// ---- The law

// A sender and a receiver over a walk of white updates.
class Loop {
 public:
  Loop(unsigned bits, Grid grid, Float state, uint64_t elems)
      : spec_{bits, grid, Float::bf16},
        layout_{1, elems, 64},
        w_(make_normal(Float::f32, elems)),
        sent_(make_normal(state, elems)),
        received_(sent_),
        coded_(spec_, layout_) {}

  void step(float update, uint32_t stream) {
    for (uint64_t i = 0; i < w_.elems(); ++i) w_.set(i, w_.at(i) + update * normal_at(i, stream));
    delta_encode_simd(spec_, layout_, w_.type(), w_.data(), sent_.type(), sent_.data(), coded_.codes.data(),
                      coded_.scales.data(), &coded_.counts, &coded_.saturated);
    delta_apply_simd(spec_, layout_, coded_.codes.data(), coded_.scales.data(), received_.type(),
                     received_.data(), &coded_.saturated);
  }
  bool agree() const { return sent_ == received_; }
  double rmse() const {  // of weights of unit spread
    double sum = 0;
    for (uint64_t i = 0; i < w_.elems(); ++i) {
      const double e = static_cast<double>(received_.at(i)) - w_.at(i);
      sum += e * e;
    }
    return std::sqrt(sum / static_cast<double>(w_.elems()));
  }

 private:
  BlockIntSpec spec_;
  BlockLayout layout_;
  Array w_, sent_, received_;
  Coded coded_;
};

double settled_rmse(unsigned bits, Grid grid, Float state) {
  Loop loop(bits, grid, state, 1 << 14);
  double squares = 0;
  constexpr int kSteps = 60, kLast = 10;
  for (int t = 0; t < kSteps; ++t) {
    loop.step(1e-3f, static_cast<uint32_t>(5000 + t));
    if (t >= kSteps - kLast) squares += loop.rmse() * loop.rmse();
  }
  return std::sqrt(squares / kLast);
}

// c: relative error of the block quantiser on normal data, as in oracle_test.cpp.
double law(double c) { return 1e-3 * c / std::sqrt(1 - c * c); }

TEST(DeltaLaw, OfWhiteUpdatesHolds) {
  EXPECT_NEAR(settled_rmse(4, Grid::absmax, Float::f32) / 1.08e-4, 1, .02);
  EXPECT_NEAR(settled_rmse(4, Grid::absmax, Float::f32) / law(.10757), 1, .02);
  EXPECT_NEAR(settled_rmse(4, Grid::sign, Float::f32) / law(.09485), 1, .02);
  EXPECT_NEAR(settled_rmse(2, Grid::sign, Float::f32) / 4.29e-4, 1, .02);
  EXPECT_NEAR(settled_rmse(2, Grid::mse, Float::f32) / 3.80e-4, 1, .02);
  EXPECT_NEAR(settled_rmse(3, Grid::sign, Float::f32) / law(.19161), 1, .02);
}

TEST(DeltaLaw, ABf16StateAddsItsRoundingAndNoMore) {
  const double rounding = 1.66e-3;
  EXPECT_NEAR(settled_rmse(4, Grid::sign, Float::bf16) / rounding, 1, .04);
  EXPECT_LE(settled_rmse(4, Grid::sign, Float::bf16), 1.8e-3);
  EXPECT_LE(settled_rmse(2, Grid::sign, Float::bf16), 2.1e-3);
}

TEST(DeltaLaw, TenThousandStepsDoNotDrift) {
  for (const Float state : {Float::f32, Float::bf16}) {
    Loop loop(4, Grid::sign, state, 512);
    for (uint32_t t = 0; t < 10'000; ++t) {
      loop.step(1e-3f, 10'000 + t);
      ASSERT_TRUE(loop.agree()) << "step " << t;
    }
    EXPECT_LE(loop.rmse(), state == Float::f32 ? 1.2e-4 : 2.5e-3);
  }
}

}  // namespace
}  // namespace mlq::kernels::test
