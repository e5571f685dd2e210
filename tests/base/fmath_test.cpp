#include "lib/base/fmath.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "lib/base/random.h"

namespace mlq {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double smallest = std::numeric_limits<double>::denorm_min();
constexpr double largest = std::numeric_limits<double>::max();

// Distance of `result` from hi + lo in units of the last place of a double near hi.
double ulps(double result, long double hi, long double lo = 0) {
  const int exponent = hi == 0 ? -1022 : std::max(std::ilogb(hi), -1022);
  return static_cast<double>(std::fabs((static_cast<long double>(result) - hi) - lo) *
                             std::ldexp(1.0L, 52 - exponent));
}

double call(const std::string& name, double x, double y) {
  if (name == "log") return fmath::log(x);
  if (name == "exp") return fmath::exp(x);
  if (name == "log1p") return fmath::log1p(x);
  if (name == "expm1") return fmath::expm1(x);
  if (name == "pow") return fmath::pow(x, y);
  if (name == "lgamma") return fmath::lgamma(x);
  if (name == "sin") return fmath::sin(x);
  if (name == "cos") return fmath::cos(x);
  if (name == "erf") return fmath::erf(x);
  if (name == "erfc") return fmath::erfc(x);
  if (name == "normal_quantile") return fmath::normal_quantile(x);
  ADD_FAILURE() << name;
  return nan;
}

double bound(const std::string& name) {
  if (name == "lgamma") return 2;
  return name == "normal_quantile" ? 8 : 1;
}

// Values to 106 bits, made by fmath_reference.py.
TEST(Fmath, AgreesWithTheTableOfReferences) {
  std::ifstream file(MLQ_SOURCE_DIR "/tests/data/fmath_reference.txt");
  std::string name, word;
  int lines = 0;
  while (file >> name) {
    std::vector<double> numbers(name == "pow" ? 4 : 3);
    for (double& number : numbers) {
      file >> word;
      number = std::strtod(word.c_str(), nullptr);
    }
    const double y = name == "pow" ? numbers[1] : 0;
    const double result = call(name, numbers[0], y);
    EXPECT_LT(ulps(result, numbers.end()[-2], numbers.back()), bound(name))
        << name << " " << numbers[0] << " " << y;
    ++lines;
  }
  EXPECT_GT(lines, 1000);
}

// Sweeps against the long double functions of libm, which on x86-64 carry 64 bits and elsewhere 113. Where a
// long double is a double they can show nothing and are skipped.
class Sweep : public testing::Test {
 protected:
  void SetUp() override {
    if (std::numeric_limits<long double>::digits < 64)
      GTEST_SKIP() << "long double has no more bits than double";
  }

  // The largest error over `draws` arguments between lo and hi, spread evenly or, for `scales`, evenly in
  // exponent.
  template <class F, class Reference>
  static double worst(F function, Reference reference, double lo, double hi, int draws = 60000) {
    return worst_over([=](double u) { return lo + (hi - lo) * u; }, function, reference, draws);
  }
  template <class F, class Reference>
  static double worst_of_scales(F function, Reference reference, double lo, double hi, int draws = 60000) {
    return worst_over([=](double u) { return std::exp2(lo + (hi - lo) * u); }, function, reference, draws);
  }

