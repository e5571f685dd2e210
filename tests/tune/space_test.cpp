// Spaces against plain enumeration and the ball sizes that can be counted by hand.
#include "lib/tune/space/space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "lib/base/error.h"
#include "tests/tune/spaces.h"

namespace mlq::tune::test {
namespace {

KnobValue whole(int64_t value) { return value; }
KnobValue word(std::string text) { return text; }

// Instances, batch and delay, the last of which only matters for batches; a mode; something derived.
Space serving() {
  std::vector<Axis> axes;
  axes.push_back(counting_axis("instances", 5));
  axes.push_back(list_axis("rows", {whole(1), whole(2), whole(4), whole(8)}));
  axes.push_back(list_axis("delay", {whole(0), whole(100), whole(500)}));
  axes.back().when = expression("rows > 1");
  axes.back().apply = ApplyClass::reload;
  axes.push_back(list_axis("mode", {word("a"), word("b"), word("c")}));
  axes.push_back(bool_axis("spin"));
  std::vector<DerivedKnob> derived{{"half", expression("max(1, floor(rows / 2))")}};
  return Space(std::move(axes), std::move(derived),
               {expression("instances * rows <= 16"), expression("half < 4 || spin")});
}

std::string refusal(std::vector<Axis> axes, std::vector<DerivedKnob> derived = {},
                    std::vector<Expression> constraints = {}) {
  try {
    Space(std::move(axes), std::move(derived), std::move(constraints));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    return error.what();
  }
  return "accepted";
}

TEST(Space, BallsHaveTheSizesThatLatticePointsInABallHave) {
  const size_t sizes[] = {7, 29, 123, 425, 1343, 4197};
  for (size_t dims = 1; dims <= 6; ++dims) {
    const Space space = cube(dims, 11);
    EXPECT_EQ(space.points().size(), space.grid_size());
    const RegionMetric metric(space);
    const PointId centre = space.middle();
    EXPECT_EQ(metric.region(centre, 0.3).size(), sizes[dims - 1]) << dims;
    size_t inside = 0;
    for (const PointId p : space.points()) {
      uint32_t squares = 0;
      for (size_t a = 0; a < dims; ++a) {
        const uint32_t d = space.step(p, a) > 5 ? space.step(p, a) - 5 : 5 - space.step(p, a);
        squares += d * d;
      }
      inside += squares <= 9;
    }
    EXPECT_EQ(inside, sizes[dims - 1]) << dims;
    if (dims == 5) break;  // 11^6 points take long and show nothing more but its size
  }
}

TEST(Space, ARegionIsWhatTheDistanceSaysAndTheNeighbours) {
  const Space space = serving();
  const RegionMetric metric(space);
  for (const double radius : {0.0, 0.2, 0.3, 0.5, 1.0, 2.0}) {
    for (const PointId c : space.points()) {
      const auto region = metric.region(c, radius);
      const auto near = space.neighbours(c);
      std::set<PointId> expected(near.begin(), near.end());
      for (const PointId p : space.points())
        if (metric.distance2(p, c) <= radius * radius * (1 + 1e-9)) expected.insert(p);
      ASSERT_EQ(region.front(), c);
      EXPECT_TRUE(std::is_sorted(region.begin() + 1, region.end()));
      EXPECT_EQ(std::set<PointId>(region.begin(), region.end()), expected);
      EXPECT_EQ(region.size(), expected.size());
    }
  }
}

TEST(Space, OneStepIsNeverLongerThanThreeTenths) {
  const Space space = serving();
  const RegionMetric metric(space);
  const PointId c = *space.find({{"rows", whole(2)}});
  for (const auto& [name, value] :
       Config{{"instances", whole(1)}, {"delay", whole(100)}, {"mode", word("c")}, {"spin", true}}) {
    const PointId p = *space.find({{"rows", whole(2)}, {name, value}});
    EXPECT_LE(metric.distance2(p, c), 0.09 * (1 + 1e-12)) << name;
  }
  // Of five values a step is a quarter of the axis.
  EXPECT_DOUBLE_EQ(metric.distance2(*space.find({{"instances", whole(1)}}), *space.find({})), 0.0625);
  EXPECT_DOUBLE_EQ(metric.distance2(*space.find({{"mode", word("c")}}), *space.find({})), 0.09);
  // A weight of 2 halves it.
  const std::vector<double> weights(5, 2.0);
  EXPECT_DOUBLE_EQ(
      RegionMetric(space, weights).distance2(*space.find({{"mode", word("c")}}), *space.find({})), 0.0225);
}

TEST(Space, ValidPointsAreThoseThatKeepEveryConstraintAndAreCanonical) {
  const Space space = serving();
  std::vector<PointId> expected;
  PointId id = 0;
  for (int64_t instances = 0; instances < 5; ++instances)
    for (const int64_t rows : {1, 2, 4, 8})
      for (const int64_t delay : {0, 100, 500})
        for (int mode = 0; mode < 3; ++mode)
          for (const bool spin : {false, true}) {
            const int64_t half = std::max<int64_t>(1, rows / 2);
            const bool kept = instances * rows <= 16 && (half < 4 || spin) && (rows > 1 || delay == 0);
            if (kept) expected.push_back(id);
            EXPECT_EQ(space.valid(id), kept) << id;
            ++id;
          }
  EXPECT_EQ(space.grid_size(), id);
  EXPECT_TRUE(std::ranges::equal(space.points(), expected));
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_EQ(space.rank(expected[k]), k);
  EXPECT_FALSE(space.valid(id));
}

TEST(Space, AConfigurationFindsItsPoint) {
  const Space space = serving();
  for (const PointId p : space.points()) {
    const Config config = space.config(p);
    ASSERT_EQ(config.size(), 6u);
    EXPECT_EQ(space.find(config), p);
    EXPECT_EQ(space.nearest(config), p);
    EXPECT_EQ(parse_config(config_json(config), "c"), config);
    EXPECT_EQ(space.canonical(p), p);
  }
}

TEST(Space, AnInactiveKnobHasOneValidStep) {
  const Space space = serving();
  const PointId one = *space.find({{"rows", whole(1)}, {"delay", whole(500)}});
  EXPECT_EQ(space.value(one, 2), whole(0));
  EXPECT_FALSE(space.active(one, 2));
  EXPECT_FALSE(space.valid(space.with_step(one, 2, 1)));
  EXPECT_EQ(space.canonical(space.with_step(one, 2, 1)), one);
  // Its value may be anything, on the grid or not.
  EXPECT_EQ(space.find({{"rows", whole(1)}, {"delay", whole(77)}}), one);
  EXPECT_EQ(space.find({{"rows", whole(2)}, {"delay", whole(77)}}), std::nullopt);
  // What it is set to is for whoever asks to say; a knob that has influence is the point's.
  const Config idle{{"delay", whole(77)}, {"rows", whole(8)}};
  EXPECT_EQ(config_json(space.config(one, idle)),
            R"({"instances":0,"rows":1,"delay":77,"mode":"a","spin":false,"half":1})");
}

TEST(Space, AConditionThatHangsOnAnInactiveKnobSeesItsFirstValue) {
  std::vector<Axis> axes{counting_axis("c", 2), counting_axis("b", 2), counting_axis("a", 2)};
  axes[0].when = expression("b > 0");
  axes[1].when = expression("a > 0");
  const Space space(std::move(axes), {}, {});
  // a = 0: one point; a = 1, b = 0: one; a = b = 1: two.
  EXPECT_EQ(space.points().size(), 4u);
  EXPECT_EQ(space.find({{"c", whole(1)}, {"b", whole(1)}, {"a", whole(0)}}), PointId{0});
}

TEST(Space, EncodingIsTheRankInTheListOfValues) {
  const Space space = serving();
  std::vector<double> x(5);
  space.encode(*space.find({{"instances", whole(1)},
                            {"rows", whole(4)},
                            {"delay", whole(100)},
                            {"mode", word("c")},
                            {"spin", true}}),
               x);
  EXPECT_EQ(x, (std::vector<double>{0.25, 2.0 / 3, 0.5, 1, 1}));
  space.encode(*space.find({{"rows", whole(1)}}), x);
  EXPECT_EQ(x, (std::vector<double>{0, 0, 0.5, 0, 0}));
  const Space flat({counting_axis("a", 1), counting_axis("b", 2)}, {}, {});
  std::vector<double> y(2);
  flat.encode(1, y);
  EXPECT_EQ(y, (std::vector<double>{0.5, 1}));
  EXPECT_EQ(flat.free_dims(), 1u);
}

TEST(Space, NeighboursAreOneStepAwayAndValid) {
  const Space space = serving();
  for (const PointId p : space.points()) {
    const auto near = space.neighbours(p);
    EXPECT_TRUE(std::ranges::is_sorted(near));
    for (const PointId q : near) {
      EXPECT_TRUE(space.valid(q));
      EXPECT_NE(q, p);
      // Leaving batches may reset the delay too.
      EXPECT_LE(space.changes(p, q), space.active(p, 2) && !space.active(q, 2) ? 2u : 1u);
    }
  }
  const PointId p =
      *space.find({{"instances", whole(2)}, {"rows", whole(2)}, {"delay", whole(100)}, {"mode", word("a")}});
  EXPECT_EQ(space.neighbours(p).size(), 2u + 2 + 2 + 2 + 1);
  // A knob that becomes active comes at its first value.
  const auto near = space.neighbours(*space.find({{"rows", whole(1)}}));
  EXPECT_TRUE(std::ranges::count(near, *space.find({{"rows", whole(2)}, {"delay", whole(0)}})));
}

TEST(Space, ChangesAndApplyClassLookAtTheKnobsThatDiffer) {
  const Space space = serving();
  const PointId a = *space.find({{"rows", whole(2)}});
  const PointId b = *space.find({{"rows", whole(4)}, {"spin", true}});
  const PointId c = *space.find({{"rows", whole(4)}, {"delay", whole(100)}});
  EXPECT_EQ(space.changes(a, a), 0u);
  EXPECT_EQ(space.changes(a, b), 2u);
  EXPECT_EQ(space.apply_class(a, b), ApplyClass::hot);
  EXPECT_EQ(space.apply_class(a, c), ApplyClass::reload);
}

TEST(Space, TheNearestPointIsNearInEncodedDistance) {
  const Space space = serving();
  const auto at = [&](Config config) { return space.config(space.nearest(config)); };
  EXPECT_EQ(at({{"rows", whole(5)}}), space.config(*space.find({{"rows", whole(4)}})));
  EXPECT_EQ(at({{"instances", KnobValue(2.6)}}), space.config(*space.find({{"instances", whole(3)}})));
  EXPECT_EQ(at({{"instances", whole(-7)}}), space.config(*space.find({})));
  EXPECT_EQ(at({{"mode", word("z")}}), space.config(*space.find({})));
  // (4, 8) breaks a constraint: (2, 8) is two quarters away, (4, 4) a third.
  EXPECT_EQ(at({{"instances", whole(4)}, {"rows", whole(8)}, {"spin", true}}),
            space.config(*space.find({{"instances", whole(4)}, {"rows", whole(4)}, {"spin", true}})));
}

TEST(Space, TheMiddleIsTheMiddleWhereItIsValid) {
  EXPECT_EQ(cube(3, 11).middle(), PointId{5 * 121 + 5 * 11 + 5});
  EXPECT_EQ(cube(1, 4).middle(), PointId{1});
  const Space space = serving();
  const PointId middle = space.middle();
  EXPECT_EQ(space.value(middle, 0), whole(2));
  EXPECT_EQ(space.value(middle, 2), whole(100));
  EXPECT_EQ(space.value(middle, 3), word("a"));
}

TEST(Space, DrawsAreUniformOverValidPoints) {
  const Space space = serving();
  std::vector<int> counts(space.points().size());
  constexpr int kDraws = 100'000;
  Draws draws(1, Purpose::design, 0);
  for (int k = 0; k < kDraws; ++k) ++counts[space.rank(space.draw(draws))];
  const double expected = static_cast<double>(kDraws) / static_cast<double>(counts.size());
  double chi2 = 0;
  for (const int n : counts) chi2 += (n - expected) * (n - expected) / expected;
  const auto dof = static_cast<double>(counts.size() - 1);
  EXPECT_LT(chi2, dof + 5 * std::sqrt(2 * dof));  // five standard deviations
}

TEST(Space, AGridThatIsTooLargeToListAnswersTheSame) {
  std::vector<Axis> axes;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) axes.push_back(counting_axis(name, 11));
  axes.push_back(counting_axis("h", 5));
  axes.back().when = expression("a > 5");
  const Space space(std::move(axes), {}, {expression("a + b + c <= 20")});
  EXPECT_FALSE(space.listed());
  Draws draws(7, Purpose::design, 3);
  for (int k = 0; k < 200; ++k) {
    const PointId p = space.draw(draws);
    EXPECT_TRUE(space.valid(p));
    EXPECT_LE(space.step(p, 0) + space.step(p, 1) + space.step(p, 2), 20u);
    EXPECT_EQ(space.find(space.config(p)), p);
    for (const PointId q : space.neighbours(p)) EXPECT_TRUE(space.valid(q));
  }
  std::vector<double> x(8);
  space.encode(space.middle(), x);
  EXPECT_EQ(x, std::vector<double>(8, 0.5));
  const PointId corner = space.nearest({{"a", whole(10)}, {"b", whole(10)}, {"c", whole(10)}});
  EXPECT_TRUE(space.valid(corner));
  EXPECT_EQ(space.step(corner, 0) + space.step(corner, 1) + space.step(corner, 2), 20u);
}

TEST(Space, AMillionPointsWithConditionsAreListed) {
  std::vector<Axis> axes;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) axes.push_back(counting_axis(name, 11));
  axes[5].when = expression("a > 1 && b != 3");
  const Space space(std::move(axes), {{"sum", expression("a + b + c")}},
                    {expression("sum * d <= 200"), expression("e == 0 || a / e < 8")});
  EXPECT_EQ(space.grid_size(), 1'771'561u);
  EXPECT_TRUE(space.listed());
}

