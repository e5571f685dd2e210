#include "lib/arrival/path/path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lib/arrival/path/paths.h"
#include "tests/arrival/harness.h"

namespace mlq::arrival {
namespace {

using test::failure_of;

constexpr double kTwoPi = 6.283185307179586;

// The pieces of a path until `seconds`.
std::vector<Piece> pieces_of(RatePath& path, double seconds) {
  std::vector<Piece> pieces;
  u128 at = 0;
  Piece piece;
  while (seconds_of_fixed_ns(at) < seconds && path.next(piece)) {
    pieces.push_back(piece);
    at = fixed_add(at, piece.length);
  }
  return pieces;
}

// The rate at a time, by walking the pieces.
double rate_at(const std::vector<Piece>& pieces, double seconds) {
  u128 at = 0;
  const u128 time = fixed_ns_of_seconds(seconds);
  for (const Piece& piece : pieces) {
    if (piece.endless() || time - at < piece.length) return piece_rate(piece, time - at);
    at += piece.length;
  }
  return NAN;
}

double mass_s(RatePath& path, double seconds) {
  return fixed_to_double(path_mass(path, fixed_ns_of_seconds(seconds)));
}

// The integral of f over [0, b] by the midpoint rule.
double integral(const std::function<double(double)>& f, double b, int parts = 400000) {
  double sum = 0;
  for (int k = 0; k < parts; ++k) sum += f((k + 0.5) * b / parts);
  return sum * b / parts;
}

TEST(Piece, TimeIsTheInverseOfMassInEveryShape) {
  Wave wave{100, {{0.6, 60, 0.3}, {0.3, 17, 2}}};
  const u128 length = fixed_ns_of_seconds(10);
  for (const Piece& piece :
       {constant_piece(37.5, length), linear_piece(0, 90, length), linear_piece(90, 0, length),
        linear_piece(20, 21, length), linear_piece(1e-3, 1e6, length), wave_piece(wave, 12.5, length)}) {
    const u128 mass = piece_mass(piece);
    u128 before = 0;
    for (int k = 1; k < 1000; ++k) {
      const u128 part = mass / 1000 * static_cast<unsigned>(k);
      const u128 time = piece_time(piece, part);
      ASSERT_LT(time, length);
      ASSERT_GE(time, before);
      before = time;
      EXPECT_NEAR(fixed_to_double(piece_mass_until(piece, time)), fixed_to_double(part),
                  1e-9 * fixed_to_double(mass));
    }
  }
}

TEST(Piece, LinearMassIsTheTrapezium) {
  const Piece piece = linear_piece(10, 30, fixed_ns_of_seconds(4));
  EXPECT_DOUBLE_EQ(fixed_to_double(piece_mass(piece)), 80);
  // r t + s t^2 / 2 = 10 t + 2.5 t^2 = 30 at t = 2
  EXPECT_NEAR(seconds_of_fixed_ns(piece_time(piece, to_fixed(30))), 2, 1e-12);
}

TEST(Piece, WaveTimeIsFoundWhereTheRateIsZero) {
  // 1 - cos touches 0 at the start; mass grows as t^3 there.
  Wave wave{100, {{1, 86400, -kTwoPi / 4}}};
  const Piece piece = wave_piece(wave, 0, fixed_ns_of_seconds(1350));
  for (const double share : {1e-9, 1e-6, 1e-3, 0.5, 0.999}) {
    const double mass = share * fixed_to_double(piece_mass(piece));
    const double t = seconds_of_fixed_ns(piece_time(piece, to_fixed(mass)));
    EXPECT_NEAR(fixed_to_double(piece_mass_until(piece, fixed_ns_of_seconds(t))), mass, 1e-9 * mass + 1e-13)
        << share;
  }
}

TEST(Piece, ConstantRateOfZeroHasNoMass) {
  EXPECT_TRUE(piece_mass(constant_piece(0.0, fixed_ns_of_seconds(5))) == 0);
  EXPECT_TRUE(piece_mass(constant_piece(1.0, kFixedMax)) == kFixedMax);
}

TEST(Path, WaveMassAgreesWithNumericIntegration) {
  const Wave wave{50, {{0.7, 30, 0.25 * kTwoPi}, {0.3, 7, 1}}};
  for (const double end : {1.0, 29.3, 100.0}) {
    const RatePathPtr path = wave_path(wave);
    EXPECT_NEAR(mass_s(*path, end), integral([&](double t) { return wave.rate(t); }, end), 1e-6) << end;
  }
}

TEST(Path, WavePhaseIsWhereItIsSaid) {
  const RatePathPtr path = wave_path(Wave{100, {{0.5, 60, 0.25 * kTwoPi}}});
  EXPECT_NEAR(rate_at(pieces_of(*path, 60), 0), 150, 1e-9);
}

TEST(Path, KnotsAreJoinedByStraightLinesAndEqualTimesMakeAStep) {
  const RatePathPtr path = knots_path({{5, 10}, {15, 30}, {15, 0}, {25, 0}, {35, 8}});
  const std::vector<Piece> pieces = pieces_of(*path, 1e9);
  EXPECT_DOUBLE_EQ(rate_at(pieces, 0), 10);
  EXPECT_DOUBLE_EQ(rate_at(pieces, 5), 20);
  EXPECT_DOUBLE_EQ(rate_at(pieces, 12), 0);
  EXPECT_DOUBLE_EQ(rate_at(pieces, 25), 4);
  const RatePathPtr again = knots_path({{5, 10}, {15, 30}, {15, 0}, {25, 0}, {35, 8}});
  EXPECT_DOUBLE_EQ(mass_s(*again, 1000), 200 + 0 + 40);
}

TEST(Path, ExpressionIsFollowedWithinATenthOfAPercent) {
  const auto f = [](double t) {
    return 100 * (1 + 0.5 * std::sin(kTwoPi * t / 100)) + (t > 50 ? 80 * (t - 50) / 50 : 0);
  };
  const std::string formula = "100*(1+0.5*sin(2*pi*t/100)) + max(0, 80*(t-50)/50)";
  const RatePathPtr path = expression_path(formula, 1, 100);
  const std::vector<Piece> pieces = pieces_of(*path, 100);
  for (double t = 0.01; t < 100; t += 0.37) EXPECT_NEAR(rate_at(pieces, t), f(t), 1.3e-3 * 120) << t;
  const RatePathPtr again = expression_path(formula, 1, 100);
  EXPECT_NEAR(mass_s(*again, 100), integral(f, 100), 1e-3 * 12000);
}

TEST(Path, ExpressionStepsAreHalvedOnlyWhereTheyMustBe) {
  const RatePathPtr path = expression_path("10 + 5*floor(t/7.3)", 1, 100);
  const std::vector<Piece> pieces = pieces_of(*path, 100);
  EXPECT_LT(pieces.size(), 100 + 13 * 12);
  EXPECT_NEAR(rate_at(pieces, 7.29), 10, 1e-9);
  EXPECT_NEAR(rate_at(pieces, 7.31), 15, 1e-9);
  for (size_t k = 1; k < pieces.size(); ++k) ASSERT_EQ(pieces[k].rate0_per_s, pieces[k - 1].rate1_per_s);
}

TEST(Path, ExpressionThatGoesBelowZeroIsRefusedWhereItDoes) {
  EXPECT_EQ(failure_of([] { expression_path("10 - t", 1, std::nullopt); }),
            "3: the rate \"10 - t\" is -0.5 at t = 10.5 s; it must be a number that is not negative");
}

struct ShapeCase {
  Shape shape;
  std::vector<std::pair<double, double>> rates;  // time, rate
};

TEST(Path, ShapesHaveTheirHeights) {
  using K = Shape::Kind;
  const auto shape = [](K kind, double onset, double ramp, double sustain, double decay) {
    Shape s;
    s.kind = kind;
    s.onset_s = onset;
    s.ramp_s = ramp;
    s.sustain_s = sustain;
    s.decay_s = decay;
    s.level = 3;
    s.period_s = 20;
    s.duty = 0.25;
    return s;
  };
  Shape added = shape(K::step, 10, 0, 0, 0);
  added.additive = true;
  added.level = 7;
  const std::vector<ShapeCase> cases = {
      {shape(K::step, 10, 0, 0, 0), {{9.9, 10}, {10, 30}, {1000, 30}}},
      {added, {{9.9, 10}, {10, 17}}},
      {shape(K::ramp, 10, 20, 0, 0), {{5, 10}, {20, 20}, {30, 30}, {99, 30}}},
      {shape(K::spike, 10, 10, 5, 20), {{5, 10}, {15, 20}, {22, 30}, {35, 20}, {46, 10}}},
      {shape(K::flash_crowd, 0, 10, 5, 20), {{5, 20}, {12, 30}, {25, 20}, {40, 10}}},
      {shape(K::square, 10, 0, 0, 0),
       {{9, 10}, {10, 30}, {14.9, 30}, {15, 10}, {29, 10}, {30, 30}, {35, 10}}},
      {shape(K::sawtooth, 10, 0, 0, 0), {{9, 10}, {10, 10}, {20, 20}, {29.9, 29.9}, {30, 10}, {40, 20}}}};
  for (const ShapeCase& c : cases) {
    const RatePathPtr path = shaped_path(constant_path(Rate{10, 1'000'000'000}), c.shape);
    const std::vector<Piece> pieces = pieces_of(*path, 2000);
    for (const auto& [t, rate] : c.rates) {
      EXPECT_NEAR(rate_at(pieces, t), rate, 1e-9) << static_cast<int>(c.shape.kind) << " at " << t;
    }
  }
}

TEST(Path, ShapeOverAWaveIsTheirProduct) {
  Shape shape;
  shape.kind = Shape::Kind::ramp;
  shape.onset_s = 10;
  shape.ramp_s = 30;
  shape.level = 5;
  const Wave wave{100, {{0.5, 40, 0}}};
  const RatePathPtr path = shaped_path(wave_path(wave), shape);
  const std::vector<Piece> pieces = pieces_of(*path, 80);
  for (double t = 0.05; t < 79; t += 0.71) {
    const double height = std::clamp((t - 10) / 30, 0.0, 1.0);
    EXPECT_NEAR(rate_at(pieces, t), wave.rate(t) * (1 + 4 * height), 0.05) << t;
  }
}

TEST(Path, MassOfCountedSegmentsIsRefused) {
  const RatePathPtr path = concat_path({"n=10@5/s"});
  EXPECT_EQ(failure_of([&] { path_mass(*path, fixed_ns_of_seconds(1)); }).substr(0, 2), "2:");
}

TEST(Path, BadShapesAreNamed) {
  EXPECT_EQ(failure_of([] {
              wave_path(Wave{1, {{0.7, 10, 0}, {-0.4, 5, 0}}});
            }),
            "2: the amplitudes sum to 1.1; above 1 the rate would be negative");
  EXPECT_EQ(failure_of([] { wave_path(Wave{1, {{0.7, 0.0005, 0}}}); }), "2: the period must be at least 1ms");
  EXPECT_EQ(failure_of([] {
              knots_path({{0, 1}});
            }),
            "3: a rate path needs at least two points at different times");
  EXPECT_EQ(failure_of([] {
              knots_path({{0, 0}, {1, 0}});
            }),
            "3: the rate is 0 everywhere; nothing would ever arrive");
  EXPECT_EQ(failure_of([] {
              knots_path({{1, 1}, {0, 0}});
            }),
            "3: point 2: its time 0 s is before that of the point before");
  EXPECT_EQ(failure_of([] { concat_path({"10@5/s"}); }).substr(0, 2), "2:");
  EXPECT_EQ(failure_of([] { concat_path({"n=0@5/s"}); }),
            "2: segment \"n=0@5/s\": the count must be from 1 to 2^62");
  EXPECT_EQ(failure_of([] { concat_path({}); }),
            "2: concat needs at least one --segment, as in --segment 60s@14.3/s");
}

// ---- Random paths: time averages over long stretches against their laws.

struct Averages {
  double mean = 0;
  double second = 0;
};
Averages averages(RatePath& path, double seconds) {
  Averages sum;
  double total = 0;
  for (const Piece& piece : pieces_of(path, seconds)) {
    const double length = seconds_of_fixed_ns(piece.length);
    total += length;
    sum.mean += piece.rate0_per_s * length;
    sum.second += piece.rate0_per_s * piece.rate0_per_s * length;
  }
  return {sum.mean / total, sum.second / total};
}

TEST(RandomPath, MarkovRatesHaveTheStationaryLaw) {
  const RandomStream random(3, Purpose::modulator);
  const auto path = mmpp_path({10, 100, 40}, {{-1, 0.5, 0.5}, {2, -3, 1}, {0.5, 0.5, -1}}, random, 0);
  const std::vector<double> pi = stationary_law({{-1, 0.5, 0.5}, {2, -3, 1}, {0.5, 0.5, -1}});
  const Averages seen = averages(*path, 100000);
  EXPECT_NEAR(seen.mean, pi[0] * 10 + pi[1] * 100 + pi[2] * 40, 0.4);
  EXPECT_NEAR(seen.second, pi[0] * 100 + pi[1] * 10000 + pi[2] * 1600, 30);
}

TEST(RandomPath, StationaryLawSolvesPiQ) {
  const std::vector<std::vector<double>> q = {{-1, 0.5, 0.5}, {2, -3, 1}, {0.5, 0.5, -1}};
  const std::vector<double> pi = stationary_law(q);
  double total = 0;
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (size_t r = 0; r < 3; ++r) sum += pi[r] * q[r][c];
    EXPECT_NEAR(sum, 0, 1e-15);
    total += pi[c];
  }
  EXPECT_NEAR(total, 1, 1e-15);
}

TEST(RandomPath, MatricesThatAreNoGeneratorsAreRefusedByRow) {
  EXPECT_EQ(failure_of([] {
              stationary_law({{-1, 1}, {2, -1}});
            }),
            "3: generator: row 2 sums to 1; it must sum to 0");
  EXPECT_EQ(failure_of([] {
              stationary_law({{-1, 1}, {2}});
            }),
            "3: generator: row 2 has 1 entries; it must have 2");
  EXPECT_EQ(failure_of([] {
              stationary_law({{1, -1}, {2, -2}});
            }),
            "3: generator: row 1 has a negative rate");
  EXPECT_EQ(failure_of([] {
              stationary_law({{NAN, 1}, {2, -2}});
            }),
            "3: generator: row 1 holds a value that is no finite number");
  EXPECT_EQ(failure_of([] {
              stationary_law({{-1, 1}, {0, 0}});
            }),
            "3: generator: the chain is reducible; row 2: the state cannot reach those before it");
  EXPECT_EQ(failure_of([] {
              stationary_law({{0, 0}, {1, -1}});
            }),
            "3: generator: the chain is reducible; row 2: the state is never reached again");
}

TEST(RandomPath, OnOffSourcesAreOnForTheirShareAndIndependent) {
  const RandomStream random(4, Purpose::modulator);
  const LawPtr on = parse_law("gamma:cv=1.5,mean=2s", LawUse::sojourn);
  const LawPtr off = parse_law("uniform:lo=1s,hi=5s", LawUse::sojourn);
  const auto path = onoff_path(10, on, off, 20, Stays::residual, random, 0);
  const Averages seen = averages(*path, 40000);
  const double p = 2.0 / 5;
  EXPECT_NEAR(seen.mean, 10 * 20 * p, 0.5);
  EXPECT_NEAR(seen.second - seen.mean * seen.mean, 100 * 20 * p * (1 - p), 15);
}

// Over many paths, the number on at a time shortly after 0 has the same mean as in equilibrium.
TEST(RandomPath, OnOffStartsInEquilibriumUnlessStaysAreFresh) {
  const LawPtr on = parse_law("fixed:3s", LawUse::sojourn);
  const LawPtr off = parse_law("fixed:1s", LawUse::sojourn);
  const auto share_on_at = [&](Stays stays, double at) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 3000; ++seed) {
      const auto path = onoff_path(1, on, off, 1, stays, RandomStream(seed, Purpose::modulator), 0);
      sum += rate_at(pieces_of(*path, at + 1), at);
    }
    return sum / 3000;
  };
  for (const double at : {0.0, 0.7, 1.5, 3.5, 10.0})
    EXPECT_NEAR(share_on_at(Stays::residual, at), 0.75, 0.03) << at;
  EXPECT_NEAR(share_on_at(Stays::fresh, 0.9), 0.75, 0.03);
  EXPECT_EQ(share_on_at(Stays::fresh, 1.5), 1);  // the off have come back, the on are not over
}

TEST(RandomPath, SessionsAliveArePoisson) {
  const RandomStream random(5, Purpose::modulator);
  const LawPtr life = parse_law("gamma:cv=2,mean=2s", LawUse::sojourn);
  const auto path = session_path(60, 12, life, Stays::residual, random, 0);
  const Averages seen = averages(*path, 30000);
  EXPECT_NEAR(seen.mean, 60, 1);
  EXPECT_NEAR((seen.second - seen.mean * seen.mean) / 25, 12, 0.8);
}

TEST(RandomPath, SessionsStartInEquilibrium) {
  const LawPtr life = parse_law("fixed:4s", LawUse::sojourn);
  for (const double at : {0.0, 1.0, 3.0, 5.0}) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 3000; ++seed) {
      const auto path = session_path(5, 5, life, Stays::residual, RandomStream(seed, Purpose::modulator), 0);
      sum += rate_at(pieces_of(*path, at + 0.1), at);
    }
    EXPECT_NEAR(sum / 3000, 5, 4 * std::sqrt(5.0 / 3000)) << at;
  }
}

