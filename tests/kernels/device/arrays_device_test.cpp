// What has no blocks gives the CPU twin's bytes on the device: ec, casts, error feedback, sums, hashes.
#include <algorithm>

#include "kernels/cast.h"
#include "kernels/ec.h"
#include "kernels/feedback.h"
#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"
#include "tests/kernels/device/device_memory.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

class ArraysOnTheDevice : public DeviceTest {};

// Calls it with every input of that many elements, and with arrays that are not aligned to 16 bytes.
template <class Body>
void with_inputs(std::initializer_list<uint64_t> lengths, const Body& body) {
  for (const uint64_t elems : lengths) {
    for (const Float source : kFloats) {
      for (const Input input : kInputs) {
        for (const bool shifted : {false, true}) {
          if (shifted && input != Input::nonfinite && input != Input::outlier) continue;
          SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(source) + ", " + std::to_string(elems) +
                       (shifted ? ", shifted" : ""));
          body(make_input(input, source, elems), shifted);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

struct Ec {
  Bytes low, high;
  Array escapes;
  uint64_t escaped = 0;
  EncodeCounts counts;
};

Ec twin_ec(float step, bool wide, const Array& x) {
  Ec out{Bytes(x.elems()), Bytes(wide ? x.elems() : 0), Array(x.type(), x.elems()), 0, {}};
  out.escaped = ec_encode_cpu(step, x.elems(), x.type(), x.data(), out.low.data(),
                              wide ? out.high.data() : nullptr, out.escapes.data(), &out.counts);
  return out;
}

void compare_ec_encoded(float step, bool wide, const Array& x, const Ec& expected, bool shifted) {
  const size_t width = size_of(x.type());
  const DeviceBytes from(x.data(), x.bytes(), shifted ? width : 0);
  const DeviceBytes low(x.elems(), shifted), high(wide ? x.elems() : 0, shifted ? 3 : 0);
  const DeviceBytes escapes(expected.escaped * width, shifted ? width : 0);
  const DeviceBytes scratch(ec_scratch_bytes(x.elems()));
  const DeviceBytes count(sizeof(uint64_t));
  const EncodeCounts none;
  const DeviceBytes counts(&none, sizeof none);
  ec_encode_cuda(step, x.elems(), x.type(), from.data(), low.as<uint8_t>(),
                 wide ? high.as<uint8_t>() : nullptr, escapes.data(), count.as<uint64_t>(), scratch.data(),
                 counts.as<EncodeCounts>(), nullptr);
  finish();
  ASSERT_EQ(difference("low codes", low.to_host(), expected.low), "");
  ASSERT_EQ(difference("high codes", high.to_host(), expected.high), "");
  ASSERT_EQ(count.value<uint64_t>(), expected.escaped);
  const auto* first = static_cast<const uint8_t*>(expected.escapes.data());
  ASSERT_EQ(difference("escapes", escapes.to_host(), Bytes(first, first + expected.escaped * width)), "");
  ASSERT_EQ(counts.value<EncodeCounts>().nonfinite, expected.counts.nonfinite);
  scratch.to_host();  // throws if what is around it was written
}

void compare_ec_decoded(float step, bool wide, const Array& x, const Ec& e, Float target, bool shifted) {
  SCOPED_TRACE(std::string("decoded to ") + name_of(target));
  Bytes expected(x.elems() * size_of(target));
  uint64_t expected_saturated = 0;
  ec_decode_cpu(step, x.elems(), e.low.data(), wide ? e.high.data() : nullptr, x.type(), e.escapes.data(),
                target, expected.data(), &expected_saturated);
  const size_t width = size_of(x.type());
  const DeviceBytes low(e.low.data(), e.low.size(), shifted), high(e.high.data(), e.high.size(), shifted);
  const DeviceBytes escapes(e.escapes.data(), e.escaped * width, shifted ? width : 0);
  const DeviceBytes scratch(ec_scratch_bytes(x.elems())), out(expected.size(), shifted ? size_of(target) : 0);
  const uint64_t none = 0;
  const DeviceBytes saturated(&none, sizeof none);
  ec_decode_cuda(step, x.elems(), low.as<uint8_t>(), wide ? high.as<uint8_t>() : nullptr, x.type(),
                 escapes.data(), target, out.data(), scratch.data(), saturated.as<uint64_t>(), nullptr);
  finish();
  ASSERT_EQ(difference("values", out.to_host(), expected), "");
  ASSERT_EQ(saturated.value<uint64_t>(), expected_saturated);
}

TEST_F(ArraysOnTheDevice, EcHasTheBytesOfTheTwin) {
  for (const float step : {0.02f, 1e-4f, 1e30f}) {
    for (const bool wide : {false, true}) {
      SCOPED_TRACE(std::string(wide ? "wide, step " : "narrow, step ") + std::to_string(step));
      with_inputs({1, 2048, 3 * 2048 + 77}, [&](const Array& x, bool shifted) {
        const Ec expected = twin_ec(step, wide, x);
        compare_ec_encoded(step, wide, x, expected, shifted);
        for (const Float target : kFloats) compare_ec_decoded(step, wide, x, expected, target, shifted);
      });
      if (HasFatalFailure()) return;
    }
  }
}

// More tiles than one CTA scans.
TEST_F(ArraysOnTheDevice, EcKeepsTheOrderOfManyEscapes) {
  const Array x = make_input(Input::normal, Float::bf16, 1100 * 2048 + 5);
  const Ec expected = twin_ec(0.01f, false, x);
  EXPECT_GT(expected.escaped, 100'000u);
  compare_ec_encoded(0.01f, false, x, expected, false);
  compare_ec_decoded(0.01f, false, x, expected, Float::bf16, false);
}

TEST_F(ArraysOnTheDevice, EcOfNothingHasNoEscapes) {
  const DeviceBytes count(sizeof(uint64_t)), counts(sizeof(EncodeCounts)), scratch(ec_scratch_bytes(0));
  ec_encode_cuda(1, 0, Float::f32, nullptr, nullptr, nullptr, nullptr, count.as<uint64_t>(), scratch.data(),
                 counts.as<EncodeCounts>(), nullptr);
  finish();
  EXPECT_EQ(count.value<uint64_t>(), 0u);
}

TEST_F(ArraysOnTheDevice, CastsHaveTheBytesOfTheTwin) {
  with_inputs({1, 9, 4096, 5000}, [](const Array& x, bool shifted) {
    for (const Float target : kFloats) {
      SCOPED_TRACE(name_of(target));
      Bytes expected(x.elems() * size_of(target));
      uint64_t expected_saturated = 0;
      cast_cpu(x.elems(), x.type(), x.data(), target, expected.data(), &expected_saturated);
      const DeviceBytes from(x.data(), x.bytes(), shifted ? size_of(x.type()) : 0);
      const DeviceBytes out(expected.size(), shifted ? size_of(target) : 0);
      const uint64_t none = 0;
      const DeviceBytes saturated(&none, sizeof none);
      cast_cuda(x.elems(), x.type(), from.data(), target, out.data(), saturated.as<uint64_t>(), nullptr);
      finish();
      ASSERT_EQ(difference("values", out.to_host(), expected), "");
      ASSERT_EQ(saturated.value<uint64_t>(), expected_saturated);
    }
  });
}

TEST_F(ArraysOnTheDevice, NonfiniteAreCountedAsByTheTwin) {
  with_inputs({1, 9, 4096, 5000}, [](const Array& x, bool shifted) {
    uint64_t expected = 3;
    count_nonfinite_cpu(x.elems(), x.type(), x.data(), &expected);
    const DeviceBytes from(x.data(), x.bytes(), shifted ? size_of(x.type()) : 0);
    const uint64_t three = 3;
    const DeviceBytes found(&three, sizeof three);
    count_nonfinite_cuda(x.elems(), x.type(), from.data(), found.as<uint64_t>(), nullptr);
    finish();
    ASSERT_EQ(found.value<uint64_t>(), expected);
  });
}

// In place, as there is room for it: the residual, what is encoded instead of x, the next residual.
TEST_F(ArraysOnTheDevice, FeedbackHasTheBytesOfTheTwin) {
  with_inputs({1, 9, 4096, 5000}, [](const Array& w, bool shifted) {
    const Array residual = make_input(Input::normal, Float::f32, w.elems(), 1);
    Array expected(Float::f32, w.elems()), held(w.type(), w.elems());
    auto* const x = static_cast<float*>(expected.data());
    const DeviceBytes from(w.data(), w.bytes(), shifted ? size_of(w.type()) : 0);
    const DeviceBytes on(residual.data(), residual.bytes(), shifted ? sizeof(float) : 0);
    const auto bytes = [&] {
      const auto* first = static_cast<const uint8_t*>(expected.data());
      return Bytes(first, first + expected.bytes());
    };

    feedback_compensate_cpu(w.elems(), w.type(), w.data(), 0.75f, static_cast<const float*>(residual.data()),
                            x);
    feedback_compensate_cuda(w.elems(), w.type(), from.data(), 0.75f, on.as<float>(), on.as<float>(),
                             nullptr);
    finish();
    ASSERT_EQ(difference("compensated values", on.to_host(), bytes()), "");

    for (uint64_t i = 0; i < w.elems(); ++i) held.set(i, is_finite(x[i]) && is_finite(w.at(i)) ? w.at(i) : 1);
    const DeviceBytes got(held.data(), held.bytes(), shifted ? size_of(held.type()) : 0);
    feedback_residual_cpu(w.elems(), x, held.type(), held.data(), x);
    feedback_residual_cuda(w.elems(), on.as<float>(), held.type(), got.data(), on.as<float>(), nullptr);
    finish();
    ASSERT_EQ(difference("residuals", on.to_host(), bytes()), "");
  });
}

TEST_F(ArraysOnTheDevice, ValueSumsHaveTheBytesOfTheTwin) {
  with_inputs({1, 31, 4096, 5 * 4096 + 77}, [](const Array& x, bool shifted) {
    std::vector<ValueSums> expected(sum_groups(x.elems()));
    value_sums_cpu(x.elems(), x.type(), x.data(), expected.data());
    const DeviceBytes from(x.data(), x.bytes(), shifted ? size_of(x.type()) : 0);
    const DeviceBytes sums(expected.size() * sizeof(ValueSums));
    value_sums_cuda(x.elems(), x.type(), from.data(), sums.as<ValueSums>(), nullptr);
    finish();
    ASSERT_EQ(difference("sums", sums.to_host(), bytes_of(expected)), "");
  });
}

TEST_F(ArraysOnTheDevice, ErrorSumsHaveTheBytesOfTheTwin) {
  with_inputs({1, 31, 4096, 5 * 4096 + 77}, [](const Array& x, bool shifted) {
    for (const Float target : kFloats) {
      SCOPED_TRACE(name_of(target));
      Array y(target, x.elems());
      for (uint64_t i = 0; i < y.elems(); ++i) y.set(i, x.at(i) * (1 + 0.01f * normal_at(i, 5)));
      std::vector<ErrorSums> expected(sum_groups(x.elems()));
      error_sums_cpu(x.elems(), x.type(), x.data(), target, y.data(), expected.data());
      const DeviceBytes from(x.data(), x.bytes(), shifted ? size_of(x.type()) : 0);
      const DeviceBytes decoded(y.data(), y.bytes()), sums(expected.size() * sizeof(ErrorSums));
      error_sums_cuda(x.elems(), x.type(), from.data(), target, decoded.data(), sums.as<ErrorSums>(),
                      nullptr);
      finish();
      ASSERT_EQ(difference("sums", sums.to_host(), bytes_of(expected)), "");
    }
  });
}

void compare_leaves(uint64_t size, size_t shift) {
  SCOPED_TRACE(std::to_string(size) + " bytes, shifted by " + std::to_string(shift));
  Bytes bytes(size);
  for (uint64_t i = 0; i < size; ++i)
    bytes[i] = static_cast<uint8_t>(random_words(i / 4, 3).c1 >> (i % 4 * 8));
  Bytes expected((size + kHashLeaf - 1) / kHashLeaf * 16);
  xxh3_leaves_cpu(bytes.data(), size, expected.data());
  const DeviceBytes from(bytes.data(), size, shift), digests(expected.size());
  xxh3_leaves_cuda(from.data(), size, digests.as<uint8_t>(), nullptr);
  finish();
  ASSERT_EQ(difference("digests", digests.to_host(), expected), "");
}

TEST_F(ArraysOnTheDevice, HashesAreThoseOfXxhash) {
  for (uint64_t size = 0; size <= 300; ++size) compare_leaves(size, size % 3 == 0 ? 1 : 0);
  for (const uint64_t whole : {1024u, 2048u, 8192u, 65536u, 3 * 65536u}) {
    for (const int64_t by : {-513, -65, -64, -63, -1, 0, 1, 16, 63, 64, 65, 100, 240, 241, 513}) {
      compare_leaves(whole + static_cast<uint64_t>(by), 0);
      compare_leaves(whole + static_cast<uint64_t>(by), 2);
    }
  }
}

}  // namespace
}  // namespace mlq::kernels::test
