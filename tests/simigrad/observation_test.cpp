#include "lib/simigrad/estimate/observation.h"

#include <cmath>

#include "tests/simigrad/grams.h"

namespace mlq::simigrad::test {
namespace {

using Vectors = std::vector<std::vector<double>>;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<double> lower_of(const Vectors& g) {
  std::vector<double> lower;
  for (size_t i = 0; i < g.size(); ++i)
    for (size_t j = 0; j <= i; ++j) lower.push_back(dot(g[i], g[j]));
  return lower;
}

const Vectors kFour = {{1, 2, 3}, {2, 0, 1}, {0.5, 1, -1}, {1.5, 1, 2}};

std::string refused(const records::Gram& gram) {
  Observation o;
  const auto refusal = observe(gram, {}, o);
  return refusal ? std::string(name_of(refusal->fault)) + ": " + refusal->message : "";
}

TEST(Observation, OfTwoGroupsIsThePairOfMcCandlish) {
  // B_small = n, B_big = 2n: |G|^2 = (B_big |G_big|^2 - B_small |G_small|^2) / (B_big - B_small), and
  // tr Sigma = (|G_small|^2 - |G_big|^2) / (1/B_small - 1/B_big), |G_small|^2 the mean over both (arXiv
  // 1812.06162, A.1).
  const double n = 8, m00 = 3, m10 = 0.5, m11 = 4;
  const Observation o = observed(gram_of(16, 2, {m00, m10, m11}));
  const double small = (m00 + m11) / 2;
  const double big = (m00 + 2 * m10 + m11) / 4;
  EXPECT_NEAR(o.a, (2 * n * big - n * small) / n, 1e-12);
  EXPECT_NEAR(o.s, (small - big) / (1 / n - 1 / (2 * n)), 1e-12);
  EXPECT_DOUBLE_EQ(o.cos, m10 / std::sqrt(m00 * m11));
  EXPECT_DOUBLE_EQ(o.a, m10);
  EXPECT_DOUBLE_EQ(o.mean_norm_sq, big);
}

TEST(Observation, OfAnyGroupsIsWhatTheVectorsGive) {
  const Observation o = observed(gram_of(20, 4, lower_of(kFour)));
  std::vector<double> mean(3, 0.0);
  for (const auto& g : kFour)
    for (size_t i = 0; i < 3; ++i) mean[i] += g[i] / 4;
  double between = 0, pairs = 0;
  for (size_t i = 0; i < 4; ++i) {
    std::vector<double> apart(3);
    for (size_t c = 0; c < 3; ++c) apart[c] = kFour[i][c] - mean[c];
    between += 5 * dot(apart, apart);
    for (size_t j = 0; j < 4; ++j) pairs += i == j ? 0 : dot(kFour[i], kFour[j]);
  }
  EXPECT_NEAR(o.a, pairs / 12, 1e-12);
  EXPECT_NEAR(o.s, between / 3, 1e-12);
}

TEST(Observation, OfUnequalGroupsWeighsThem) {
  records::Gram gram = gram_of(10, 3, lower_of({kFour[0], kFour[1], kFour[2]}));
  gram.group_samples = {5, 3, 2};
  const double n[] = {5, 3, 2};
  const Observation o = observed(gram);
  double pairs = 0, weight = 0;
  std::vector<double> mean(3, 0.0);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t c = 0; c < 3; ++c) mean[c] += n[i] * kFour[i][c] / 10;
    for (size_t j = 0; j < 3; ++j) {
      if (i == j) continue;
      pairs += n[i] * n[j] * dot(kFour[i], kFour[j]);
      weight += n[i] * n[j];
    }
  }
  double between = 0;
  for (size_t i = 0; i < 3; ++i)
    for (size_t c = 0; c < 3; ++c) between += n[i] * (kFour[i][c] - mean[c]) * (kFour[i][c] - mean[c]);
  EXPECT_NEAR(o.a, pairs / weight, 1e-12);
  EXPECT_NEAR(o.s, between / 2, 1e-12);
  EXPECT_NEAR(o.mean_norm_sq, dot(mean, mean), 1e-12);
}

