#include <gtest/gtest.h>

#include <cmath>

#include "lib/arrival/process/process.h"
#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::idc_of;
using test::kSecond;
using test::times_of;

records::Expected explain(const std::string& spec) {
  BuildContext context;
  context.data_dir = MLQ_SOURCE_DIR "/data";
  return expected(parse_spec(spec), context);
}

TEST(Explain, RenewalsHaveTheirRateCvAndItsSquare) {
  const auto e = explain("gamma --rate 14.3/s --cv 2");
  EXPECT_EQ(e.spec, "gamma --rate 14.3/s --cv 2");
  EXPECT_DOUBLE_EQ(e.rate_per_s, 14.3);
  EXPECT_DOUBLE_EQ(*e.cv, 2);
  EXPECT_DOUBLE_EQ(*e.idc_limit, 4);
  EXPECT_EQ(e.algo, kAlgo);
  const auto heavy = explain("pareto --rate 5/s --alpha 1.5");
  EXPECT_FALSE(heavy.cv.has_value());
  EXPECT_FALSE(heavy.idc_limit.has_value());
  EXPECT_EQ(*heavy.note, "the gaps have infinite variance");
}

TEST(Explain, MarkovModulatedPoissonHasTheLimitOfTheClosedForm) {
  const double r1 = 0.5, r2 = 2, l1 = 10, l2 = 100, s = r1 + r2;
  const double limit = 1 + 2 * r1 * r2 * (l1 - l2) * (l1 - l2) / (s * s * (l1 * r2 + l2 * r1));
  const auto e = explain("mmpp --rates 10/s,100/s --sojourn 2s,500ms");
  EXPECT_NEAR(e.rate_per_s, (l1 * r2 + l2 * r1) / s, 1e-9);
  EXPECT_NEAR(*e.idc_limit, limit, 1e-9);
  EXPECT_NEAR(*explain("mmpp --rates 10/s,100/s --sojourn 2s,500ms --law gamma:cv=2").idc_limit, limit + 3,
              1e-9);
}

TEST(Explain, MapOfDiagonalArrivalsIsTheMarkovModulatedPoisson) {
  const mlq::test::TempDir dir;
  const std::string map = dir.file("m", R"({"D0":[[-10.5,0.5],[2,-102]],"D1":[[10,0],[0,100]]})");
  const auto m = explain("map --matrices " + map);
  const auto e = explain("mmpp --rates 10/s,100/s --sojourn 2s,500ms");
  EXPECT_NEAR(m.rate_per_s, e.rate_per_s, 1e-9);
  EXPECT_NEAR(*m.idc_limit, *e.idc_limit, 1e-9);
}

TEST(Explain, MapOfErlangStagesHasTheCvOfErlang) {
  const mlq::test::TempDir dir;
  const auto e = explain("map --matrices " + dir.file("m", R"({"D0":[[-4,4],[0,-4]],"D1":[[0,0],[4,0]]})"));
  EXPECT_NEAR(e.rate_per_s, 2, 1e-12);
  EXPECT_NEAR(*e.idc_limit, 0.5, 1e-12);
}

TEST(Explain, OnOffAgreesWithMarkovModulatedPoisson) {
  const auto a = explain("onoff --on-rate 50/s --on exp:1s --off exp:4s");
  const auto b = explain("mmpp --rates 50/s,0 --sojourn 1s,4s");
  EXPECT_NEAR(a.rate_per_s, b.rate_per_s, 1e-9);
  EXPECT_NEAR(*a.idc_limit, *b.idc_limit, 1e-9);
  const auto many = explain("onoff --on-rate 50/s --on exp:1s --off exp:4s --sources 7");
  EXPECT_NEAR(many.rate_per_s, 7 * a.rate_per_s, 1e-9);
  EXPECT_NEAR(*many.idc_limit, *a.idc_limit, 1e-9);
  const auto heavy = explain("onoff --on-rate 50/s --on pareto:alpha=1.4,mean=1s --off exp:4s");
  EXPECT_FALSE(heavy.idc_limit.has_value());
  EXPECT_NE(heavy.note->find("--start event"), std::string::npos);
}

