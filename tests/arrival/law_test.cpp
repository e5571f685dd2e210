#include "lib/arrival/law/law.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::failure_of;
using test::ks_p;

constexpr double kLeastP = 1e-3;

const RandomStream kRandom(1, Purpose::gaps);

std::vector<double> samples(const Law& law, size_t n, uint64_t first = 0) {
  std::vector<double> out(n);
  for (size_t k = 0; k < n; ++k) out[k] = law.sample({&kRandom, first + k, 3});
  return out;
}

std::vector<double> residuals(const Law& law, size_t n) {
  std::vector<double> out(n);
  for (size_t k = 0; k < n; ++k) out[k] = law.residual({&kRandom, k, 4});
  return out;
}

// Simpson's rule over [a, b], in strips that grow with the distance from 0.
double integral(const std::function<double(double)>& f, double a, double b) {
  double sum = 0;
  while (a < b) {
    const double to = std::min(b, std::max(a * 1.2, a + 0.01));
    double strip = f(a) + f(to);
    constexpr int kParts = 8;
    for (int k = 1; k < kParts; ++k) strip += (k % 2 == 1 ? 4 : 2) * f(a + (to - a) * k / kParts);
    sum += strip * (to - a) / (3 * kParts);
    a = to;
  }
  return sum;
}

// Values of the integrated tail, (integral of 1 - F) / mean, at sorted places.
std::vector<double> integrated_tail(const Law& law, const std::vector<double>& sorted) {
  std::vector<double> out;
  double sum = 0;
  double at = 0;
  for (const double x : sorted) {
    sum += integral([&](double t) { return 1 - law.cdf(t); }, at, x);
    at = x;
    out.push_back(sum / law.mean());
  }
  return out;
}

struct GapLaw {
  const char* text;
  double cv;
};

class UnitGapLaw : public testing::TestWithParam<GapLaw> {};

TEST_P(UnitGapLaw, FillGivesTheBitsOfSample) {
  const LawPtr law = parse_law(GetParam().text, LawUse::gap);
  for (const uint64_t first : {uint64_t{0}, uint64_t{12345}, uint64_t{1} << 33}) {
    std::vector<double> block(3000);
    law->fill(kRandom, first, 3, block);
    const std::vector<double> single = samples(*law, block.size(), first);
    for (size_t k = 0; k < block.size(); ++k) {
      ASSERT_EQ(std::bit_cast<uint64_t>(block[k]), std::bit_cast<uint64_t>(single[k])) << first << " " << k;
    }
  }
}

TEST_P(UnitGapLaw, SaysItsMeanAndCv) {
  const LawPtr law = parse_law(GetParam().text, LawUse::gap);
  EXPECT_EQ(law->mean(), 1);
  EXPECT_NEAR(law->cv(), GetParam().cv, 1e-12 * GetParam().cv);
}

TEST_P(UnitGapLaw, SamplesFollowItsDistributionFunction) {
  const LawPtr law = parse_law(GetParam().text, LawUse::gap);
  EXPECT_GT(ks_p(samples(*law, 20000), [&](double x) { return law->cdf(x); }), kLeastP);
}

TEST_P(UnitGapLaw, ResidualsFollowTheIntegratedTail) {
  const LawPtr law = parse_law(GetParam().text, LawUse::gap);
  ASSERT_TRUE(law->has_residual());
  std::vector<double> sorted = residuals(*law, 20000);
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> tail = integrated_tail(*law, sorted);
  size_t k = 0;
  EXPECT_GT(ks_p(sorted, [&](double) { return std::min(1.0, tail[k++]); }), kLeastP);
}

// The mean of the part below a level, which the tail cannot spoil: E min(X, c) = integral of 1 - F up to c.
TEST_P(UnitGapLaw, MeanBelowALevelIsThatOfTheDistributionFunction) {
  const LawPtr law = parse_law(GetParam().text, LawUse::gap);
  for (const double level : {0.5, 2.0, 8.0}) {
    std::vector<double> below = samples(*law, 40000);
    for (double& x : below) x = std::min(x, level);
    const double expected = integral([&](double t) { return 1 - law->cdf(t); }, 0, level);
    const double error = std::sqrt(test::variance_of(below) / static_cast<double>(below.size()));
    EXPECT_NEAR(test::mean_of(below), expected, 4 * error) << level;
  }
}

