// Errors of every format on normal data against figures that come from elsewhere: tables measured with other
// programs on other normal data of the same size, and closed forms. One sample of 2^22 has a relative spread
// of 0.04 % or less in its error, so +-0.5 % is more than ten of them. Encoded by the SIMD versions, which
// twin_test.cpp holds to the twins.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/ec.h"
#include "kernels/float8.h"
#include "kernels/lut4.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {
namespace {

constexpr uint64_t kElems = uint64_t{1} << 22;
using Bytes = std::vector<uint8_t>;

const Array& normal_data() {
  static const Array kData = make_normal(Float::f32, kElems);
  return kData;
}

float absmax_of(const Array& x) {
  float absmax = 0;
  for (uint64_t i = 0; i < x.elems(); ++i) absmax = std::max(absmax, std::fabs(x.at(i)));
  return absmax;
}

double rel_rmse(const std::vector<float>& decoded) {
  const auto* x = static_cast<const float*>(normal_data().data());
  double error = 0, energy = 0;
  for (uint64_t i = 0; i < kElems; ++i) {
    const double e = static_cast<double>(decoded[i]) - x[i];
    error += e * e;
    energy += static_cast<double>(x[i]) * x[i];
  }
  return std::sqrt(error / energy);
}

double block_int_error(const BlockIntSpec& spec, uint64_t block) {
  const BlockLayout layout{1, kElems, block};
  Bytes codes(layout.code_bytes(spec.bits)), scales(layout.blocks() * 4);
  EncodeCounts counts;
  uint64_t saturated = 0;
  std::vector<float> out(kElems);
  block_int_encode_simd(spec, layout, Float::f32, normal_data().data(), codes.data(), scales.data(), &counts);
  block_int_decode_simd(spec, layout, codes.data(), scales.data(), Float::f32, out.data(), &saturated);
  return rel_rmse(out);
}

struct GridRow {
  unsigned bits;
  Grid grid;
  std::map<uint64_t, double> by_block;
};
void PrintTo(const GridRow& row, std::ostream* out) { *out << "int" << row.bits; }

const GridRow kGridTable[] = {
    {8, Grid::absmax, {{32, .00535}, {64, .00593}, {128, .00646}, {256, .00695}, {2048, .00827}}},
    {8, Grid::sign, {{32, .00531}, {64, .00589}, {128, .00641}, {256, .00690}, {2048, .00821}}},
    {8, Grid::mse, {{32, .00504}, {64, .00573}, {128, .00633}}},
    {4, Grid::absmax, {{32, .09698}, {64, .10757}, {128, .11723}, {256, .12617}, {2048, .15002}}},
    {4, Grid::sign, {{32, .08585}, {64, .09485}, {128, .10308}, {256, .11071}, {2048, .13137}}},
    {4, Grid::mse, {{32, .08119}, {64, .08996}, {128, .09668}}},
    {3, Grid::absmax, {{32, .22643}, {64, .25113}, {128, .27358}, {256, .29439}, {2048, .35021}}},
    {3, Grid::sign, {{32, .17422}, {64, .19161}, {128, .20751}, {256, .22244}, {2048, .26300}}},
    {3, Grid::mse, {{32, .16252}, {64, .17669}, {128, .18647}}},
    {2, Grid::absmax, {{32, .65745}, {64, .71718}, {128, .76621}, {256, .80660}, {2048, .89011}}},
    {2, Grid::sign, {{32, .36202}, {64, .39426}, {128, .42365}, {256, .45117}, {2048, .52723}}},
    {2, Grid::mse, {{32, .33383}, {64, .35518}, {128, .36852}}}};

std::string grid_name(const testing::TestParamInfo<GridRow>& row) {
  constexpr const char* kGrids[] = {"absmax", "sign", "mse"};
  return "int" + std::to_string(row.param.bits) + kGrids[static_cast<int>(row.param.grid)];
}

class IntegerGrid : public testing::TestWithParam<GridRow> {};
INSTANTIATE_TEST_SUITE_P(Table, IntegerGrid, testing::ValuesIn(kGridTable), grid_name);

TEST_P(IntegerGrid, HasTheErrorOfTheTable) {
  const GridRow& row = GetParam();
  for (const auto& [block, expected] : row.by_block) {
    const double bound = .005 * expected + 5e-6;  // the table is rounded to five decimals
    EXPECT_NEAR(block_int_error({row.bits, row.grid, Float::f16, false}, block), expected, bound) << block;
  }
}

// sqrt(E[A^2]) of the largest magnitude of n normal numbers, by Simpson's rule on 2 a P(A > a).
double rms_of_largest(double n) {
  constexpr int kSteps = 4000;
  constexpr double kEnd = 12;
  double sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double a = kEnd * i / kSteps;
    const double f = -2 * a * std::expm1(n * std::log1p(-std::erfc(a / std::sqrt(2.0))));
    sum += f * (i == 0 || i == kSteps ? 1 : i % 2 ? 4 : 2);
  }
  return std::sqrt(sum * kEnd / kSteps / 3);
}

