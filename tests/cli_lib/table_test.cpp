// Tables and charts for people.
#include "lib/cli/table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace mlq::cli {
namespace {

TEST(Table, AlignsItsColumnsAndLeavesNoSpaceAtTheEnd) {
  Table table({{"class", Align::left}, {"count"}, {"note", Align::left}});
  table.add({"chat", "1,204", ""});
  table.add({"größer", "7", "x"});
  EXPECT_EQ(table.text(),
            "class   count  note\n"
            "chat    1,204\n"
            "größer      7  x\n");
}

TEST(Table, WithoutHeadingsHasOnlyRows) {
  Table table({{"", Align::left}, {""}});
  table.add({"count", "12"});
  EXPECT_EQ(table.text(), "count  12\n");
}

TEST(Table, RefusesARowOfAnotherWidth) {
  Table table({{"a"}});
  EXPECT_THROW(table.add({"1", "2"}), std::logic_error);
}

TEST(Numbers, AreGroupedAndRounded) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(18446744073709551615u), "18,446,744,073,709,551,615");
  EXPECT_EQ(rounded(1234.56), "1235");
  EXPECT_EQ(rounded(0.0123456), "0.01235");
  EXPECT_EQ(rounded(std::nan("")), "-");
}

TEST(Sparkline, FillsInProportionToTheHighest) {
  const double values[] = {0, 1, 2, 4, 8};
  EXPECT_EQ(sparkline(values, 10, true), " ▁▂▄█");
  EXPECT_EQ(sparkline(values, 10, false), " ...#");
}

TEST(Sparkline, AveragesWhenThereIsLessRoom) {
  const double values[] = {8, 8, 4, 4, 0, 0};
  EXPECT_EQ(sparkline(values, 3, true), "█▄ ");
  EXPECT_EQ(sparkline(values, 2, true), "█▂");  // 20/3 and 4/3
}

TEST(Sparkline, OfNothingAndOfZerosIsEmptyOrBlank) {
  EXPECT_EQ(sparkline({}, 5, true), "");
  const double zeros[] = {0, 0, NAN};
  EXPECT_EQ(sparkline(zeros, 5, true), "   ");
}

TEST(Chart, HasAScaleAndEnds) {
  Chart chart{.width = 16, .height = 2, .utf8 = true, .unit = "/s", .from = "0s", .to = "4s"};
  const double values[] = {0, 25, 50, 75, 100};
  EXPECT_EQ(chart.text(values),
            "100/s ┤   ▄█\n"
            "  0/s ┤ ▄███\n"
            "       0s 4s\n");
  chart.utf8 = false;
  EXPECT_EQ(chart.text(values),
            "100/s |   .#\n"
            "  0/s | .###\n"
            "       0s 4s\n");
}

TEST(Chart, OfNothingIsAnEmptyScale) {
  Chart chart;
  chart.height = 2;
  EXPECT_EQ(chart.text({}), "1 ┤\n0 ┤\n");
}

TEST(Chart, StaysWithinItsWidth) {
  Chart chart;
  chart.width = 30;
  chart.utf8 = false;
  const std::vector<double> values(1000, 3.7);
  std::string text = chart.text(values);
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 30u);
    at = end + 1;
  }
}

}  // namespace
}  // namespace mlq::cli