TEST(Observation, OfEqualGroupSamplesIsThatWithoutThem) {
  records::Gram gram = gram_of(20, 4, lower_of(kFour));
  const Observation plain = observed(gram);
  gram.group_samples = {5, 5, 5, 5};
  EXPECT_EQ(observed(gram).a, plain.a);
  EXPECT_EQ(observed(gram).s, plain.s);
}

TEST(Observation, OfNormsIsThatOfTheMatrix) {
  const auto lower = lower_of(kFour);
  records::Gram norms;
  norms.batch_samples = 20;
  norms.groups = 4;
  norms.norm_sq_sum = lower[0] + lower[2] + lower[5] + lower[9];
  double all = 0;
  for (const auto& a : kFour)
    for (const auto& b : kFour) all += dot(a, b);
  norms.mean_norm_sq = all / 16;
  const Observation o = observed(norms);
  const Observation whole = observed(gram_of(20, 4, lower));
  EXPECT_NEAR(o.a, whole.a, 1e-12);
  EXPECT_NEAR(o.s, whole.s, 1e-12);
  EXPECT_TRUE(std::isnan(o.cos));
  norms.groups = 1000;
  norms.batch_samples = 5000;
  EXPECT_TRUE(observed(norms).valid());
}

TEST(Observation, BetweenSsIsTakenWhereItIsGiven) {
  records::Gram gram = gram_of(16, 2, {3, 0.5, 4});
  gram.between_ss = 42;
  EXPECT_DOUBLE_EQ(observed(gram).s, 42);
}

TEST(Observation, OfScaledGradientsIsThatOfUnscaledOnes) {
  records::Gram gram = gram_of(16, 2, {3, 0.5, 4});
  const Observation plain = observed(gram);
  for (double& m : *gram.gram) m *= 1024.0 * 1024.0;
  gram.loss_scale = 1024;
  EXPECT_DOUBLE_EQ(observed(gram).a, plain.a);
  EXPECT_DOUBLE_EQ(observed(gram).s, plain.s);
  EXPECT_DOUBLE_EQ(observed(gram).cos, plain.cos);
}

TEST(Observation, WithoutReplacementAddsSOverN) {
  const records::Gram gram = gram_of(16, 2, {3, 0.5, 4});
  const Observation plain = observed(gram);
  const Observation drawn = observed(gram, {Halves::parity, 100});
  EXPECT_DOUBLE_EQ(drawn.a, plain.a + plain.s / 100);
  EXPECT_DOUBLE_EQ(drawn.s, plain.s);
}

TEST(Observation, HalvesAreByParityOrSplit) {
  const records::Gram gram = gram_of(20, 4, lower_of(kFour));
  const auto cosine = [](std::vector<size_t> first, std::vector<size_t> second) {
    std::vector<double> a(3, 0.0), b(3, 0.0);
    for (const size_t i : first)
      for (size_t c = 0; c < 3; ++c) a[c] += kFour[i][c];
    for (const size_t i : second)
      for (size_t c = 0; c < 3; ++c) b[c] += kFour[i][c];
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
  };
  EXPECT_NEAR(observed(gram).cos, cosine({0, 2}, {1, 3}), 1e-14);
  EXPECT_NEAR(observed(gram, {Halves::split, 0}).cos, cosine({0, 1}, {2, 3}), 1e-14);
  EXPECT_TRUE(std::isnan(observed(gram_of(15, 3, lower_of({kFour[0], kFour[1], kFour[2]}))).cos));
}