 private:
  template <class Draw, class F, class Reference>
  static double worst_over(Draw draw, F function, Reference reference, int draws) {
    const RandomStream random(3, Purpose::payload);
    double most = 0;
    for (int i = 0; i < draws; ++i) {
      const double x = draw(random.uniform(static_cast<uint64_t>(i)));
      most = std::max(most, ulps(function(x), reference(static_cast<long double>(x))));
    }
    return most;
  }
};

#define REFERENCE(name) [](long double x) -> long double { return std::name(x); }

TEST_F(Sweep, LogIsBelowOneUlp) {
  EXPECT_LT(worst(fmath::log, REFERENCE(log), 0, 2), 1);
  EXPECT_LT(worst(fmath::log, REFERENCE(log), 0.7, 1.42), 1);
  EXPECT_LT(worst(fmath::log, REFERENCE(log), 0.999999, 1.000001), 1);
  EXPECT_LT(worst_of_scales(fmath::log, REFERENCE(log), -1074, 1023), 1);
}

TEST_F(Sweep, ExpIsBelowOneUlp) {
  EXPECT_LT(worst(fmath::exp, REFERENCE(exp), -1, 1), 1);
  EXPECT_LT(worst(fmath::exp, REFERENCE(exp), -30, 30), 1);
  EXPECT_LT(worst(fmath::exp, REFERENCE(exp), -745.13, 709.78), 1);
}

TEST_F(Sweep, Log1pIsBelowOneUlp) {
  EXPECT_LT(worst(fmath::log1p, REFERENCE(log1p), -1, 3), 1);
  EXPECT_LT(worst(fmath::log1p, REFERENCE(log1p), -0.29290, -0.29288), 1);  // where the reduction begins
  EXPECT_LT(worst(fmath::log1p, REFERENCE(log1p), 0.41421, 0.41422), 1);
  EXPECT_LT(worst_of_scales(fmath::log1p, REFERENCE(log1p), -60, 300), 1);
  EXPECT_LT(worst_of_scales([](double x) { return fmath::log1p(-x); },
                            [](long double x) -> long double { return std::log1p(-x); }, -60, -0.001),
            1);
}

TEST_F(Sweep, Expm1IsBelowOneUlp) {
  EXPECT_LT(worst(fmath::expm1, REFERENCE(expm1), -2, 2), 1);
  EXPECT_LT(worst(fmath::expm1, REFERENCE(expm1), -40, 709.78), 1);
  EXPECT_LT(worst_of_scales(fmath::expm1, REFERENCE(expm1), -60, 0), 1);
}

TEST_F(Sweep, PowIsBelowOneUlp) {
  const RandomStream random(4, Purpose::payload);
  double most = 0;
  for (uint64_t i = 0; i < 100000; ++i) {
    const UniformPair u = random.uniforms(i);
    const bool wide = i % 2 == 0;
    const double x = wide ? std::exp2(-1074 + 2097 * u.a) : 0.5 + u.a;
    const double y = (-1070 + 2090 * u.b) / std::log2(x);
    most = std::max(
        most, ulps(fmath::pow(x, y), std::pow(static_cast<long double>(x), static_cast<long double>(y))));
  }
  EXPECT_LT(most, 1);
}

TEST_F(Sweep, SinAndCosAreBelowOneUlpUpTo2To30) {
  EXPECT_LT(worst(fmath::sin, REFERENCE(sin), -10, 10), 1);
  EXPECT_LT(worst(fmath::cos, REFERENCE(cos), -10, 10), 1);
  EXPECT_LT(worst_of_scales(fmath::sin, REFERENCE(sin), -30, 30), 1);
  EXPECT_LT(worst_of_scales(fmath::cos, REFERENCE(cos), -30, 30), 1);
  EXPECT_LT(worst(fmath::sin, REFERENCE(sin), -0x1p30, 0x1p30), 1);
  EXPECT_LT(worst(fmath::cos, REFERENCE(cos), -0x1p30, 0x1p30), 1);
}

TEST_F(Sweep, SinAndCosAreBelowOneUlpBesideTheirZeros) {
  double most = 0;
  for (int k = 1; k < 100000; ++k) {
    const double x = k * 6831.0 * 1.5707963267948966;
    most = std::max(most, ulps(fmath::sin(x), std::sin(static_cast<long double>(x))));
    most = std::max(most, ulps(fmath::cos(x), std::cos(static_cast<long double>(x))));
  }
  EXPECT_LT(most, 1);
}

TEST_F(Sweep, ErfAndErfcAreBelowOneUlp) {
  EXPECT_LT(worst(fmath::erf, REFERENCE(erf), -1, 1), 1);
  EXPECT_LT(worst(fmath::erf, REFERENCE(erf), -6, 6), 1);
  EXPECT_LT(worst_of_scales(fmath::erf, REFERENCE(erf), -1070, 0), 1);
  EXPECT_LT(worst(fmath::erfc, REFERENCE(erfc), -6, 0.3), 1);
  EXPECT_LT(worst(fmath::erfc, REFERENCE(erfc), 0.2, 2.3), 1);
  EXPECT_LT(worst(fmath::erfc, REFERENCE(erfc), 2.2, 27.2), 1);
}

TEST_F(Sweep, LgammaIsWithinTwoUlpOfPositiveArguments) {
  EXPECT_LT(worst(fmath::lgamma, REFERENCE(lgamma), 0, 1), 2);
  EXPECT_LT(worst(fmath::lgamma, REFERENCE(lgamma), 1, 3), 2);
  EXPECT_LT(worst(fmath::lgamma, REFERENCE(lgamma), 3, 40), 2);
  EXPECT_LT(worst_of_scales(fmath::lgamma, REFERENCE(lgamma), -100, 1014), 2);
}

TEST_F(Sweep, LgammaOfNegativeArgumentsKeepsItsAbsoluteBound) {
  const RandomStream random(5, Purpose::payload);
  for (uint64_t i = 0; i < 60000; ++i) {
    const double x = -(i % 2 == 0 ? 5.0 : 200.0) * random.uniform(i);
    const long double expected = std::lgamma(static_cast<long double>(x));
    const double scale = 1 + std::abs(x * std::log(-x)) + std::abs(static_cast<double>(expected));
    ASSERT_LT(std::abs(static_cast<double>(fmath::lgamma(x) - expected)), 1e-15 * scale) << x;
  }
}

// The reference is one Newton step from the result, in long double: its own error is of the second order.
TEST_F(Sweep, NormalQuantileIsWithinEightUlp) {
  const RandomStream random(6, Purpose::payload);
  const long double root_half = std::sqrt(0.5L), root_two_pi = std::sqrt(2 * std::acos(-1.0L));
  double most = 0;
  for (uint64_t i = 0; i < 100000; ++i) {
    const UniformPair u = random.uniforms(i);
    const double p = i % 2 == 0 ? u.a : std::exp2(-1020 * u.a);
    const long double x = fmath::normal_quantile(p);
    if (x == 0) continue;
    const long double density = std::exp(-x * x / 2) / root_two_pi;
    // By the tail that is small, so that nothing cancels: of p or of 1 - p.
    const long double step =
        p < 0.5 ? (p - std::erfc(-x * root_half) / 2) / density
                : (std::erfc(x * root_half) / 2 - (1 - static_cast<long double>(p))) / density;
    most = std::max(most, ulps(static_cast<double>(x), x + step));
  }
  EXPECT_LT(most, 8);
}

TEST(NormalQuantile, RisesWithP) {
  double last = -infinity;
  for (int i = 1; i < 1'000'000; ++i) {
    const double x = fmath::normal_quantile(i * 1e-6);
    ASSERT_LT(last, x) << i;
    last = x;
  }
}

TEST(NormalQuantile, IsOddAboutTheMedian) {
  EXPECT_EQ(fmath::normal_quantile(0.5), 0.0);
  for (int k = 2; k < 50; ++k) {
    const double p = std::ldexp(1.0, -k);
    EXPECT_EQ(fmath::normal_quantile(p), -fmath::normal_quantile(1 - p));
  }
}

#define EXPECT_NAN(x) EXPECT_TRUE(std::isnan(x)) << #x
#define EXPECT_BITS(a, b)                                    \
  EXPECT_EQ(std::bit_cast<uint64_t>(static_cast<double>(a)), \
            std::bit_cast<uint64_t>(static_cast<double>(b))) \
      << #a

TEST(SpecialValues, Log) {
  EXPECT_BITS(fmath::log(1.0), 0.0);
  EXPECT_EQ(fmath::log(0.0), -infinity);
  EXPECT_EQ(fmath::log(-0.0), -infinity);
  EXPECT_EQ(fmath::log(infinity), infinity);
  EXPECT_NAN(fmath::log(-1.0));
  EXPECT_NAN(fmath::log(-infinity));
  EXPECT_NAN(fmath::log(nan));
}

TEST(SpecialValues, Exp) {
  EXPECT_EQ(fmath::exp(0.0), 1.0);
  EXPECT_EQ(fmath::exp(-0.0), 1.0);
  EXPECT_EQ(fmath::exp(infinity), infinity);
  EXPECT_BITS(fmath::exp(-infinity), 0.0);
  EXPECT_EQ(fmath::exp(710.0), infinity);
  EXPECT_LT(fmath::exp(709.782712893384), infinity);
  EXPECT_EQ(fmath::exp(-745.1332191019411), smallest);
  EXPECT_EQ(fmath::exp(-746.0), 0.0);
  EXPECT_NAN(fmath::exp(nan));
}

TEST(SpecialValues, Log1p) {
  EXPECT_BITS(fmath::log1p(0.0), 0.0);
  EXPECT_BITS(fmath::log1p(-0.0), -0.0);
  EXPECT_EQ(fmath::log1p(-1.0), -infinity);
  EXPECT_EQ(fmath::log1p(infinity), infinity);
  EXPECT_EQ(fmath::log1p(smallest), smallest);
  EXPECT_NAN(fmath::log1p(-1.5));
  EXPECT_NAN(fmath::log1p(nan));
}

TEST(SpecialValues, Expm1) {
  EXPECT_BITS(fmath::expm1(0.0), 0.0);
  EXPECT_BITS(fmath::expm1(-0.0), -0.0);
  EXPECT_EQ(fmath::expm1(infinity), infinity);
  EXPECT_EQ(fmath::expm1(-infinity), -1.0);
  EXPECT_EQ(fmath::expm1(710.0), infinity);
  EXPECT_EQ(fmath::expm1(-smallest), -smallest);
  EXPECT_NAN(fmath::expm1(nan));
}

TEST(SpecialValues, PowIsThatOfC99) {
  const std::vector<double> values = {0.0,     -0.0,     1.0,       -1.0,       0.5,        -0.5,
                                      2.0,     -2.0,     3.0,       -3.0,       4.0,        0x1p60,
                                      nan,     infinity, -infinity, 1e300,      smallest,   -smallest,
                                      largest, -largest, 0x1p53,    0x1p53 - 1, -0x1p53 + 1};
  for (const double x : values) {
    for (const double y : values) {
      const double expected = std::pow(x, y), result = fmath::pow(x, y);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(result)) << x << " " << y;
      } else {
        const bool inexact = std::isfinite(expected) && expected != 0;
        EXPECT_TRUE(result == expected || (inexact && ulps(result, expected) <= 1)) << x << " " << y;
        EXPECT_EQ(std::signbit(result), std::signbit(expected)) << x << " " << y;
      }
    }
  }
}