TEST(Space, IsRecognisedByItsDefinitions) {
  const Space a = serving();
  EXPECT_EQ(a.xxh3().size(), 16u);
  EXPECT_EQ(a.xxh3(), serving().xxh3());
  EXPECT_NE(a.xxh3(), cube(3, 11).xxh3());
  EXPECT_NE(cube(3, 10).xxh3(), cube(3, 11).xxh3());
}

TEST(Space, SaysWhatIsWrongWithItsDefinitions) {
  EXPECT_EQ(refusal({}), "knobs: there is no knob to search");
  EXPECT_EQ(refusal({counting_axis("a", 0)}), "knobs.a: it has no values");
  EXPECT_EQ(refusal({counting_axis("a", 2), counting_axis("a", 2)}), "knobs.a: it is there twice");
  EXPECT_EQ(refusal({list_axis("a", {whole(1), whole(1)})}),
            "knobs.a: its values must rise, but 1 stands before 1");
  EXPECT_EQ(refusal({list_axis("a", {word("x"), word("y"), word("x")})}),
            "knobs.a: value \"x\" is there twice");
  EXPECT_EQ(refusal({list_axis("a", {word("x"), whole(1)})}), "knobs.a: its values are of several kinds");
  EXPECT_EQ(refusal({counting_axis("rows", 2)}, {}, {expression("row < 1")}),
            "constraints[0]: \"row < 1\": there is no knob row; did you mean rows?");
  EXPECT_EQ(refusal({counting_axis("a", 2)}, {{"x", expression("y + 1")}, {"y", expression("x + a")}}),
            "knobs: conditions and formulas depend on one another in a circle: x, y");
  EXPECT_EQ(refusal({counting_axis("a", 2)}, {}, {expression("a < 2"), expression("a > 5")}),
            "constraints[1]: \"a > 5\" leaves none of 2 configurations");
  EXPECT_EQ(refusal({counting_axis("a", 3)}, {}, {expression("a < 1"), expression("a > 0")}),
            "constraints: together they leave none of 3 configurations; \"a < 1\" alone leaves 1");
  EXPECT_EQ(refusal({counting_axis("a", 3)}, {{"x", expression("1 / 0")}}),
            "knobs: a derived knob has no value at any of the 3 points");
}

