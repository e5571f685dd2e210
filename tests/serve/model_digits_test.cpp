// The digits that come with mlq: small, and as good as when they were trained.
#include <filesystem>

#include "lib/base/error.h"
#include "lib/serve/model/evaluate.h"
#include "tests/serve/model_support.h"

namespace mlq::serve::model {
namespace {

Samples digits() {
  records::Reader reader(test::kDigits + "rows.jsonl", {});
  return read_samples(reader, 64);
}

struct Shipped {
  Backend backend;
  uint64_t correct;  // by scikit-learn, of the 360
};

class Digits : public testing::TestWithParam<Shipped> {};

TEST_P(Digits, AreSmallAndGetTheLabelsThatScikitLearnGets) {
  const auto& info = backend_info(GetParam().backend);
  const std::string path = test::kDigits + std::string(info.file);
  EXPECT_LT(std::filesystem::file_size(path), 200'000u);
  if (GetParam().backend == Backend::onnx && !std::filesystem::exists(MLQ_BIN_DIR "/mlq_onnx.so"))
    GTEST_SKIP() << "mlq was built without OpenCV";
  const ModelMaker maker(read_source(GetParam().backend, path, false), false, test::kProgram);
  const auto model = maker.make();
  RowPool pool;
  const uint64_t correct = count_correct(*model, pool, digits(), {});
  EXPECT_EQ(correct, GetParam().correct);
  EXPECT_GE(static_cast<double>(correct), 0.95 * 360);
}

INSTANTIATE_TEST_SUITE_P(Backends, Digits,
                         testing::Values(Shipped{Backend::linear, 351}, Shipped{Backend::kernel_svm, 358},
                                         Shipped{Backend::forest, 345}, Shipped{Backend::onnx, 355}),
                         [](const auto& instance) {
                           std::string name(backend_info(instance.param.backend).name);
                           std::erase(name, '-');
                           return name;
                         });

TEST(Digits, TestRowsAreStratified) {
  const Samples samples = digits();
  ASSERT_EQ(samples.labels.size(), 360u);
  for (int64_t label = 0; label < 10; ++label)
    EXPECT_NEAR(std::count(samples.labels.begin(), samples.labels.end(), label), 36, 2) << label;
}

TEST(Samples, OfAnotherWidthAreRefusedWithTheirLine) {
  records::Reader reader(Input::from_bytes("rows",
                                           "{\"type\":\"sample\",\"label\":1,\"row\":[1,2]}\n"
                                           "{\"type\":\"sample\",\"label\":1,\"row\":[1]}\n"),
                         {});
  try {
    read_samples(reader, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rows:2: field \"row\" has 1 values; the model takes 2");
    EXPECT_EQ(error.kind(), ExitKind::input);
  }
}

class StepClock final : public Clock {
 public:
  int64_t now_ns() const override { return now_ += 1'000; }

 private:
  mutable int64_t now_ = 0;
};

TEST(Speed, CountsTheBatchesOfItsBudget) {
  const ModelMaker maker(read_source(Backend::noop, "", false), false, "");
  const auto model = maker.make();
  RowPool pool;
  const Samples samples{.width = 1, .values = {1, 2}, .labels = {0, 0}};
  const auto speed = measure_speed(*model, pool, samples, 5, {}, 10'000, StepClock(), StopFlag());
  EXPECT_EQ(speed.batches, 10u);  // each takes one step of 1 us
  EXPECT_EQ(speed.latency_ns, 1'000);
  EXPECT_DOUBLE_EQ(speed.rows_per_s, 5e6);
}

}  // namespace
}  // namespace mlq::serve::model