INSTANTIATE_TEST_SUITE_P(Laws, UnitGapLaw,
                         testing::Values(GapLaw{"exp", 1}, GapLaw{"gamma:cv=2", 2},
                                         GapLaw{"gamma:cv=0.5", 0.5}, GapLaw{"gamma:cv=1", 1},
                                         GapLaw{"gamma:cv=10", 10}, GapLaw{"weibull:cv=3", 3},
                                         GapLaw{"weibull:cv=0.3", 0.3}, GapLaw{"lognormal:cv=0.8", 0.8},
                                         GapLaw{"lognormal:cv=4", 4}, GapLaw{"pareto:cv=0.7", 0.7},
                                         GapLaw{"pareto:cv=2", 2}, GapLaw{"lomax:cv=1.5", 1.5},
                                         GapLaw{"lomax:cv=3", 3}, GapLaw{"erlang:k=1", 1},
                                         GapLaw{"erlang:k=4", 0.5}, GapLaw{"erlang:k=25", 0.2},
                                         GapLaw{"h2:cv=1", 1}, GapLaw{"h2:cv=2.5", 2.5}),
                         [](const auto& law) {
                           std::string name = law.param.text;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

TEST(Law, MeanAndCvComeOutInSamples) {
  for (const char* text : {"exp", "gamma:cv=2", "gamma:cv=0.5", "weibull:cv=1.5", "lognormal:cv=0.8",
                           "erlang:k=4", "h2:cv=2.5", "pareto:cv=0.2"}) {
    const LawPtr law = parse_law(text, LawUse::gap);
    const std::vector<double> x = samples(*law, 400000);
    EXPECT_NEAR(test::mean_of(x), 1, 4 * law->cv() / std::sqrt(4e5)) << text;
    EXPECT_NEAR(std::sqrt(test::variance_of(x)), law->cv(), 0.03 * law->cv()) << text;
  }
}

TEST(Law, FixedGapIsOneAndItsResidualUniform) {
  const LawPtr law = parse_law("fixed", LawUse::gap);
  EXPECT_EQ(samples(*law, 10), std::vector<double>(10, 1.0));
  EXPECT_GT(ks_p(residuals(*law, 20000), [](double x) { return x; }), kLeastP);
}

TEST(Law, ParetoOfSmallAlphaHasInfiniteCvAndFollowsItsDistributionFunction) {
  const LawPtr law = parse_law("pareto:alpha=1.3", LawUse::gap);
  EXPECT_TRUE(std::isinf(law->cv()));
  EXPECT_GT(ks_p(samples(*law, 20000), [&](double x) { return law->cdf(x); }), kLeastP);
}

TEST(Law, ParetoAlphaComesFromItsCv) {
  // cv^2 = 1 / (alpha (alpha - 2))
  const LawPtr law = pareto_law(0.5);
  const double alpha = 1 + std::sqrt(5.0);
  EXPECT_NEAR(law->cv(), 1 / std::sqrt(alpha * (alpha - 2)), 1e-12);
}

TEST(Law, WeibullShapeIsSolvedForItsCv) {
  for (const double cv : {0.03, 0.5, 1.0, 2.0, 50.0, 900.0})
    EXPECT_NEAR(weibull_law(cv)->cv(), cv, 1e-9 * cv);
}

TEST(Law, WeibullAndGammaOfCvOneAreExponential) {
  for (const char* text : {"weibull:cv=1", "gamma:cv=1"}) {
    const LawPtr law = parse_law(text, LawUse::gap);
    for (const double x : {0.01, 0.5, 1.0, 3.0}) EXPECT_NEAR(law->cdf(x), 1 - std::exp(-x), 1e-12) << text;
  }
}

TEST(Law, EmpiricalDrawsTheValuesScaledToMeanOne) {
  const LawPtr law = empirical_law({4, 1, 1, 2}, 1);
  std::vector<double> x = samples(*law, 40000);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 0.5)), 20000, 400);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 1.0)), 10000, 350);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 2.0)), 10000, 350);
  EXPECT_EQ(law->cdf(0.4), 0);
  EXPECT_EQ(law->cdf(0.5), 0.5);
  EXPECT_EQ(law->cdf(2), 1);
  EXPECT_NEAR(law->cv(), std::sqrt((0.25 + 0.25 + 0 + 1) / 4), 1e-15);
}

TEST(Law, EmpiricalWithoutBlocksIsMonotoneInItsUniform) {
  const LawPtr law = empirical_law({9, 2, 5, 1, 7}, 1);
  std::vector<std::pair<double, double>> pairs;
  for (uint64_t k = 0; k < 1000; ++k)
    pairs.emplace_back(kRandom.uniform(k, 0, 3), law->sample({&kRandom, k, 3}));
  std::sort(pairs.begin(), pairs.end());
  EXPECT_TRUE(std::is_sorted(pairs.begin(), pairs.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; }));
}

