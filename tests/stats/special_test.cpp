// References: mpmath at 40 to 60 digits (series and integrals written out), chi-square quantiles by
// scipy 1.17.
#include "lib/stats/special.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace mlq::stats {
namespace {

// |value - reference| relative to the reference.
void expect_relative(double value, double reference, double bound) {
  EXPECT_LE(std::fabs(value - reference), bound * std::fabs(reference)) << value << " against " << reference;
}

TEST(Gamma, AgreesWithReferences) {
  struct Case {
    double a, x, p, q;
  };
  constexpr Case kCases[] = {
      {0.5, 0.01, 0.11246291601828489, 0.88753708398171511},
      {0.5, 2.0, 0.95449973610364159, 0.045500263896358414},
      {0.5, 40.0, 1.0, 3.7440973842028988e-19},
      {1.0, 1.0, 0.63212055882855768, 0.36787944117144232},
      {2.5, 0.10000000000000001, 0.00088613878881244261, 0.99911386121118756},
      {2.5, 12.0, 0.99978288705654728, 0.00021711294345272332},
      {10.0, 10.5, 0.60286740064918935, 0.39713259935081065},
      {15.9, 30.0, 0.99818792941830928, 0.0018120705816907156},
      {16.1, 3.0, 1.0447306306281e-7, 0.99999989552693694},
      {49.5, 67.5, 0.99054044032231676, 0.0094595596776832402},
      {100.0, 60.0, 1.4815276326460468e-6, 0.99999851847236735},
      {100.0, 170.0, 0.99999999756992274, 2.4300772611551818e-9},
      {1000.0, 1100.0, 0.99894067674607002, 0.0010593232539299773},
      {1000.5, 900.0, 0.00051948334593476637, 0.99948051665406523},
      {50000.0, 50300.0, 0.90995156420883114, 0.090048435791168864},
      {50000.0, 49000.0, 3.3847542280794914e-6, 0.99999661524577192},
      {1000000.0, 1003000.0, 0.99863825935378241, 0.0013617406462175915},
      {1000000.0, 998000.0, 0.022696114006736803, 0.9773038859932632},
      {1800000.0, 1800000.0, 0.50009911800675885, 0.49990088199324115},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << "a " << c.a << " x " << c.x);
    expect_relative(gamma_p(c.a, c.x), c.p, 2e-12);
    expect_relative(gamma_q(c.a, c.x), c.q, 2e-12);
  }
}

TEST(Gamma, EndsAndDomain) {
  EXPECT_EQ(gamma_p(3, 0), 0);
  EXPECT_EQ(gamma_q(3, 0), 1);
  EXPECT_EQ(gamma_q(3, INFINITY), 0);
  EXPECT_TRUE(std::isnan(gamma_p(0, 1)));
  EXPECT_TRUE(std::isnan(gamma_q(1, -1)));
}

TEST(Beta, AgreesWithReferences) {
  struct Case {
    double a, b, x, i;
  };
  constexpr Case kCases[] = {
      {0.5, 0.5, 0.25, 0.33333333333333333},
      {2.0, 3.0, 0.10000000000000001, 0.052300000000000005},
      {5.0, 0.5, 0.98999999999999999, 0.7571581091015624},
      {30.0, 70.0, 0.20000000000000001, 0.0096920857490070452},
      {30.0, 70.0, 0.45000000000000001, 0.99900718079242713},
      {1000.0, 10.0, 0.96999999999999997, 4.6503336293972146e-6},
      {500.0, 500.0, 0.45000000000000001, 0.00076367893952650011},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << "a " << c.a << " b " << c.b << " x " << c.x);
    expect_relative(beta_inc(c.a, c.b, c.x), c.i, 2e-12);
    EXPECT_NEAR(beta_inc(c.b, c.a, 1 - c.x), 1 - c.i, 1e-12);
  }
  EXPECT_EQ(beta_inc(2, 3, 0), 0);
  EXPECT_EQ(beta_inc(2, 3, 1), 1);
}

TEST(Binomial, AgreesWithReferences) {
  struct Case {
    uint64_t k, n;
    double p, cdf;
  };
  constexpr Case kCases[] = {
      {0, 10, 0.3, 0.028247524900000004},
      {3, 10, 0.3, 0.64961071840000003},
      {985, 1000, 0.99, 0.08241231951608921},
      {960, 1000, 0.99, 4.6885535662499304e-13},
      {999000, 1000000, 0.999, 0.50421155516700324},
      {998900, 1000000, 0.999, 0.00095746697002863209},
      {49800, 100000, 0.5, 0.10351948588211242},
      {98900, 400000, 0.25, 2.9169032707402141e-5},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << "k " << c.k << " n " << c.n);
    expect_relative(binomial_cdf(c.k, c.n, c.p), c.cdf, 2e-11);
  }
  EXPECT_EQ(binomial_cdf(10, 10, 0.3), 1);
  EXPECT_EQ(binomial_cdf(3, 10, 0), 1);
  EXPECT_EQ(binomial_cdf(3, 10, 1), 0);
}

