// Times, faults and deaths that are known beforehand.
#include <cmath>
#include <filesystem>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/serve/model/isolated.h"
#include "lib/serve/model/reply_faults.h"
#include "lib/serve/model/synthetic.h"
#include "tests/serve/model_support.h"

namespace mlq::serve::model {
namespace {

using test::predict;

TEST(SleepTime, IsBasePlusRows) {
  Conditions conditions;
  conditions.sleep.base_ns = 1'000;
  conditions.sleep.per_row_ns = 10;
  EXPECT_EQ(sleep_time(conditions, 1), 1'010);
  EXPECT_EQ(sleep_time(conditions, 64), 1'640);
  conditions.sleep.base_ns = INT64_MAX;
  EXPECT_EQ(sleep_time(conditions, 64), 86'400'000'000'000);
}

TEST(SleepTime, HasNoiseOfMeanOne) {
  Conditions conditions;
  conditions.sleep.base_ns = 1'000'000;
  conditions.sleep.noise = 0.5;
  constexpr uint64_t kDraws = 20'000;
  double sum = 0;
  uint64_t above = 0;
  for (conditions.batch = 0; conditions.batch < kDraws; ++conditions.batch) {
    const auto time = static_cast<double>(sleep_time(conditions, 1)) / 1e6;
    sum += time;
    above += time > fmath::exp(-0.125) ? 1 : 0;  // the median of the law
  }
  // Standard deviation sqrt(exp(0.25) - 1) = 0.533; six of the mean's.
  EXPECT_NEAR(sum / kDraws, 1, 6 * 0.533 / std::sqrt(kDraws));
  EXPECT_NEAR(static_cast<double>(above) / kDraws, 0.5, 6 * 0.5 / std::sqrt(kDraws));
}

TEST(SleepTime, StallsItsShareOfTheBatchesTheSameOnesEachTime) {
  Conditions conditions;
  conditions.sleep.stall_share = 0.25;
  conditions.sleep.stall_ns = 5;
  uint64_t stalls = 0;
  for (conditions.batch = 0; conditions.batch < 10'000; ++conditions.batch) {
    const int64_t time = sleep_time(conditions, 1);
    ASSERT_TRUE(time == 0 || time == 5);
    ASSERT_EQ(sleep_time(conditions, 7), time);
    stalls += time == 5 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(stalls), 2'500, 6 * std::sqrt(10'000 * 0.25 * 0.75));
}

TEST(Sleep, TakesItsTimeAtLeast) {
  const auto model = make_sleep(true);
  for (const bool burn : {false, true}) {
    Conditions conditions;
    conditions.sleep.base_ns = 5'000'000;
    conditions.sleep.burn = burn;
    const int64_t start = SteadyClock().now_ns();
    const Answer answer = predict(*model, {{41, 1}, {42, 1}}, conditions);
    EXPECT_GE(SteadyClock().now_ns() - start, 5'000'000);
    EXPECT_EQ(answer.outputs, (std::vector<std::vector<double>>{{41, 42}, {0, 0}}));
  }
}

TEST(Sleep, IsGivenUp) {
  const auto model = make_sleep(false);
  Conditions conditions;
  conditions.sleep.base_ns = 3'600'000'000'000;
  StopFlag give_up;
  give_up.request(1);
  RowPool pool;
  model->predict({std::vector<double>{1}, 1}, conditions, pool, &give_up);
}

TEST(Noop, EchoesTagsOf53Bits) {
  const double large = 0x1p53 - 1;
  EXPECT_EQ(predict(*make_noop(true), {{large, 3}}).outputs[0], std::vector<double>{large});
  ASSERT_EQ(make_noop(false)->info().outputs.size(), 1u);
}

TEST(FaultDraws, EachHasItsShare) {
  ReplyFaults shares;
  shares.error_share = 0.1;
  shares.nan_share = 1;
  uint64_t errors = 0;
  for (uint64_t k = 0; k < 10'000; ++k) {
    const FaultDraws draws = draw_faults(shares, 3, k);
    errors += draws.error ? 1 : 0;
    ASSERT_TRUE(draws.nan);
    ASSERT_FALSE(draws.wrong_rows || draws.drop_output || draws.swap_outputs || draws.trickle || draws.reset);
  }
  EXPECT_NEAR(static_cast<double>(errors), 1'000, 6 * std::sqrt(10'000 * 0.1 * 0.9));
}

class Isolated : public testing::Test {
 protected:
  static std::unique_ptr<IsolatedModel> start(Backend backend, const std::string& path = "") {
    const auto source = std::make_shared<const ModelSource>(read_source(backend, path, path.empty()));
    const ModelMaker maker(*source, true, test::kProgram);
    return std::make_unique<IsolatedModel>(maker.info(), source, test::kProgram);
  }
};

TEST_F(Isolated, AnswersAsInThisProcess) {
  test::Answers answers;
  const auto rows = answers.matrix("rows");
  const auto inside = load_model(test::small_model(Backend::forest, "forest.json"));
  const auto outside = start(Backend::forest, test::kSmallModels + "forest.json");
  EXPECT_EQ(predict(*outside, rows).outputs, predict(*inside, rows).outputs);
}

TEST_F(Isolated, LosesOneBatchWhenTheChildDiesAndIsStartedAgain) {
  const auto model = start(Backend::sleep);
  Conditions conditions;
  conditions.sleep.crash_after = 3;
  for (conditions.batch = 0; conditions.batch < 2; ++conditions.batch)
    EXPECT_EQ(predict(*model, {{1}}, conditions).error, "");
  EXPECT_EQ(predict(*model, {{1}}, conditions).error, "the instance died over this batch");
  conditions.sleep.crash_after = 0;
  const int64_t before = SteadyClock().now_ns();
  EXPECT_EQ(predict(*model, {{8}}, conditions).outputs.at(0), std::vector<double>{8});
  EXPECT_GE(SteadyClock().now_ns() - before, 50'000'000);  // of the 0.1 s since it died
}

TEST_F(Isolated, SaysWhyASourceIsRefused) {
  auto source = std::make_shared<ModelSource>(test::small_model(Backend::linear, "linear.json"));
  const ModelInfo info = load_model(*source)->info();
  source->bytes.resize(100);
  try {
    IsolatedModel(info, source, test::kProgram);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    EXPECT_NE(std::string(error.what()).find("linear.json: damaged JSON"), std::string::npos) << error.what();
  }
}

TEST_F(Isolated, ProgramThatIsNotThereIsAnEnvironmentError) {
  const auto source = std::make_shared<const ModelSource>(read_source(Backend::noop, "", false));
  EXPECT_THROW(IsolatedModel({}, source, "/no/such/program"), Error);
}

TEST_F(Isolated, OnnxAgreesWithScikitLearnAtAnySizeOfBatch) {
  if (!std::filesystem::exists(MLQ_BIN_DIR "/mlq_onnx.so")) GTEST_SKIP() << "mlq was built without OpenCV";
  test::Answers answers;
  const auto rows = answers.matrix("rows");
  const auto wanted = answers.matrix("mlp");
  const auto model = start(Backend::onnx, test::kSmallModels + "mlp.onnx");
  test::expect_near(predict(*model, rows).outputs.at(0), wanted, 1e-5);
  test::expect_near(predict(*model, {rows[0]}).outputs.at(0), {wanted[0]}, 1e-5);
  test::expect_near(predict(*model, {rows[1], rows[2]}).outputs.at(0), {wanted[1], wanted[2]}, 1e-5);
}

}  // namespace
}  // namespace mlq::serve::model