TEST(Law, EmpiricalResidualIsALongerGapCutAnywhere) {
  // Mean residual = E X^2 / 2 of the unit-mean law.
  const LawPtr law = empirical_law({4, 1, 1, 2}, 1);
  EXPECT_NEAR(test::mean_of(residuals(*law, 100000)), (1 + law->cv() * law->cv()) / 2, 0.01);
}

TEST(Law, EmpiricalBlocksKeepCorrelationAndSampleGivesTheBitsOfFill) {
  std::vector<double> ramp(1000);
  for (size_t k = 0; k < ramp.size(); ++k) ramp[k] = static_cast<double>(k + 1);
  const LawPtr law = empirical_law(ramp, 50);
  std::vector<double> x(20000);
  law->fill(kRandom, 777, 3, x);
  EXPECT_EQ(x, samples(*law, x.size(), 777));
  size_t followed = 0;
  for (size_t k = 1; k < x.size(); ++k) followed += std::fabs(x[k] - x[k - 1] - 1 / 500.5) < 1e-9 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(followed) / static_cast<double>(x.size() - 1), 1 - 1.0 / 50, 0.006);
}

TEST(Law, ScaledLawScalesSamplesResidualsAndDistribution) {
  const LawPtr law = parse_law("gamma:cv=2,mean=30s", LawUse::sojourn);
  const LawPtr unit = gamma_law(2);
  const Draws draws{&kRandom, 7};
  EXPECT_EQ(law->sample(draws), 30 * unit->sample(draws));
  EXPECT_EQ(law->residual(draws), 30 * unit->residual(draws));
  EXPECT_EQ(law->cdf(15), unit->cdf(0.5));
  EXPECT_EQ(law->mean(), 30);
}

TEST(Law, UniformStayAndItsResidual) {
  const LawPtr law = parse_law("uniform:lo=1s,hi=3s", LawUse::sojourn);
  EXPECT_EQ(law->mean(), 2);
  EXPECT_GT(ks_p(samples(*law, 20000), [](double x) { return (x - 1) / 2; }), kLeastP);
  std::vector<double> sorted = residuals(*law, 20000);
  std::sort(sorted.begin(), sorted.end());
  const std::vector<double> tail = integrated_tail(*law, sorted);
  size_t k = 0;
  EXPECT_GT(ks_p(sorted, [&](double) { return tail[k++]; }), kLeastP);
}

TEST(Law, GeometricHasItsMeanAndProbabilities) {
  const LawPtr law = parse_law("geometric:mean=4", LawUse::count);
  const std::vector<double> x = samples(*law, 40000);
  EXPECT_NEAR(test::mean_of(x), 4, 0.07);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 1.0)) / 40000, 0.25, 0.01);
  EXPECT_NEAR(law->cdf(2), 1 - 0.75 * 0.75, 1e-12);
  EXPECT_EQ(parse_law("geometric:mean=1", LawUse::count)->sample({&kRandom, 0}), 1);
}

TEST(Law, MixtureMixes) {
  const LawPtr law = parse_law("mix:3*fixed:10+1*uniform:lo=100,hi=200", LawUse::count);
  const std::vector<double> x = samples(*law, 40000);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 10.0)) / 40000, 0.75, 0.01);
  EXPECT_NEAR(law->mean(), 0.75 * 10 + 0.25 * 150, 1e-9);
  EXPECT_NEAR(test::mean_of(x), law->mean(), 1.3);
  EXPECT_NEAR(std::sqrt(test::variance_of(x)) / law->mean(), law->cv(), 0.02);
}

TEST(Law, MixtureTellsAPlusSignOfANumberFromOneBetweenParts) {
  const LawPtr law = parse_law("mix:1*fixed:1e+2+1*fixed:3", LawUse::count);
  EXPECT_EQ(law->mean(), 51.5);
}

TEST(Law, CountsAreRoundedToNearestUnlessToldOtherwise) {
  const auto whole = [](const std::vector<double>& x) {
    return std::all_of(x.begin(), x.end(), [](double v) { return v == std::floor(v); });
  };
  const std::string text = "lognormal:mean=20,cv=1";
  const std::vector<double> exact = samples(*parse_law(text + ",round=none", LawUse::count), 1000);
  EXPECT_FALSE(whole(exact));
  for (const auto& [how, round] :
       {std::pair<std::string, double (*)(double)>{"nearest", [](double v) { return std::floor(v + 0.5); }},
        {"floor", [](double v) { return std::floor(v); }},
        {"ceil", [](double v) { return std::ceil(v); }}}) {
    const std::vector<double> x = samples(*parse_law(text + ",round=" + how, LawUse::count), 1000);
    for (size_t k = 0; k < x.size(); ++k) ASSERT_EQ(x[k], round(exact[k])) << how;
  }
  EXPECT_EQ(samples(*parse_law(text, LawUse::count), 1000),
            samples(*parse_law(text + ",round=nearest", LawUse::count), 1000));
}