TEST(Poisson, CdfIsTheSumOfItsTerms) {
  double term = std::exp(-4.5);
  double sum = 0;
  for (uint64_t k = 0; k < 20; ++k) {
    sum += term;
    expect_relative(poisson_cdf(k, 4.5), sum, 1e-13);
    term *= 4.5 / static_cast<double>(k + 1);
  }
}

TEST(Normal, TailsAgreeWithReferences) {
  constexpr double kCases[][2] = {
      {-3, 0.99865010196836991},     {0, 0.5},
      {0.5, 0.3085375387259869},     {1.959963984540054, 0.025000000000000011},
      {6, 9.8658764503769814e-10},   {20, 2.7536241186062337e-89},
      {37, 5.7255712225245768e-300},
  };
  for (const auto& [x, sf] : kCases) {
    expect_relative(normal_sf(x), sf, 1e-12);
    EXPECT_EQ(normal_cdf(-x), normal_sf(x));
  }
}

TEST(ChiSquare, QuantileAgreesWithReferences) {
  constexpr double kCases[][3] = {
      {0.025000000000000001, 1, 0.00098206911717525552},  {0.98999999999999999, 99, 134.64161685578915},
      {0.025000000000000001, 29, 16.047071695364892},     {0.97499999999999998, 29, 45.722285804174518},
      {0.97499999999999998, 3599999, 3605260.0285624834}, {9.9999999999999995e-07, 3, 0.00024181048720124264},
      {0.99999899999999997, 50, 112.60809249886348},      {0.5, 2, 1.386294361119891},
  };
  for (const auto& [p, df, x] : kCases) {
    SCOPED_TRACE(testing::Message() << "p " << p << " df " << df);
    expect_relative(chi_square_quantile(p, df), x, 1e-11);
  }
}

TEST(ChiSquare, QuantileInvertsTheCdf) {
  for (double df : {1.0, 3.0, 50.0, 999.0, 123456.0}) {
    for (double p : {1e-8, 0.005, 0.3, 0.5, 0.975, 0.9999}) {
      EXPECT_NEAR(chi_square_cdf(chi_square_quantile(p, df), df), p, 1e-11 * p + 1e-15) << p << " " << df;
    }
  }
}

TEST(Kolmogorov, AgreesWithReferences) {
  constexpr double kCases[][2] = {
      {0.10000000000000001, 1.0},
      {0.20000000000000001, 0.99999999999949496},
      {0.5, 0.96394524366487509},
      {0.82757355518990772, 0.49999999999999996},
      {0.98999999999999999, 0.28087383922554892},
      {1.0, 0.26999967167735452},
      {1.01, 0.25943416909359744},
      {1.3600000000000001, 0.049485876755377884},
      {1.6276236115189504, 0.009999999999999996},
      {2.5, 7.4533063441573416e-6},
      {5.0, 3.8574996959278356e-22},
  };
  for (const auto& [lambda, q] : kCases) {
    SCOPED_TRACE(lambda);
    expect_relative(kolmogorov_q(lambda), q, 1e-12);
  }
  EXPECT_EQ(kolmogorov_q(0), 1);
  EXPECT_EQ(kolmogorov_q(-1), 1);
}

TEST(AndersonDarling, LimitAgreesWithReferences) {
  constexpr double kCases[][2] = {
      {0.1, 0.99997192189487364},           {0.3, 0.93815763605712305},
      {0.77421, 0.50000318172673474},       {1.0, 0.35726667321401909},
      {1.9329578327, 0.1000000000053038},   {2.49236716, 0.050000000002984959},
      {3.8781250216, 0.010000000000060836}, {6, 0.00096745194152092292},
      {10, 1.3815035410685864e-5},          {20, 4.4650715383146902e-10},
  };
  for (const auto& [z, sf] : kCases) {
    SCOPED_TRACE(z);
    EXPECT_NEAR(anderson_darling_sf(z, 0), sf, 1e-12);
  }
}

// The law hardly moves with n (Lewis 1961).
TEST(AndersonDarling, SmallSamplesComeCloseToTheLimit) {
  for (double z : {0.3, 0.77, 1.933, 2.492, 3.878, 6.0}) {
    EXPECT_NEAR(anderson_darling_sf(z, 8), anderson_darling_sf(z, 0), 0.01) << z;
    EXPECT_NEAR(anderson_darling_sf(z, 100000), anderson_darling_sf(z, 0), 1e-5) << z;
  }
}

TEST(AndersonDarling, FallsFromOneToZero) {
  for (uint64_t n : {0u, 10u, 1000u}) {
    double before = 1;
    for (double z = 0; z < 45; z += 0.01) {
      const double p = anderson_darling_sf(z, n);
      ASSERT_GE(p, 0);
      ASSERT_LE(p, before + 2e-6) << z << " " << n;
      before = p;
    }
    EXPECT_EQ(before, 0);
  }
}

}  // namespace
}  // namespace mlq::stats