TEST(Config, AnIdDoesNotDependOnTheOrderOfKeys) {
  const Config a{{"x", whole(1)}, {"y", word("z")}};
  const Config b{{"y", word("z")}, {"x", whole(1)}};
  EXPECT_EQ(config_json(a), "{\"x\":1,\"y\":\"z\"}");
  EXPECT_EQ(config_id(a), config_id(b));
  EXPECT_EQ(config_id(a).size(), 8u);
  EXPECT_NE(config_id(a), config_id({{"x", whole(2)}, {"y", word("z")}}));
}

TEST(Config, NumbersAreTheSameByValue) {
  EXPECT_TRUE(same_value(whole(1), KnobValue(1.0)));
  EXPECT_TRUE(same_value(KnobValue(1.0), whole(1)));
  EXPECT_FALSE(same_value(whole(1), KnobValue(1.5)));
  EXPECT_FALSE(same_value(whole(1), KnobValue(true)));
  EXPECT_FALSE(same_value(whole(1), word("1")));
  EXPECT_FALSE(same_value(whole((int64_t{1} << 53) + 1), KnobValue(0x1p53)));
  EXPECT_FALSE(same_value(whole(INT64_MAX), KnobValue(0x1p63)));
}

TEST(Config, SaysWhatIsNoConfiguration) {
  const auto message = [](std::string_view json) -> std::string {
    try {
      parse_config(json, "--config");
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message("{\"a\":[1]}"), "--config: \"a\" must be a number, a string, true or false");
  EXPECT_EQ(message("{\"a\":null}"), "--config: \"a\" must be a number, a string, true or false");
  EXPECT_EQ(message("{\"a\":1,\"a\":2}"), "--config: \"a\" is there twice");
  EXPECT_TRUE(message("[1]").starts_with("--config: no configuration: "));
}

}  // namespace
}  // namespace mlq::tune::test
