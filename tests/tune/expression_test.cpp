// Expressions against C++'s own arithmetic, and what is said about those that cannot be read.
#include "lib/tune/space/expression.h"

#include <gtest/gtest.h>

#include "lib/base/error.h"

namespace mlq::tune::test {
namespace {

std::optional<KnobValue> machine(std::string_view name) {
  if (name == "cores") return int64_t{8};
  return std::nullopt;
}

std::optional<KnobValue> knobs(std::string_view name) {
  if (name == "rows") return int64_t{7};
  if (name == "share") return 0.5;
  if (name == "mode") return std::string("fast");
  if (name == "spin") return true;
  return std::nullopt;
}

std::optional<KnobValue> value(std::string_view text) {
  return Expression::parse(text, machine).value(knobs);
}
bool holds(std::string_view text) { return Expression::parse(text, machine).holds(knobs); }

std::string refusal(std::string_view text) {
  try {
    Expression::parse(text, machine);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    return error.what();
  }
  return "accepted";
}

KnobValue whole(int64_t value) { return value; }

TEST(Expression, BindsAsInC) {
  EXPECT_EQ(value("1 + 2 * 3 - 4"), whole(3));
  EXPECT_EQ(value("(1 + 2) * 3 % 4"), whole(1));
  EXPECT_EQ(value("-rows - -1"), whole(-6));
  EXPECT_EQ(value("2 - 3 - 4"), whole(-5));
  EXPECT_TRUE(holds("1 + 1 == 2 && 3 < 4 || 1 / 0"));
  EXPECT_TRUE(holds("!(rows < 7) && !spin == false"));
}

TEST(Expression, WholeNumbersStayWholeWhereTheResultIsExact) {
  EXPECT_EQ(value("8 / 2"), whole(4));
  EXPECT_EQ(value("rows / 2"), KnobValue(3.5));
  EXPECT_EQ(value("floor(rows / 2)"), whole(3));
  EXPECT_EQ(value("ceil(rows / 2)"), whole(4));
  EXPECT_EQ(value("max(1, floor(rows * share), 2)"), whole(3));
  EXPECT_EQ(value("min(rows, 2.5)"), KnobValue(2.5));
  EXPECT_EQ(value("9223372036854775807 + 1"), KnobValue(0x1p63));
  EXPECT_EQ(value("(0 - 9223372036854775807 - 1) / -1"), KnobValue(0x1p63));
  EXPECT_EQ(value("(0 - 9223372036854775807 - 1) % -1"), whole(0));
  EXPECT_EQ(value("2 * $cores"), whole(16));
}

TEST(Expression, WhatHasNoValueHoldsNowhere) {
  EXPECT_EQ(value("rows / 0"), std::nullopt);
  EXPECT_EQ(value("rows % 0"), std::nullopt);
  EXPECT_EQ(value("unknown + 1"), std::nullopt);
  EXPECT_EQ(value("mode + 1"), std::nullopt);
  EXPECT_EQ(value("1e308 * 10"), std::nullopt);
  EXPECT_FALSE(holds("mode == 1"));
  EXPECT_FALSE(holds("!(rows / 0 > 1)"));
  EXPECT_FALSE(holds("rows / 0 > 1 || true"));
  EXPECT_FALSE(holds("mode"));
}

TEST(Expression, TheSecondPartIsNotLookedAtWhereTheFirstSettlesIt) {
  EXPECT_EQ(value("rows == 0 && 1 / 0 > 2"), KnobValue(false));
  EXPECT_EQ(value("rows == 7 || 1 / 0 > 2"), KnobValue(true));
}

TEST(Expression, StringsAreEqualOrNot) {
  EXPECT_TRUE(holds("mode == 'fast'"));
  EXPECT_TRUE(holds("mode != 'slow'"));
  EXPECT_FALSE(holds("mode < 'slow'"));
}

TEST(Expression, NamesAreListedOnceInOrder) {
  const auto e = Expression::parse("b + a * b - max(c, a)", machine);
  EXPECT_EQ(e.names(), (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(e.text(), "b + a * b - max(c, a)");
}

TEST(Expression, ConstantsLeaveOnlyTheOtherNames) {
  const auto e = Expression::parse("mode == 'fast' && rows > limit", machine).with(knobs);
  EXPECT_EQ(e.names(), std::vector<std::string>{"limit"});
  EXPECT_TRUE(e.holds([](std::string_view name) -> std::optional<KnobValue> {
    if (name == "limit") return int64_t{6};
    return std::nullopt;
  }));
}

TEST(Expression, SaysWhereItCannotBeRead) {
  EXPECT_EQ(refusal("rows * * 2"),
            "\"rows * * 2\": at character 8: a number, a knob or a parenthesis is wanted");
  EXPECT_EQ(refusal("rows +"), "\"rows +\": at the end: a number, a knob or a parenthesis is wanted");
  EXPECT_EQ(refusal("(rows"), "\"(rows\": at the end: \")\" is wanted");
  EXPECT_EQ(refusal("rows 2"), "\"rows 2\": at character 6: an operator is wanted");
  EXPECT_EQ(refusal("flor(rows)"),
            "\"flor(rows)\": at character 1: there is no function flor; did you mean floor?");
  EXPECT_EQ(refusal("system(1)"),
            "\"system(1)\": at character 1: there is no function system; there are min, max, floor and ceil");
  EXPECT_EQ(refusal("2 * $core"),
            "\"2 * $core\": at character 5: there is no $core; there are $cores, $memory_bytes and $gpus");
  EXPECT_EQ(refusal("mode == 'fast"), "\"mode == 'fast\": at character 9: this string does not end");
  EXPECT_EQ(refusal("1 < rows < 3"),
            "\"1 < rows < 3\": at character 10: comparisons do not chain; write a < b && b < c");
  EXPECT_EQ(refusal("2x"), "\"2x\": at character 1: this number cannot be read");
}

TEST(Expression, DepthAndLengthAreBounded) {
  EXPECT_NE(refusal(std::string(60, '(') + "1" + std::string(60, ')')).find("nested over 50 deep"),
            std::string::npos);
  EXPECT_NE(refusal(std::string(60, '-') + "1").find("nested over 50 deep"), std::string::npos);
  EXPECT_NE(refusal(std::string(3000, '1')).find("at most 2000 characters"), std::string::npos);
  std::string longest = "1";
  while (longest.size() + 2 <= Expression::kMostCharacters) longest += "+1";
  EXPECT_EQ(value(longest), whole(static_cast<int64_t>(longest.size() / 2 + 1)));
}

TEST(Expression, TheMachineHasCores) {
  EXPECT_TRUE(
      Expression::parse("$cores >= 1 && $memory_bytes > 0 && $gpus >= 0", machine_value).holds(knobs));
  EXPECT_EQ(machine_value("core"), std::nullopt);
}

}  // namespace
}  // namespace mlq::tune::test