TEST(Law, RoundedDistributionFunctionCountsWholeNumbers) {
  for (const char* how : {"nearest", "floor", "ceil"}) {
    const LawPtr law = parse_law(std::string("exp:mean=3,round=") + how, LawUse::count);
    const std::vector<double> x = samples(*law, 40000);
    for (const double at : {0.0, 1.0, 2.0, 5.0}) {
      const auto below = std::count_if(x.begin(), x.end(), [at](double v) { return v <= at; });
      EXPECT_NEAR(law->cdf(at), static_cast<double>(below) / 40000, 0.01) << how << " " << at;
    }
  }
}

TEST(Law, MinAndMaxClip) {
  const LawPtr law = parse_law("exp:mean=10,min=5,max=12", LawUse::count);
  const std::vector<double> x = samples(*law, 1000);
  EXPECT_EQ(*std::min_element(x.begin(), x.end()), 5);
  EXPECT_EQ(*std::max_element(x.begin(), x.end()), 12);
  EXPECT_EQ(law->cdf(4.9), 0);
  EXPECT_EQ(law->cdf(12), 1);
}

TEST(Law, TextForms) {
  const Draws draws{&kRandom, 0};
  EXPECT_EQ(parse_law("fixed:512", LawUse::count)->sample(draws), 512);
  EXPECT_EQ(parse_law("fixed:mean=512", LawUse::count)->sample(draws), 512);
  EXPECT_EQ(parse_law("fixed:1.5ms", LawUse::sojourn)->sample(draws), 0.0015);
  EXPECT_EQ(parse_law("uniform:lo=0,hi=2s,max=1500ms", LawUse::sojourn)->cdf(1.5), 1);
  EXPECT_EQ(parse_law("erlang:cv=0.5", LawUse::gap)->cv(), 0.5);
  EXPECT_EQ(parse_law("exp:", LawUse::gap)->mean(), 1);
  EXPECT_EQ(parse_law("pareto:alpha=3", LawUse::gap)->cv(), 1 / std::sqrt(3.0));
}

TEST(Law, EmpiricalReadsAColumnByNameOrNumber) {
  const mlq::test::TempDir dir;
  const std::string file = dir.file("rows.csv", "id,gap\n1,2\n2,6\n");
  EXPECT_EQ(parse_law("empirical:" + file + "#gap", LawUse::count)->mean(), 4);
  EXPECT_EQ(parse_law("empirical:" + file + "#2", LawUse::count)->mean(), 4);
  EXPECT_EQ(parse_law("empirical:" + file, LawUse::count)->mean(), 1.5);
  EXPECT_EQ(parse_law("empirical:" + file + "#gap,block=2", LawUse::gap)->mean(), 1);
  EXPECT_EQ(parse_law("empirical:" + file + "#gap,mean=100", LawUse::count)->mean(), 100);
  EXPECT_EQ(failure_of([&] { parse_law("empirical:" + file + "#no", LawUse::gap); }),
            "3: " + file + ": no column \"no\" in the header");
  const std::string bad = dir.file("bad.csv", "1\nnan\n");
  EXPECT_EQ(failure_of([&] { parse_law("empirical:" + bad, LawUse::gap); }),
            "3: " + bad + ":2: \"nan\" is no finite number");
}