TEST(RandomPath, LognormalRatesHaveTheirMeanCvAndCorrelation) {
  const RandomStream random(6, Purpose::modulator);
  const auto path = lognormal_path(50, 0.4, 2, 0.7, random, 0);
  std::vector<double> logs, rates;
  for (const Piece& piece : pieces_of(*path, 200000)) {
    EXPECT_NEAR(seconds_of_fixed_ns(piece.length), 2, 1e-6);
    rates.push_back(piece.rate0_per_s);
    logs.push_back(std::log(piece.rate0_per_s));
  }
  EXPECT_NEAR(test::mean_of(rates), 50, 0.6);
  EXPECT_NEAR(std::sqrt(test::variance_of(rates)) / 50, 0.4, 0.01);
  double cross = 0;
  const double m = test::mean_of(logs);
  for (size_t k = 1; k < logs.size(); ++k) cross += (logs[k] - m) * (logs[k - 1] - m);
  EXPECT_NEAR(cross / static_cast<double>(logs.size()) / test::variance_of(logs), 0.7, 0.01);
}

TEST(RandomPath, NoiseHasTheVarianceThatItsIndexOfDispersionAsksFor) {
  const RandomStream random(7, Purpose::modulator);
  // IDC = 1 + rate step (e^(s^2) - 1): the cv^2 of the rate is (idc - 1) / (rate step).
  const auto path = fgn_path(100, 0.6, 11, 0.5, 1 << 16, random, 0);
  const Averages seen = averages(*path, 1e9);
  EXPECT_NEAR(seen.mean, 100, 2);
  EXPECT_NEAR(seen.second / (seen.mean * seen.mean) - 1, 10.0 / 50, 0.01);
}

TEST(RandomPath, StaysBeyondAllTimeDoNotWrapAround) {
  // A tail index of 1.02: what is left of a stay at 0 often exceeds 2^64 ns.
  const LawPtr stay = scaled_law(pareto_law_of_alpha(1.02), 1);
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto path =
        onoff_path(1, stay, stay, 3, Stays::residual, RandomStream(seed, Purpose::modulator), 0);
    u128 at = 0;
    Piece piece;
    for (int k = 0; k < 100 && at < kFixedMax && path->next(piece); ++k) at = fixed_add(at, piece.length);
    EXPECT_TRUE(at > 0);
  }
}

}  // namespace
}  // namespace mlq::arrival