TEST(Observation, OfAZeroGroupHasNoCosineAndKeepsThePair) {
  const Observation o = observed(gram_of(16, 2, {3, 0, 0}));
  EXPECT_TRUE(std::isnan(o.cos));
  EXPECT_EQ(o.note, "zero_norm");
  EXPECT_TRUE(o.valid());
  EXPECT_EQ(o.a, 0);
  EXPECT_EQ(o.s, 12);
}

TEST(Observation, OfIdenticalGroupsIsNoDraw) {
  const Observation o = observed(gram_of(16, 2, {3, 3, 3}));
  EXPECT_TRUE(o.identical);
  EXPECT_FALSE(o.valid());
  EXPECT_EQ(o.s, 0);
  EXPECT_EQ(o.note, "identical_groups");
}

TEST(Observation, OfOneGroupSaysNothing) {
  const Observation o = observed(gram_of(16, 1, {3}));
  EXPECT_FALSE(o.valid());
  EXPECT_EQ(o.note, "one_group");
}

TEST(Observation, OfANonFiniteStepIsNone) {
  records::Gram gram = gram_of(16, 2, {});
  gram.gram.reset();
  gram.nonfinite = 3;
  EXPECT_EQ(observed(gram).note, "nonfinite");
  EXPECT_FALSE(observed(gram).valid());
}

TEST(Observation, WhatCannotBeIsRefusedByName) {
  EXPECT_EQ(refused(gram_of(16, 2, {3, 1})), "group_mismatch: gram has 2 numbers; of 2 groups there are 3");
  EXPECT_EQ(refused(gram_of(0, 2, {3, 1, 3})), "bad_field: batch_samples is 0; it must be from 1 to 2^53");
  EXPECT_EQ(refused(gram_of(16, 0, {})), "bad_field: groups is 0; it must be at least 1");
  EXPECT_EQ(refused(gram_of(16, 2, {-3, 1, 3})),
            "bad_field: gram has -3 on its diagonal; a squared norm is at least 0");
  EXPECT_EQ(refused(gram_of(15, 2, {3, 1, 3})),
            "group_mismatch: batch_samples 15 is no multiple of groups 2; groups of unequal size need "
            "group_samples");
  EXPECT_EQ(refused(gram_of(66, 33, std::vector<double>(561, 1.0))).substr(0, 24),
            "bad_field: groups is 33;");
  EXPECT_EQ(refused(gram_of(16, 2, {1e308, 1e308, 1e308})).substr(0, 9), "bad_field");
  records::Gram gram = gram_of(16, 2, {3, 1, 3});
  gram.loss_scale = 0;
  EXPECT_EQ(refused(gram), "bad_field: loss_scale is 0; it must be above 0");
  gram.loss_scale = -1;
  EXPECT_EQ(refused(gram), "bad_field: loss_scale is -1; it must be above 0");
  gram.loss_scale = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refused(gram).substr(0, 9), "bad_field");
  gram.loss_scale = 1;
  gram.group_samples = {8, 9};
  EXPECT_EQ(refused(gram), "group_mismatch: group_samples sum to 17, but batch_samples is 16");
  gram.group_samples = {16};
  EXPECT_EQ(refused(gram), "group_mismatch: group_samples has 1 numbers for 2 groups");
  gram.group_samples = {16, 0};
  EXPECT_EQ(refused(gram), "bad_field: group_samples has 0; each is from 1 to batch_samples");
  gram.group_samples = {10, 6};
  gram.gram.reset();
  gram.norm_sq_sum = 6;
  EXPECT_EQ(refused(gram), "missing_field: there is neither gram nor norm_sq_sum with mean_norm_sq");
  gram.mean_norm_sq = 2;
  EXPECT_EQ(refused(gram), "group_mismatch: norms say nothing of groups of unequal size; send gram");
  gram.mean_norm_sq = -2;
  EXPECT_EQ(refused(gram), "bad_field: mean_norm_sq is -2; a sum of squares is at least 0");
}

}  // namespace
}  // namespace mlq::simigrad::test