TEST(AbsmaxLaw, TheQuadratureGivesTheKnownConstants) {
  for (const auto& [n, expected] :
       std::map<int, double>{{16, 2.1329}, {64, 2.6294}, {2048, 3.6402}, {16384, 4.1440}})
    EXPECT_NEAR(rms_of_largest(n), expected, 1e-4) << n;
}

TEST(AbsmaxLaw, HoldsForEveryBlockFromThreeBitsUp) {
  for (const unsigned bits : {8u, 4u})
    for (uint64_t block = 16; block <= 16384; block *= 2) {
      const double q = (1 << (bits - 1)) - 1, b = static_cast<double>(block);
      const double law = rms_of_largest(b) * std::sqrt(1 - 1 / b) / (q * std::sqrt(12.0));
      // Where steps are coarse beside the data, the error is not quite uniform.
      EXPECT_NEAR(block_int_error({bits, Grid::absmax, Float::f32, false}, block) / law, 1, .005)
          << bits << " bits, " << block;
    }
}

TEST(IntegerGrids, Bf16ScalesCostNothingAtFourBitsAndLittleAtEight) {
  for (const unsigned bits : {8u, 4u}) {
    const double exact = block_int_error({bits, Grid::absmax, Float::f32, false}, 64);
    EXPECT_NEAR(block_int_error({bits, Grid::absmax, Float::f16, false}, 64) / exact, 1, .0005);
    EXPECT_NEAR(block_int_error({bits, Grid::absmax, Float::bf16, false}, 64) / exact, bits == 8 ? 1.004 : 1,
                .002);
  }
}

TEST(IntegerGrids, PositiveScalesCostMseHalfADecibel) {
  for (const auto& [block, expected] : std::map<uint64_t, double>{{32, .0861}, {64, .0948}, {128, .1010}})
    EXPECT_NEAR(block_int_error({4, Grid::mse, Float::bf16, true}, block) / expected, 1, .005) << block;
}

double lut4_error(const Lut4Spec& spec) {
  const BlockLayout layout{1, kElems, 64};
  Bytes codes(layout.code_bytes(4)), scales(layout.blocks() * 4);
  EncodeCounts counts;
  uint64_t saturated = 0;
  std::vector<float> out(kElems);
  lut4_encode_simd(spec, layout, Float::f32, normal_data().data(), codes.data(), scales.data(), &counts);
  lut4_decode_simd(spec, layout, codes.data(), scales.data(), Float::f32, out.data(), &saturated);
  return rel_rmse(out);
}

TEST(Lut4, HasTheErrorOfTheTable) {
  for (const Float scale : {Float::f32, Float::bf16}) {
    EXPECT_NEAR(lut4_error({Table4::nf4, scale, NibbleOrder::low_first}) / .0921, 1, .005);
    EXPECT_NEAR(lut4_error({Table4::fp4, scale, NibbleOrder::high_first}) / .1219, 1, .005);
  }
}

double float8_error(const Float8Spec& spec, uint64_t block) {
  const BlockLayout layout{1, kElems, block};
  Bytes codes(kElems), scales(layout.blocks() * 4);
  EncodeCounts counts;
  uint64_t saturated = 0;
  std::vector<float> out(kElems);
  float8_encode_simd(spec, layout, Float::f32, normal_data().data(), codes.data(), scales.data(), &counts);
  float8_decode_simd(spec, layout, codes.data(), scales.data(), Float::f32, out.data(), &saturated);
  return rel_rmse(out);
}

TEST(Float8, HasTheErrorOfTheTable) {
  EXPECT_NEAR(float8_error({Float8::e4m3, Float::f32}, kElems) / .0264, 1, .005);
  EXPECT_NEAR(float8_error({Float8::e4m3, Float::f32}, 128) / .0257, 1, .005);
  EXPECT_NEAR(float8_error({Float8::e5m2, Float::f32}, kElems) / .0528, 1, .005);
}

double mx_error(const MxSpec& spec) {
  const BlockLayout layout{1, kElems, kMxBlock};
  Bytes codes(kElems), scales(layout.blocks());
  EncodeCounts counts;
  uint64_t saturated = 0;
  std::vector<float> out(kElems);
  mx_encode_simd(spec, layout, Float::f32, normal_data().data(), codes.data(), scales.data(), &counts);
  mx_decode_simd(spec, layout, codes.data(), scales.data(), Float::f32, out.data(), &saturated);
  return rel_rmse(out);
}

