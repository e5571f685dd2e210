#include "lib/base/fmath_block.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Function {
  const char* name;
  void (*block)(const double*, double*, size_t);
  double (*scalar)(double);
  double (*draw)(UniformPair);  // over the whole domain of the branch-free part
};

const Function functions[] = {
    {"log", fmath::log_block, fmath::log,
     [](UniformPair u) { return std::ldexp(u.a + 0.5, static_cast<int>(u.b * 2044) - 1021); }},
    {"log_of_uniform", fmath::log_block, fmath::log, [](UniformPair u) { return u.a; }},
    {"exp", fmath::exp_block, fmath::exp, [](UniformPair u) { return u.a * 1400 - 700; }},
    {"normal_quantile", fmath::normal_quantile_block, fmath::normal_quantile,
     [](UniformPair u) { return u.a; }},
    {"normal_quantile_of_tails", fmath::normal_quantile_block, fmath::normal_quantile,
     [](UniformPair u) {
       return u.b < 0.5 ? std::ldexp(u.a, -static_cast<int>(u.b * 200)) : 1 - u.a * 0x1p-40;
     }},
};

std::vector<double> arguments(const Function& function, size_t n) {
  const RandomStream random(11, Purpose::payload);
  std::vector<double> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = function.draw(random.uniforms(i));
  return x;
}

// Of NaN, any counts as the same.
bool same(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) || (std::isnan(a) && std::isnan(b));
}

class Block : public testing::TestWithParam<Function> {};

TEST_P(Block, GivesTheBitsOfTheScalarCall) {
  const Function& function = GetParam();
  const std::vector<double> x = arguments(function, 300'000);
  std::vector<double> out(x.size());
  function.block(x.data(), out.data(), x.size());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(same(out[i], function.scalar(x[i]))) << x[i];
}

TEST_P(Block, TakesAnyLengthAndWritesNoFurther) {
  const Function& function = GetParam();
  const std::vector<double> x = arguments(function, 600);
  for (size_t n = 0; n < 600; n += n < 20 || (n > 250 && n < 262) ? 1 : 37) {
    std::vector<double> out(n + 4, 123.0);
    function.block(x.data(), out.data(), n);
    for (size_t i = 0; i < n; ++i) ASSERT_TRUE(same(out[i], function.scalar(x[i]))) << n << " " << i;
    for (size_t i = n; i < out.size(); ++i) ASSERT_EQ(out[i], 123.0) << n << " " << i;
  }
}

TEST_P(Block, WorksInPlace) {
  const Function& function = GetParam();
  const std::vector<double> x = arguments(function, 1000);
  std::vector<double> y = x;
  function.block(y.data(), y.data(), y.size());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(same(y[i], function.scalar(x[i]))) << x[i];
}

TEST_P(Block, GivesSpecialValuesAmongOthers) {
  const Function& function = GetParam();
  const double special[] = {0.0,      -0.0,      1.0,       -1.0,       nan,
                            infinity, -infinity, 0x1p-1074, 0x1p-1022,  0x1.fffffffffffffp+1023,
                            700.0,    -700.0,    700.1,     -720.0,     709.9,
                            -745.13,  0.075,     0.925,     1e-10,      1e-11,
                            1.4e-11,  1e-300,    0.5,       1 - 0x1p-53};
  for (const double value : special) {
    std::vector<double> x = arguments(function, 700);
    x[3] = x[300] = x[699] = value;
    std::vector<double> out(x.size());
    function.block(x.data(), out.data(), x.size());
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_TRUE(same(out[i], function.scalar(x[i]))) << value << " " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Fmath, Block, testing::ValuesIn(functions),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(UniformBlock, GivesTheUniformsOfConsecutiveEvents) {
  const RandomStream random(12, Purpose::gaps);
  // Past the carry into the upper word of the index, and past its end.
  for (const uint64_t first :
       {uint64_t{0}, uint64_t{0xFFFFFFF0}, uint64_t{0x123456789ABCDEF0}, ~uint64_t{0} - 20}) {
    for (size_t n = 0; n <= 70; ++n) {
      std::vector<double> a(n + 4, 123.0), b(n + 4, 123.0), alone(n + 4, 123.0);
      fmath::uniform_block(random.key(), first, 7, 9, a.data(), b.data(), n);
      fmath::uniform_block(random.key(), first, 7, 9, alone.data(), nullptr, n);
      EXPECT_EQ(a, alone);
      for (size_t i = 0; i < n; ++i) {
        const UniformPair u = random.uniforms(first + i, 7, 9);
        ASSERT_EQ(a[i], u.a) << first << " " << i;
        ASSERT_EQ(b[i], u.b) << first << " " << i;
      }
      for (size_t i = n; i < n + 4; ++i) ASSERT_TRUE(a[i] == 123.0 && b[i] == 123.0);
    }
  }
}

}  // namespace
}  // namespace mlq
