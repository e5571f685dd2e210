#include "lib/arrival/path/expression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lib/base/fmath.h"
#include "tests/arrival/harness.h"

namespace mlq::arrival {
namespace {

using test::failure_of;

double value(const std::string& text, double t = 0) { return Expression(text)(t); }

TEST(Expression, BindsAsInSchool) {
  EXPECT_EQ(value("1+2*3"), 7);
  EXPECT_EQ(value("(1+2)*3"), 9);
  EXPECT_EQ(value("10-4-3"), 3);
  EXPECT_EQ(value("24/4/2"), 3);
  EXPECT_EQ(value("2^3^2"), 512);
  EXPECT_EQ(value("-2^2"), -4);
  EXPECT_EQ(value("(-2)^2"), 4);
  EXPECT_EQ(value("2^-1"), 0.5);
  EXPECT_EQ(value("2*-3"), -6);
  EXPECT_EQ(value("--3"), 3);
  EXPECT_EQ(value("1 - -1"), 2);
}

TEST(Expression, KnowsItsFunctionsAndNames) {
  EXPECT_EQ(value("t*t", 3), 9);
  EXPECT_EQ(value("pi"), 3.141592653589793);
  EXPECT_EQ(value("min(3, 2) + max(3, 2)"), 5);
  EXPECT_EQ(value("abs(-1.5)"), 1.5);
  EXPECT_EQ(value("floor(-1.5)"), -2);
  EXPECT_EQ(value("sqrt(2)"), std::sqrt(2.0));
  EXPECT_EQ(value("exp(1)"), fmath::exp(1));
  EXPECT_EQ(value("log(10)"), fmath::log(10));
  EXPECT_EQ(value("sin(t)", 1), fmath::sin(1));
  EXPECT_EQ(value("cos(t)", 1), fmath::cos(1));
  EXPECT_EQ(value("2.5e2 + .5"), 250.5);
  EXPECT_EQ(value(" 100 * ( 1 + 0.5 * sin( 2*pi*t/86400 ) ) ", 21600), 150);
}

TEST(Expression, ArithmeticOutsideTheNumbersGivesNoNumber) {
  EXPECT_TRUE(std::isinf(value("1/0")));
  EXPECT_TRUE(std::isnan(value("sqrt(-1)")));
  EXPECT_TRUE(std::isnan(value("0/0")));
}

TEST(Expression, MistakesShowTheirPlace) {
  const auto fault = [](const std::string& text) { return failure_of([&] { Expression e(text); }); };
  EXPECT_EQ(fault(""), "2: \"\": a number, t, pi, a function or \"(\" is missing at the end");
  EXPECT_EQ(fault("1+"), "2: \"1+\": a number, t, pi, a function or \"(\" is missing at the end");
  EXPECT_EQ(fault("(1"), "2: \"(1\": \")\" is missing at the end");
  EXPECT_EQ(fault("1)"), "2: \"1)\": an operator was expected at \")\"");
  EXPECT_EQ(fault("1 2"), "2: \"1 2\": an operator was expected at \"2\"");
  EXPECT_EQ(fault("*2"), "2: \"*2\": a number, t, pi, a function or \"(\" was expected at \"*2\"");
  EXPECT_EQ(fault("min(1)"), "2: \"min(1)\": \",\" was expected at \")\"");
  EXPECT_EQ(fault("sin 1"), "2: \"sin 1\": \"(\" was expected at \"1\"");
  EXPECT_EQ(fault("tan(1)"),
            "2: \"tan(1)\": there is no \"tan\"; there are t, pi, sin, cos, exp, log, sqrt, min, max, abs "
            "and floor");
  EXPECT_EQ(fault("."), "2: \".\": a number was expected at \".\"");
}

TEST(Expression, DepthAndLengthAreBounded) {
  const auto fault = [](const std::string& text) { return failure_of([&] { Expression e(text); }); };
  EXPECT_NE(fault(std::string(5000, '(')).find("nested too deeply"), std::string::npos);
  EXPECT_NE(fault(std::string(5000, '-') + "1").find("nested too deeply"), std::string::npos);
  std::string power = "1", sum = "1";
  for (int k = 0; k < 5000; ++k) {
    power += "^1";
    sum += "+1";
  }
  EXPECT_NE(fault(power).find("nested too deeply"), std::string::npos);
  EXPECT_NE(fault(sum).find("too long"), std::string::npos);
}

}  // namespace
}  // namespace mlq::arrival
