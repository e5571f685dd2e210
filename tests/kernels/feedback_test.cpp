// Error feedback: what it is by hand, that nothing is lost, and that the SIMD version is the twin.
#include "kernels/feedback.h"

#include "tests/kernels/inputs.h"
#include "tests/kernels/simd_targets.h"

namespace mlq::kernels::test {
namespace {

constexpr float kInfinity = __builtin_inff();

float compensated(float w, float beta, float residual) {
  float x = 0;
  feedback_compensate_cpu(1, Float::f32, &w, beta, &residual, &x);
  return x;
}
float residual(float x, float held) {
  float r = 0;
  feedback_residual_cpu(1, &x, Float::f32, &held, &r);
  return r;
}

TEST(Feedback, AddsTheShareOfTheResidual) {
  EXPECT_EQ(compensated(1.25f, 0.5f, -3), -0.25f);
  EXPECT_EQ(compensated(1.25f, 0, 7), 1.25f);
  EXPECT_EQ(residual(1.5f, 1.25f), 0.25f);
  // Two roundings: the product's takes away what a fused one would keep.
  const float a = 1 + 0x1p-12f;
  EXPECT_EQ(compensated(-1 - 0x1p-11f, a, a), 0.0f);
}

TEST(Feedback, TakesWhatIsNotFiniteAsTheEncoderDoes) {
  for (const float w : {kInfinity, -kInfinity, f32_from_bits(0x7f800001u), f32_from_bits(0xffc12345u)})
    EXPECT_EQ(bits_of(compensated(w, 1, 2)), 0x7fc00000u);
  EXPECT_EQ(bits_of(compensated(3e38f, 1, 3e38f)), 0x7fc00000u);
  EXPECT_EQ(residual(kInfinity, 2), -2.0f);
  EXPECT_EQ(residual(f32_from_bits(0x7fc00000u), 2), -2.0f);
}

// With numbers that every step has exactly: what was decoded and what is left over are what was meant.
TEST(Feedback, LosesNothing) {
  constexpr int kSteps = 100;
  for (const float w : {0.3125f, -1.0009765625f, 5.0f}) {
    float left = 0, sum = 0;
    for (int step = 0; step < kSteps; ++step) {
      const float x = compensated(w, 1, left), held = std::nearbyint(x * 8) / 8;
      sum += held;
      left = residual(x, held);
      EXPECT_LE(std::abs(left), 1 / 16.0f);
    }
    EXPECT_EQ(sum + left, kSteps * w);
  }
}

std::vector<float> residuals(uint64_t elems) {
  std::vector<float> out(elems);
  for (uint64_t i = 0; i < elems; ++i) out[i] = 0.01f * normal_at(i, 31);
  return out;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

template <class Body>
void with_inputs(const Body& body) {
  for (const uint64_t elems : {1, 31, 1024, 3 * 1024 + 77})
    for (const Float type : kFloats)
      for (const Input input : kInputs) {
        SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(type) + ", " + std::to_string(elems));
        body(make_input(input, type, elems), residuals(elems));
        if (testing::Test::HasFatalFailure()) return;
      }
}

TEST(FeedbackTwin, SimdCompensatesAsTheCpu) {
  with_inputs([](const Array& w, const std::vector<float>& r) {
    std::vector<float> expected(w.elems());
    feedback_compensate_cpu(w.elems(), w.type(), w.data(), 0.75f, r.data(), expected.data());
    on_every_simd_target([&] {
      std::vector<float> x(w.elems()), in_place = r;
      feedback_compensate_simd(w.elems(), w.type(), w.data(), 0.75f, r.data(), x.data());
      ASSERT_TRUE(same(x, expected));
      feedback_compensate_simd(w.elems(), w.type(), w.data(), 0.75f, in_place.data(), in_place.data());
      ASSERT_TRUE(same(in_place, expected));
    });
  });
}

TEST(FeedbackTwin, SimdHasTheResidualsOfTheCpu) {
  with_inputs([](const Array& w, const std::vector<float>& r) {
    // The residual of every type of what is held, of x with the input's oddities.
    std::vector<float> x(w.elems()), expected(w.elems());
    feedback_compensate_cpu(w.elems(), w.type(), w.data(), 1, r.data(), x.data());
    Array held(w.type(), w.elems());
    for (uint64_t i = 0; i < w.elems(); ++i) held.set(i, is_finite(w.at(i)) ? w.at(i) * 0.75f : 1);
    feedback_residual_cpu(w.elems(), x.data(), held.type(), held.data(), expected.data());
    on_every_simd_target([&] {
      std::vector<float> out(w.elems()), in_place = x;
      feedback_residual_simd(w.elems(), x.data(), held.type(), held.data(), out.data());
      ASSERT_TRUE(same(out, expected));
      feedback_residual_simd(w.elems(), in_place.data(), held.type(), held.data(), in_place.data());
      ASSERT_TRUE(same(in_place, expected));
    });
  });
}

}  // namespace
}  // namespace mlq::kernels::test