TEST(SpecialValues, PowOfExactCasesIsExact) {
  for (int n = -1074; n <= 1023; ++n) EXPECT_EQ(fmath::pow(2.0, n), std::ldexp(1.0, n));
  EXPECT_EQ(fmath::pow(10.0, 15.0), 1e15);
  EXPECT_EQ(fmath::pow(-3.0, 5.0), -243.0);
  EXPECT_EQ(fmath::pow(7.0, 1.0), 7.0);
  EXPECT_EQ(fmath::pow(1e200, 2.0), infinity);
  EXPECT_EQ(fmath::pow(-1e200, 3.0), -infinity);
  EXPECT_BITS(fmath::pow(-1e-200, 3.0), -0.0);
}

TEST(SpecialValues, Lgamma) {
  EXPECT_BITS(fmath::lgamma(1.0), 0.0);
  EXPECT_BITS(fmath::lgamma(2.0), 0.0);
  for (const double pole : {0.0, -0.0, -1.0, -2.0, -1e10, -0x1p53, infinity, -infinity}) {
    EXPECT_EQ(fmath::lgamma(pole), infinity) << pole;
  }
  EXPECT_EQ(fmath::lgamma(1e306), infinity);
  EXPECT_LT(fmath::lgamma(2.55e305), infinity);
  EXPECT_NAN(fmath::lgamma(nan));
}