TEST(Law, MistakesAreNamed) {
  const auto gap = [](const char* text) { return failure_of([&] { parse_law(text, LawUse::gap); }); };
  const auto count = [](const char* text) { return failure_of([&] { parse_law(text, LawUse::count); }); };
  const auto time = [](const char* text) { return failure_of([&] { parse_law(text, LawUse::sojourn); }); };
  EXPECT_EQ(time("exp:mean=5"),
            "2: law \"exp:mean=5\": mean=: \"5\" has no unit of time; write 5s for seconds or 5ms for "
            "milliseconds");
  EXPECT_EQ(time("uniform:lo=1s,hi=2").substr(0, 39), "2: law \"uniform:lo=1s,hi=2\": hi=: \"2\" h");
  EXPECT_EQ(gap("gamma:cv=0"), "2: cv 0 is out of range for gamma; it must be above 0 and at most 100");
  EXPECT_EQ(gap("lomax:cv=1"), "2: cv 1 is out of range for lomax; it must be above 1 and at most 1000");
  EXPECT_EQ(gap("h2:cv=0.5"), "2: cv 0.5 is out of range for h2; it must be from 1 to 1000");
  EXPECT_EQ(gap("weibull:cv=0.01"), "2: cv 0.01 is out of range for weibull; it must be from 0.0253 to 1000");
  EXPECT_EQ(gap("pareto:alpha=1"),
            "2: alpha 1 is out of range for pareto; it must be above 1 (a finite mean) and at most 1e6");
  EXPECT_EQ(gap("erlang:k=0"), "2: k 0 is out of range for erlang; it must be from 1 to 10000");
  EXPECT_EQ(gap("erlang:cv=0.6"),
            "2: law \"erlang:cv=0.6\": erlang has a cv of 1/sqrt(k) with whole k; give k=, or use gamma");
  EXPECT_EQ(gap("gamma"), "2: law \"gamma\": gamma needs cv=");
  EXPECT_EQ(gap("gamma:cv=x"), "2: law \"gamma:cv=x\": cv=x is no number");
  EXPECT_EQ(gap("gamma:cv=2,cv=3"), "2: law \"gamma:cv=2,cv=3\": cv is given twice");
  EXPECT_EQ(gap("gamma:cv=2,k=3"), "2: law \"gamma:cv=2,k=3\": gamma does not take \"k\"");
  EXPECT_EQ(gap("exp:5"), "2: law \"exp:5\": \"5\" has no name; write it as KEY=VALUE");
  EXPECT_EQ(
      gap("gamma:cv=2,mean=3"),
      "2: law \"gamma:cv=2,mean=3\": a gap law has mean 1; the mean gap is set by --rate or --gap, not by "
      "mean=");
  EXPECT_EQ(gap("exp:max=3"), "2: law \"exp:max=3\": a gap law takes no min=, max= or round=");
  EXPECT_EQ(gap("mix:1*exp"), "2: law \"mix:1*exp\": mix is no gap law; use h2 or superpose");
  EXPECT_EQ(
      gap("cauchy"),
      "2: law \"cauchy\": there is no law \"cauchy\" here; there are exp, gamma, weibull, lognormal, pareto, "
      "lomax, erlang, h2, fixed, empirical");
  EXPECT_EQ(count("exp"), "2: law \"exp\": exp needs mean=");
  EXPECT_EQ(count("exp:-3"), "2: law \"exp:-3\": the mean must be positive");
  EXPECT_EQ(count("exp:3,mean=4"), "2: law \"exp:3,mean=4\": the mean is given twice");
  EXPECT_EQ(count("exp:3,min=5,max=4"), "2: law \"exp:3,min=5,max=4\": it must be that 0 <= min <= max");
  EXPECT_EQ(count("exp:3,max=-1"), "2: law \"exp:3,max=-1\": it must be that 0 <= min <= max");
  EXPECT_EQ(count("exp:3,round=up"),
            "2: law \"exp:3,round=up\": round=up must be nearest, floor, ceil or none");
  EXPECT_EQ(count("uniform:lo=3"), "2: law \"uniform:lo=3\": uniform needs lo= and hi=");
  EXPECT_EQ(count("uniform:lo=3,hi=2"), "2: law \"uniform:lo=3,hi=2\": it must be that 0 <= lo < hi");
  EXPECT_EQ(count("geometric:0.5"), "2: law \"geometric:0.5\": the mean of geometric is at least 1");
  EXPECT_EQ(count("zipf:s=1"), "2: law \"zipf:s=1\": zipf needs n=");
  EXPECT_EQ(count("mix:exp:3"), "2: law \"mix:exp:3\": a part of mix is WEIGHT*LAW");
  EXPECT_EQ(count("mix:0*exp:3"), "2: law \"mix:0*exp:3\": weights must be positive");
  EXPECT_EQ(count("mix:1*mix:1*exp:3"), "2: law \"mix:1*mix:1*exp:3\": mix cannot stand in mix");
  EXPECT_EQ(count("empirical:"), "2: law \"empirical:\": empirical needs a file, as in empirical:gaps.txt");
}

TEST(Law, BlockLengthIsBounded) {
  EXPECT_EQ(failure_of([] {
              empirical_law({1, 2}, 0);
            }),
            "2: block 0 is out of range for empirical; it must be from 1 to 1000000");
  EXPECT_EQ(failure_of([] { empirical_law({1, -2}, 1); }), "3: empirical law: -2 is no length");
  EXPECT_EQ(failure_of([] {
              empirical_law({0, 0}, 1);
            }),
            "3: empirical law: the mean of the values is not positive");
}

}  // namespace
}  // namespace mlq::arrival