TEST(Explain, CoxSumsItsCovariances) {
  EXPECT_NEAR(*explain("cox --rate 40/s --rate-cv 0.3 --rate-step 10s").idc_limit, 1 + 40 * 10 * 0.09, 1e-9);
  EXPECT_NEAR(explain("cox --rate 40/s --rate-cv 0.3 --rate-step 10s").rate_per_s, 40, 1e-12);
}

// Long simulations: windows far beyond the memory of each process.
TEST(Explain, AgreesWithLongSimulations) {
  const mlq::test::TempDir dir;
  const std::string map =
      dir.file("m", R"({"D0":[[-3,1,0],[0,-8,2],[1,1,-4]],"D1":[[1,0,1],[3,2,1],[0,2,0]]})");
  for (const std::string& spec :
       {std::string("mmpp --rates 5/s,40/s --sojourn 200ms,100ms"), "map --matrices " + map,
        std::string(
            "onoff --on-rate 20/s --on gamma:cv=2,mean=100ms --off uniform:lo=0,hi=500ms --sources 3"),
        std::string("cox --rate 20/s --rate-cv 0.5 --rate-step 100ms --rate-ar 0.6 --law gamma:cv=2"),
        std::string("poisson --rate 5/s --batch geometric:mean=3"), std::string("h2 --rate 20/s --cv 2"),
        std::string("superpose --source 'gamma --rate 20/s --cv 2' --source 'erlang --rate 5/s --k 4'")}) {
    const auto e = explain(spec);
    const std::vector<int64_t> times = times_of(spec + " --duration 20000s");
    ASSERT_TRUE(e.idc_limit.has_value()) << spec;
    const double counted = static_cast<double>(times.size());
    EXPECT_NEAR(counted / 20000, e.rate_per_s, 4 * std::sqrt(*e.idc_limit * e.rate_per_s / 20000)) << spec;
    // 2,000 windows: a standard error of 3.2 %
    EXPECT_NEAR(idc_of(times, 10 * kSecond, 20000 * kSecond), *e.idc_limit, 0.15 * *e.idc_limit) << spec;
  }
}

TEST(Explain, RatesThatVaryInTimeAreAveraged) {
  EXPECT_NEAR(explain("ramp --rate 10/s --level 3x --onset 10s --ramp 20s --duration 50s").rate_per_s,
              (100 + 400 + 600) / 50.0, 1e-9);
  EXPECT_NEAR(explain("sinusoid --rate 10/s --amplitude 0.5 --period 10s --duration 100s").rate_per_s, 10,
              1e-9);
  EXPECT_NEAR(explain("concat --segment 10s@5/s --segment 30s@1/s").rate_per_s, 80 / 40.0, 1e-9);
  EXPECT_NEAR(explain("preset rrl-dynamic").rate_per_s, 300000 / 24700.0, 1e-9);
  EXPECT_NEAR(explain("preset rrl-wiki").rate_per_s, 50, 1e-9);
  EXPECT_NEAR(explain("expr 't' --duration 10s").rate_per_s, 5, 1e-9);
}

TEST(Explain, BatchesMultiplyTheRate) {
  const auto e = explain("poisson --rate 50/s --batch geometric:mean=4");
  EXPECT_DOUBLE_EQ(e.rate_per_s, 200);
  EXPECT_NEAR(*e.idc_limit, 7, 1e-12);
  EXPECT_FALSE(e.cv.has_value());
}

TEST(Explain, SelfSimilarDispersionHasNoLimit) {
  const auto e = explain("self-similar --rate 50/s --hurst 0.8");
  EXPECT_DOUBLE_EQ(e.rate_per_s, 50);
  EXPECT_FALSE(e.idc_limit.has_value());
  EXPECT_NE(e.note->find("2H-1"), std::string::npos);
}

TEST(Explain, EveryProcessHasAFormula) {
  for (const ProcessInfo& process : process_infos()) EXPECT_FALSE(process.formula.empty()) << process.name;
  EXPECT_EQ(explain("poisson --rate 1/s").formula, "t_k = G_k / rate, gaps -ln U");
}

}  // namespace
}  // namespace mlq::arrival