TEST(SpecialValues, SinAndCos) {
  EXPECT_BITS(fmath::sin(0.0), 0.0);
  EXPECT_BITS(fmath::sin(-0.0), -0.0);
  EXPECT_EQ(fmath::sin(-smallest), -smallest);
  EXPECT_EQ(fmath::cos(0.0), 1.0);
  for (const double x : {nan, infinity, -infinity, 0x1.0000000000001p30, -1e300}) {
    EXPECT_NAN(fmath::sin(x));
    EXPECT_NAN(fmath::cos(x));
  }
}

TEST(SpecialValues, ErfAndErfc) {
  EXPECT_BITS(fmath::erf(0.0), 0.0);
  EXPECT_BITS(fmath::erf(-0.0), -0.0);
  EXPECT_EQ(fmath::erf(infinity), 1.0);
  EXPECT_EQ(fmath::erf(-infinity), -1.0);
  EXPECT_EQ(fmath::erf(10.0), 1.0);
  EXPECT_EQ(fmath::erfc(0.0), 1.0);
  EXPECT_EQ(fmath::erfc(infinity), 0.0);
  EXPECT_EQ(fmath::erfc(-infinity), 2.0);
  EXPECT_EQ(fmath::erfc(30.0), 0.0);
  EXPECT_NAN(fmath::erf(nan));
  EXPECT_NAN(fmath::erfc(nan));
}