TEST(Mx, HasTheErrorOfTheTable) {
  EXPECT_NEAR(mx_error({MxElement::e4m3, MxScale::floor}) / .0293, 1, .005);
  EXPECT_NEAR(mx_error({MxElement::e2m1, MxScale::floor}) / .1149, 1, .005);
  EXPECT_NEAR(mx_error({MxElement::e2m1, MxScale::best}) / .1115, 1, .005);
  EXPECT_LT(mx_error({MxElement::e2m1, MxScale::best}), mx_error({MxElement::e2m1, MxScale::even}));
}

double nvfp4_error(bool four_or_six) {
  const BlockLayout layout{1, kElems, kNvfp4Block};
  const Nvfp4Spec spec{nvfp4_factor(four_or_six, absmax_of(normal_data())), four_or_six, false};
  Bytes codes(layout.code_bytes(4)), scales(layout.blocks());
  EncodeCounts counts;
  uint64_t saturated = 0;
  std::vector<float> out(kElems);
  nvfp4_encode_simd(spec, layout, Float::f32, normal_data().data(), codes.data(), scales.data(), &counts);
  nvfp4_decode_simd(spec, layout, codes.data(), scales.data(), Float::f32, out.data(), &saturated);
  EXPECT_EQ(counts.scale_overflow, 0u);
  return rel_rmse(out);
}

TEST(Nvfp4, HasTheErrorOfTheTable) {
  const double six = nvfp4_error(false), either = nvfp4_error(true);
  EXPECT_NEAR(six / .0951, 1, .005);
  EXPECT_NEAR(either / .0870, 1, .005);
  // The gain that "Four Over Six" finds.
  EXPECT_GT(20 * std::log10(six / either), .66);
  EXPECT_LT(20 * std::log10(six / either), .85);
}

TEST(Formats, StandInThePublishedOrder) {
  const double nf4 = lut4_error({}), fp4 = lut4_error({Table4::fp4, Float::bf16, NibbleOrder::low_first});
  const double int4 = block_int_error({4, Grid::absmax, Float::bf16, false}, 64);
  EXPECT_LT(nf4, int4);
  EXPECT_LT(int4, fp4);
}

TEST(Cast, Bf16HasTheErrorOfItsMantissa) {
  std::vector<uint16_t> narrow(kElems);
  std::vector<float> wide(kElems);
  uint64_t saturated = 0;
  cast_simd(kElems, Float::f32, normal_data().data(), Float::bf16, narrow.data(), &saturated);
  cast_simd(kElems, Float::bf16, narrow.data(), Float::f32, wide.data(), &saturated);
  EXPECT_NEAR(rel_rmse(wide) / .00166, 1, .005);
  EXPECT_EQ(saturated, 0u);
}

// Entropy of the rounded normal in bits, by adding over the codes.
double entropy_of_steps(double step) {
  double bits = 0;
  for (int q = -4000; q <= 4000; ++q) {
    const double p =
        (std::erf((q + .5) * step / std::sqrt(2.0)) - std::erf((q - .5) * step / std::sqrt(2.0))) / 2;
    if (p > 0) bits -= p * std::log2(p);
  }
  return bits;
}

struct StepRow {
  float step;
  double entropy_bits, snr_db;
};

TEST(Ec, HasTheEntropyAndTheErrorOfItsStep) {
  for (const StepRow& row : {StepRow{1, 2.105, 10.79},
                             {.5f, 3.062, 16.81},
                             {.35f, 3.569, 19.91},
                             {.25f, 4.051, 22.83},
                             {.2f, 4.371, 24.77},
                             {.1f, 5.370, 30.79},
                             {.05f, 6.369, 36.81}}) {
    Bytes codes(kElems);
    Array escapes(Float::f32, kElems);
    EncodeCounts counts;
    uint64_t saturated = 0;
    const uint64_t escaped = ec_encode_simd(row.step, kElems, Float::f32, normal_data().data(), codes.data(),
                                            nullptr, escapes.data(), &counts);
    EXPECT_EQ(escaped, 0u);
    uint64_t histogram[256] = {};
    for (const uint8_t code : codes) ++histogram[code];
    double bits = 0;
    for (const uint64_t n : histogram)
      if (n > 0) bits -= static_cast<double>(n) / kElems * std::log2(static_cast<double>(n) / kElems);
    EXPECT_NEAR(bits, row.entropy_bits, .02) << row.step;
    EXPECT_NEAR(entropy_of_steps(row.step), row.entropy_bits, .001) << row.step;
    std::vector<float> out(kElems);
    ec_decode_simd(row.step, kElems, codes.data(), nullptr, Float::f32, escapes.data(), Float::f32,
                   out.data(), &saturated);
    EXPECT_NEAR(-20 * std::log10(rel_rmse(out)), row.snr_db, .02) << row.step;
  }
}

}  // namespace
}  // namespace mlq::kernels::test
