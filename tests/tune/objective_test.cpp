#include "lib/tune/measure/objective.h"

#include <cmath>

#include "gtest/gtest.h"
#include "lib/base/error.h"

namespace mlq::tune {
namespace {

records::WindowStats window() {
  records::WindowStats w;
  w.requests = 1000;
  w.ok = 995;
  w.errors = 5;
  w.latency_mean_ns = 20'000'000;
  w.latency_p50_ns = 15'000'000;
  w.latency_p95_ns = 40'000'000;
  w.latency_p99_ns = 60'000'000;
  w.attain = 0.98;
  w.good_per_s = 98;
  w.cpu_ns_per_request = 3'000'000;
  return w;
}

TEST(Objective, WithoutAnSloIsTheMean) {
  const Objective o = Objective::parse("latency", "");
  EXPECT_FALSE(o.quantile());
  const auto v = o.value(window());
  EXPECT_EQ(v.cost, 20e6);
  EXPECT_DOUBLE_EQ(v.y, std::log(20e6));
  EXPECT_TRUE(v.feasible);
  EXPECT_TRUE(v.slack.empty());
}

TEST(Objective, TheStatisticNamedFirstIsWhatIsMinimised) {
  const Objective o = Objective::parse("latency", "p95<=50ms && mean(latency)<=10ms");
  EXPECT_DOUBLE_EQ(*o.quantile(), 0.95);
  EXPECT_EQ(o.limit_ns(), 50e6);
  const auto v = o.value(window());
  EXPECT_EQ(v.cost, 40e6);
  ASSERT_EQ(v.slack.size(), 2u);
  EXPECT_NEAR(v.slack[0], std::log(0.8), 1e-12);
  EXPECT_NEAR(v.slack[1], std::log(2.0), 1e-12);
  EXPECT_FALSE(v.feasible);
}

TEST(Objective, AQuantileWithoutAFieldComesWithTheWindow) {
  const Objective o = Objective::parse("latency", "p90<=30ms");
  EXPECT_FALSE(o.value(window()).cost);
  const auto v = o.value(window(), 25e6);
  EXPECT_EQ(v.cost, 25e6);
  EXPECT_TRUE(v.feasible);
}

TEST(Objective, AnUnknownStatisticDoesNotKeepItsLimit) {
  const Objective o = Objective::parse("latency", "p99<=100ms");
  records::WindowStats w = window();
  w.latency_p99_ns.reset();
  const auto v = o.value(w, 70e6);  // a bound: the real one is longer
  EXPECT_EQ(v.cost, 70e6);
  EXPECT_FALSE(v.feasible);
  EXPECT_GT(v.slack[0], 0);
}

TEST(Objective, SharesHaveSlackBothWays) {
  const Objective o = Objective::parse("latency", "latency<=50ms && attain>=0.99 && error_rate<=1%");
  const auto v = o.value(window());
  ASSERT_EQ(v.slack.size(), 2u);
  EXPECT_NEAR(v.slack[0], std::log(2.0), 1e-9);  // 2 % are not good, 1 % may be
  EXPECT_NEAR(v.slack[1], std::log(0.5), 1e-9);
  EXPECT_FALSE(v.feasible);
  EXPECT_NEAR(*o.allowed(), 0.01, 1e-12);
}

TEST(Objective, AQuantileSaysWhatEachRequestMayTake) {
  const Objective o = Objective::parse("latency", "p99<=50ms");
  ASSERT_EQ(o.request_terms().size(), 1u);
  EXPECT_EQ(o.request_terms()[0].limit_ns, 50'000'000);
  EXPECT_NEAR(*o.allowed(), 0.01, 1e-12);
  EXPECT_EQ(Objective::parse("latency", "latency<=80ms && p99<=50ms").request_terms()[0].limit_ns,
            80'000'000);
}

TEST(Objective, GoodputIsAConstraintFromBelow) {
  const Objective o = Objective::parse("latency", "goodput>=100/s");
  EXPECT_NEAR(o.value(window()).slack[0], std::log(100.0 / 98), 1e-12);
  EXPECT_FALSE(o.value(window()).feasible);
}

// P(share <= 1 %) with 2 of 1000 seen is 0.9985, with 7 of 1000 0.83.
TEST(Objective, LeastResourceWantsTheShareToBeSure) {
  const Objective o = Objective::parse("min-resource", "p99<=50ms");
  records::WindowStats w = window();
  w.attain = 0.998;
  EXPECT_TRUE(o.value(w).feasible);
  EXPECT_EQ(o.value(w).cost, 3e6);
  w.attain = 0.993;
  EXPECT_FALSE(o.value(w).feasible);
  w.cpu_ns_per_request.reset();
  EXPECT_FALSE(o.value(w).cost);
  EXPECT_FALSE(o.value(w).note.empty());
  EXPECT_THROW(Objective::parse("min-resource", ""), Error);
}

TEST(Objective, WeightedIsRelativeToTheStart) {
  Objective o = Objective::parse("weighted:w_l=1,w_v=2,w_r=0.5,w_c=3", "p99<=50ms");
  o.set_reference({30e6, 6e6});
  // 60/30 + 2 (0.02 - 0.01) / 0.01 + 0.5 * 3/6 + 3 * 2/10
  EXPECT_NEAR(*o.value(window(), {}, 2, 10).cost, 2 + 2 + 0.25 + 0.6, 1e-9);
  EXPECT_EQ(o.name(), "weighted:w_l=1,w_v=2,w_r=0.5,w_c=3");
  EXPECT_EQ(Objective::parse(o.name(), o.slo()).name(), o.name());
}

TEST(Objective, WhatAWindowCannotBeJudgedByIsRefused) {
  for (const char* slo : {"p99(ttft)<=200ms", "max(latency)<=1s", "p99<=50ms && p90<=20ms", "attain<=0.5"})
    EXPECT_THROW(Objective::parse("latency", slo), Error) << slo;
  for (const char* name :
       {"", "speed", "weighted:w_x=1", "weighted:w_l", "weighted:w_l=0,w_v=0", "weightedx"})
    EXPECT_THROW(Objective::parse(name, ""), Error) << name;
  EXPECT_NO_THROW(Objective::parse("latency", "p90<=50ms && p95<=20ms"));
}

}  // namespace
}  // namespace mlq::tune