TEST(SpecialValues, NormalQuantile) {
  EXPECT_EQ(fmath::normal_quantile(0.0), -infinity);
  EXPECT_EQ(fmath::normal_quantile(1.0), infinity);
  EXPECT_TRUE(std::isfinite(fmath::normal_quantile(smallest)));
  for (const double p : {nan, -0.1, 1.1, infinity, -infinity}) EXPECT_NAN(fmath::normal_quantile(p));
}

// The hash of a million results. It may change only together with `algo` of the records: a compiler, an
// optimisation or a processor that changes one bit of one result fails here.
struct Pinned {
  const char* name;
  double (*draw)(UniformPair);  // exact operations only
  double (*function)(UniformPair, double);
  uint64_t hash;
};

uint64_t hash_of(const Pinned& pinned) {
  const RandomStream random(8, Purpose::payload);
  std::vector<double> results;
  constexpr size_t count = 1'000'000;
  results.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const UniformPair u = random.uniforms(i);
    results.push_back(pinned.function(u, pinned.draw(u)));
  }
  return XXH3_64bits(results.data(), results.size() * sizeof(double));
}

const Pinned pinned[] = {
    {"log", [](UniformPair u) { return std::ldexp(u.a, static_cast<int>(u.b * 2000) - 1000); },
     [](UniformPair, double x) { return fmath::log(x); }, 0xf19ee4bb9949283au},
    {"exp", [](UniformPair u) { return u.a * 1460 - 750; },
     [](UniformPair, double x) { return fmath::exp(x); }, 0xca14fb0bba2defbeu},
    {"log1p",
     [](UniformPair u) {
       return u.b < 0.5 ? u.a * 4 - 1 : std::ldexp(u.a, static_cast<int>(u.b * 200) - 140);
     },
     [](UniformPair, double x) { return fmath::log1p(x); }, 0x5173ff5128ba5899u},
    {"expm1", [](UniformPair u) { return u.b < 0.5 ? u.a * 4 - 2 : u.a * 760 - 50; },
     [](UniformPair, double x) { return fmath::expm1(x); }, 0x66b5e0dff52ef5abu},
    {"pow", [](UniformPair u) { return u.a * 4; },
     [](UniformPair u, double x) { return fmath::pow(x, u.b * 400 - 200); }, 0x55ba3c4f8d79fcabu},
    {"lgamma", [](UniformPair u) { return u.b < 0.5 ? u.a * 10 : u.a * 100 - 50; },
     [](UniformPair, double x) { return fmath::lgamma(x); }, 0xbd4b3f88ff11aa5u},
    {"sin", [](UniformPair u) { return std::ldexp(u.a - 0.5, static_cast<int>(u.b * 60) - 29); },
     [](UniformPair, double x) { return fmath::sin(x); }, 0x1e773adca5ee688fu},
    {"cos", [](UniformPair u) { return std::ldexp(u.a - 0.5, static_cast<int>(u.b * 60) - 29); },
     [](UniformPair, double x) { return fmath::cos(x); }, 0xf5cea28220505eadu},
    {"erf", [](UniformPair u) { return u.a * 12 - 6; }, [](UniformPair, double x) { return fmath::erf(x); },
     0x9ad66cb82f98778u},
    {"erfc", [](UniformPair u) { return u.b < 0.5 ? u.a * 8 - 4 : u.a * 34 - 6; },
     [](UniformPair, double x) { return fmath::erfc(x); }, 0xdd2fe9cf2e5adfa8u},
    {"normal_quantile",
     [](UniformPair u) { return u.b < 0.5 ? u.a : std::ldexp(u.a, -static_cast<int>(u.b * 100)); },
     [](UniformPair, double x) { return fmath::normal_quantile(x); }, 0x246eba4211bdae83u},
};

class PinnedBits : public testing::TestWithParam<Pinned> {};

TEST_P(PinnedBits, OfAMillionResultsHoldOnEveryCompiler) {
  EXPECT_EQ(hash_of(GetParam()), GetParam().hash) << fmt::format("{:#x}", hash_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Fmath, PinnedBits, testing::ValuesIn(pinned),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace mlq
