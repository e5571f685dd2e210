// Scripts, and what gnuplot makes of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "lib/base/error.h"
#include "lib/plot/gnuplot_run.h"
#include "lib/plot/gnuplot_script.h"
#include "lib/plot/gnuplot_text.h"
#include "lib/plot/scale.h"
#include "lib/plot/tick_room.h"
#include "tests/support/temp_dir.h"

namespace mlq::plot {
namespace {

TEST(PlotText, HasNoQuoteInsideItsQuotes) {
  EXPECT_EQ(quoted("a"), "'a'");
  EXPECT_EQ(quoted("it's `id` \\n @x \"q\""), "'it\u2019s `id` \\n @x \"q\"'");
  EXPECT_EQ(quoted("a\nset output\r\t\x1b[0m\x7f"), "'a set output   [0m '");
  EXPECT_EQ(quoted("\xff\xc3\xa9\xc2\x85"), "'?\xc3\xa9 '");
  EXPECT_EQ(quoted(""), "''");
}

TEST(PlotText, OfALongTextTheMiddleIsLeftOut) {
  EXPECT_EQ(quoted("0123456789", 10), "'0123456789'");
  EXPECT_EQ(quoted("0123456789abcdef", 10), "'012...cdef'");
  EXPECT_EQ(quoted("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5), "'\xc3\xa9...\xc3\xa9'");
}

TEST(PlotScale, UnitsAreThoseThatPeopleRead) {
  EXPECT_EQ(unit_for(Quantity::time, 5e-9).unit, "ns");
  EXPECT_EQ(unit_for(Quantity::time, 0.0005).unit, "us");
  EXPECT_EQ(unit_for(Quantity::time, 0.25).unit, "ms");
  EXPECT_EQ(unit_for(Quantity::time, 0).unit, "s");
  EXPECT_EQ(unit_for(Quantity::time, 90).unit, "s");
  EXPECT_EQ(unit_for(Quantity::time, 1'200).unit, "min");
  EXPECT_EQ(unit_for(Quantity::time, 86'400).unit, "h");
  EXPECT_EQ(unit_for(Quantity::time, 1e6).unit, "d");
  EXPECT_EQ(unit_for(Quantity::share, 0.1).factor, 100);
  EXPECT_EQ(unit_for(Quantity::number, 99'999).factor, 1);
  EXPECT_EQ(unit_for(Quantity::number, 2e5).unit, "thousands");
  EXPECT_EQ(unit_for(Quantity::number, 2e9).factor, 1e-9);
  EXPECT_EQ(unit_for(Quantity::bytes, 999).unit, "B");
  EXPECT_EQ(unit_for(Quantity::bytes, 2e6).unit, "MB");
}

TEST(PlotScale, TicksOfALogAxisEncloseItsValues) {
  for (const auto& [from, to] :
       {std::pair{1e-6, 3.0}, {0.3, 0.4}, {1.0, 1.0}, {7e-9, 8e8}, {0.02, 0.02}, {99.0, 101.0}}) {
    const LogTicks ticks = log_ticks(from, to);
    EXPECT_LE(ticks.from, from);
    EXPECT_GE(ticks.to, to);
    EXPECT_LT(ticks.from, ticks.to);
    EXPECT_GE(ticks.at.size(), 2u) << from << ' ' << to;
    EXPECT_LE(ticks.at.size(), 20u);
  }
  EXPECT_EQ(log_ticks(0.3, 0.4).at, (std::vector<double>{0.2, 0.5}));
  EXPECT_EQ(log_ticks(1e-3, 0.5).at, (std::vector<double>{1e-3, 1e-2, 0.1}));
}

TEST(PlotScale, OfManyDecadesSomeAreNamed) {
  const LogTicks ticks = log_ticks(1e-12, 1e12);
  EXPECT_LE(ticks.at.size(), 9u);
  EXPECT_GE(ticks.at.size(), 4u);
}

TEST(PlotScale, PercentilesReachBelowTheSmallestShare) {
  const LogTicks ticks = percentile_ticks(0.004);
  EXPECT_EQ(ticks.from, 1e-3);
  EXPECT_EQ(ticks.to, 1);
  std::vector<std::string> names;
  for (const double at : ticks.at) names.push_back(tick_text(Quantity::percentile, at));
  EXPECT_EQ(names, (std::vector<std::string>{"min", "p50", "p90", "p99", "p99.9"}));
  EXPECT_EQ(tick_text(Quantity::percentile, 1e-5), "p99.999");
  EXPECT_EQ(percentile_ticks(1).from, 0.1);
}

TEST(PlotScale, TicksAreNamedInTheirUnit) {
  EXPECT_EQ(tick_text(Quantity::bytes, 5e4), "50kB");
  EXPECT_EQ(tick_text(Quantity::time, 1e-5), "10us");
  EXPECT_EQ(tick_text(Quantity::time, 100), "100s");
  EXPECT_EQ(tick_text(Quantity::share, 0.001), "0.1%");
  EXPECT_EQ(tick_text(Quantity::number, 2e6), "2M");
  EXPECT_EQ(tick_text(Quantity::number, 0.5), "0.5");
}

// Where there is room ticks are gnuplot's own, whose steps are known: set terminal dumb; plot [0:250] x.
TEST(PlotTickRoom, WithRoomTheStepIsGnuplots) {
  for (const auto& [high, step] : {std::pair{250.0, 50.0}, {59.5, 10.0}, {1.0, 0.2}, {0.002, 0.0005}}) {
    const auto wide = step_with_room(0, high, {100, true});
    ASSERT_TRUE(wide.has_value());
    EXPECT_EQ(wide->size, step);
    EXPECT_FALSE(wide->chosen);
  }
  EXPECT_FALSE(step_with_room(1, 1, {100, true}).has_value());
}

TEST(PlotTickRoom, WithoutRoomTheStepGrowsUntilNamesDoNotMeet) {
  for (const double low : {0.0, -3.0, 100'000.0, 1e17}) {
    for (const double length : {3e-5, 0.7, 59.5, 600.0, 1e6}) {
      for (double cells = 1; cells < 60; cells += 0.5) {
        for (const bool side_by_side : {false, true}) {
          const double high = low + length;
          if (high - low < length / 2) continue;  // not told apart
          const auto step = step_with_room(low, high, {cells, side_by_side});
          ASSERT_TRUE(step.has_value());
          const double apart = cells * step->size / (high - low);
          const double taken = side_by_side ? static_cast<double>(step->widest) + 1 : 1;
          EXPECT_TRUE(apart >= taken || step->size >= high - low) << low << ' ' << length << ' ' << cells;
        }
      }
    }
  }
}

TEST(PlotTickRoom, NamesThatWouldMeetOneBeforeThemAreLeftOut) {
  const PlacedTicks ticks = {{"1us", 0}, {"10us", 0.25}, {"100us", 0.5}, {"1ms", 0.75}, {"10ms", 1}};
  using Kept = std::vector<size_t>;
  EXPECT_EQ(ticks_with_room(ticks, {24, true}), (Kept{0, 1, 2, 3, 4}));
  EXPECT_EQ(ticks_with_room(ticks, {23, true}), (Kept{0, 2, 4}));
  EXPECT_EQ(ticks_with_room(ticks, {6, true}), (Kept{0, 4}));
  EXPECT_EQ(ticks_with_room(ticks, {5, true}), (Kept{0}));
  EXPECT_EQ(ticks_with_room(ticks, {4, false}), (Kept{0, 1, 2, 3, 4}));
}

Picture simple() {
  Picture p;
  p.title = "Title";
  p.x = {.label = "time", .quantity = Quantity::time};
  p.y = {.label = "latency", .quantity = Quantity::time, .from_zero = true};
  p.curves = {{"p99", Shape::line, {{0, 0.01}, {1, 0.02}, {2, kNone}, {3, 0.015}}}};
  p.marks = {{"SLO", 0.05, false}};
  return p;
}

std::string script_of(const Picture& picture, const Canvas& canvas = {}) {
  return gnuplot_script(std::span(&picture, 1), canvas);
}

TEST(PlotScript, HasItsDataInTheUnitsOfItsAxes) {
  const std::string script = script_of(simple());
  EXPECT_NE(script.find("set title 'Title: latency (ms)' noenhanced\n"), std::string::npos) << script;
  EXPECT_NE(script.find("$curve0 << EOD\n0 10\n1 20\n\n3 15\nEOD\n"), std::string::npos) << script;
  EXPECT_NE(script.find("$curve1 << EOD\n0 50\n3 50\nEOD\n"), std::string::npos) << script;
  EXPECT_NE(script.find("set terminal dumb nofeed size 80,24 noenhanced mono\n"), std::string::npos);
}

TEST(PlotScript, AnIntervalWithoutAnUpperEndReachesToTheEndOfTheAxis) {
  Picture p = simple();
  p.marks.clear();
  p.y = {.label = "samples", .logarithmic = true};
  p.curves = {
      {"noise", Shape::line, {{0, 100}, {1, 100, 50, kNone}, {2, 120, 60, 200}, {3, 110, 1e-9, 1e9}}}};
  const std::string script = script_of(p);
  EXPECT_NE(script.find("set yrange [5:2000]\n"), std::string::npos) << script;
  EXPECT_NE(script.find("$band0 << EOD\n\n1 50 2000\n2 60 200\n3 5 2000\nEOD\n"), std::string::npos)
      << script;
}

TEST(PlotScript, TheSubjectGivesWayToTitleAndLabel) {
  const auto title = [](const std::string& name, const std::string& subject, const std::string& label) {
    Picture p = simple();
    p.title = name;
    p.subject = subject;
    p.y.label = label;
    const std::string script = script_of(p, {.width = 50});
    const size_t begin = script.find("set title '") + 11;
    return script.substr(begin, script.find("' noenhanced", begin) - begin);
  };
  EXPECT_EQ(title("Latency", "http://a", "time"), "Latency - http://a: time (ms)");
  EXPECT_EQ(title("Latency over time", "http://a", "latency"), "Latency over time - http://a (ms)");
  EXPECT_EQ(title("Latency", "http://127.0.0.1:8000/v1/chat/completions", "time to first token"),
            "Latency - http:...etions: time to first token (ms)");
  EXPECT_EQ(title("The latency of all requests", "http://127.0.0.1", "first token"),
            "The latency of all requests: first token (ms)");
}

// What has dots is one file, text one picture after the other.
TEST(PlotScript, PicturesStandOneBelowTheOther) {
  const std::vector<Picture> two = {simple(), simple()};
  const auto count = [](const std::string& script, const std::string& word) {
    size_t n = 0;
    for (size_t at = 0; (at = script.find(word, at)) != std::string::npos; at += word.size()) ++n;
    return n;
  };
  const std::string svg = gnuplot_script(two, {Device::svg, 800, 300});
  EXPECT_NE(svg.find("set terminal svg size 800,600 "), std::string::npos) << svg;
  EXPECT_NE(svg.find("set multiplot layout 2,1\n"), std::string::npos) << svg;
  EXPECT_EQ(count(svg, "set terminal"), 1u);
  EXPECT_TRUE(svg.ends_with("unset multiplot\n")) << svg;
  const std::string text = gnuplot_script(two, {});
  EXPECT_EQ(count(text, "set terminal dumb nofeed size 80,24 "), 2u);
  EXPECT_EQ(count(text, "multiplot"), 0u);
  EXPECT_EQ(count(text, "reset\n"), 1u);
}

// On a frame of characters they would be lost.
TEST(PlotScript, PointsStayOffTheFrame) {
  Picture p;
  p.curves = {{"a", Shape::points, {{0, 1}, {10, 2}}}};
  const std::string linear = script_of(p);
  EXPECT_NE(linear.find("set xrange [-0.4:10.4]\n"), std::string::npos) << linear;
  EXPECT_NE(linear.find("set yrange [0.9333333:2.066667]\n"), std::string::npos) << linear;
  p.x.logarithmic = p.y.logarithmic = true;
  p.curves[0].points = {{1, 10}, {100, 1'000}};
  const std::string log = script_of(p);
  EXPECT_NE(log.find("set xrange [0.5:200]\n"), std::string::npos) << log;
  EXPECT_NE(log.find("set yrange [5:2000]\n"), std::string::npos) << log;
}

// The median of a time that half of the runs did not reach.
TEST(PlotScript, AnIntervalOfARowWithoutAnEndReachesToThatOfTheAxis) {
  Picture p;
  p.x = {.label = "trials", .from_zero = true};
  p.y.rows = {"a", "b"};
  p.curves = {{"median", Shape::points, {{100, 0, 50, kNone}, {60, 1}}}};
  const std::string script = script_of(p);
  EXPECT_NE(script.find("set xrange [-4:104]\n"), std::string::npos) << script;
  EXPECT_NE(script.find("\n100 0 50 104\n60 1 60 60\n"), std::string::npos) << script;
}

TEST(PlotScript, IntervalsOfARowStandSideBySideWhereThereIsRoom) {
  Picture p;
  p.y.rows = {"a"};
  p.curves = {{"before", Shape::points, {{2, 0, 1, 3}}}, {"after", Shape::points, {{3, 0, 2, 4}}}};
  const std::string svg = script_of(p, {Device::svg, 800, 300}), text = script_of(p);
  EXPECT_NE(svg.find("\n2 -0.125 1 3\n"), std::string::npos) << svg;
  EXPECT_NE(svg.find("\n3 0.125 2 4\n"), std::string::npos) << svg;
  EXPECT_NE(text.find("\n2 0 1 3\n"), std::string::npos) << text;
}

TEST(PlotScript, ALimitCrossesAPictureOfOnePoint) {
  Picture p = simple();
  p.curves = {{"p99", Shape::line, {{0.5, 0.01}}}};
  const std::string script = script_of(p);
  EXPECT_NE(script.find("set xrange [250:750]\n"), std::string::npos) << script;
  EXPECT_NE(script.find("\n250 50\n750 50\n"), std::string::npos) << script;
}

TEST(PlotTidy, TakesBlankBordersAway) {
  EXPECT_EQ(tidy_text("\f\n   \n a  \n\n  b\n \n"), " a\n\n  b\n");
  EXPECT_EQ(tidy_text(""), "");
  const std::string plain = "\x1b[0;39m";
  EXPECT_EQ(tidy_text("\f" + plain + "\n" + plain + " a\x1b[31m#" + plain + " \n" + plain + "\n"),
            plain + " a\x1b[31m#" + plain + "\n");
  EXPECT_EQ(tidy_text("\x1b[31mF\n  \x1b[0;39;49m\n"), "\x1b[31mF" + plain + "\n");
}

// What gnuplot itself makes of it, where it is installed.
class PlotGnuplot : public testing::Test {
 protected:
  void SetUp() override {
    try {
      run_gnuplot("gnuplot", "print 1\nset print '-'\nprint 1\n", stop_);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  StopFlag stop_;
};

TEST_F(PlotGnuplot, EveryDeviceIsDrawn) {
  const auto drawn = [&](Device device) {
    return run_gnuplot("gnuplot",
                       script_of(simple(), {device, device == Device::text ? 80 : 800,
                                            device == Device::text ? 24 : 500}),
                       stop_)
        .picture;
  };
  const std::string text = tidy_text(drawn(Device::text));
  EXPECT_NE(text.find("Title: latency (ms)"), std::string::npos) << text;
  size_t widest = 0;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    widest = std::max(widest, end - begin);
  EXPECT_LE(widest, 80u);
  EXPECT_NE(drawn(Device::svg).find("<svg"), std::string::npos);
  EXPECT_EQ(drawn(Device::png).substr(1, 3), "PNG");
  EXPECT_EQ(drawn(Device::pdf).substr(0, 5), "%PDF-");
}

TEST_F(PlotGnuplot, OfASmallPictureFewTicksAreNamed) {
  Picture p = simple();
  p.marks.clear();
  p.x = {.label = "gap", .quantity = Quantity::time, .logarithmic = true};
  p.y = {.label = "percentile", .quantity = Quantity::percentile, .logarithmic = true};
  p.curves = {{"gaps", Shape::line, {{1e-6, 1}, {1e-3, 0.1}, {0.1, 1e-5}}}};
  for (const int width : {20, 25, 30, 40, 60}) {
    const std::string text =
        tidy_text(run_gnuplot("gnuplot", script_of(p, {Device::text, width, 12}), stop_).picture);
    const size_t frame = text.rfind("-+\n");
    const size_t begin = text.find('\n', frame) + 1;
    std::istringstream names(text.substr(begin, text.find('\n', begin) - begin));
    for (std::string name; names >> name;)
      EXPECT_TRUE(name == "1us" || name == "10us" || name == "100us" || name == "1ms" || name == "10ms" ||
                  name == "100ms")
          << name << '\n'
          << text;
  }
}

TEST_F(PlotGnuplot, NoNameIsACommand) {
  test::TempDir dir;
  const std::string witness = dir / "witness";
  const std::vector<std::string> names = {"'; system('touch " + witness + "'); '",
                                          "\"; system(\"touch " + witness + "\"); \"",
                                          "`touch " + witness + "`",
                                          "\nsystem 'touch " + witness + "'\n",
                                          "!touch " + witness,
                                          "@ARG0 @x %s %d %n %%",
                                          "a\\",
                                          "\\'",
                                          "EOD",
                                          "\n!touch " + witness,
                                          "{/=99 x}_^",
                                          "''`touch " + witness + "`''"};
  for (const std::string& name : names) {
    Picture p = simple();
    p.title = p.x.label = p.y.label = p.curves[0].label = p.marks[0].label = name;
    EXPECT_NO_THROW(run_gnuplot("gnuplot", script_of(p), stop_)) << name;
    p.x.label = p.curves[0].label = name;
    p.y.rows = {name, "b"};
    p.curves[0] = {name, Shape::points, {{1, 0, 0.5, 2}, {2, 1}}};
    p.marks.clear();
    EXPECT_NO_THROW(run_gnuplot("gnuplot", script_of(p), stop_)) << name;
    EXPECT_FALSE(std::filesystem::exists(witness)) << name;
  }
}

TEST_F(PlotGnuplot, ItsFaultsAreReported) {
  try {
    run_gnuplot("gnuplot", "set nonsense\n", stop_);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_NE(std::string(error.what()).find("exit status 1"), std::string::npos) << error.what();
  }
}

TEST(PlotRun, WithoutGnuplotItIsSaidWhatToInstall) {
  StopFlag stop;
  try {
    run_gnuplot("/nowhere/gnuplot", "", stop);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_NE(std::string(error.what()).find("gnuplot-nox"), std::string::npos);
  }
}

}  // namespace
}  // namespace mlq::plot
