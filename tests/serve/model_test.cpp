// Back ends against sums done by hand, and against scikit-learn.
#include <cmath>
#include <numeric>

#include "lib/base/fmath.h"
#include "lib/serve/model/json_models.h"
#include "tests/serve/model_support.h"

namespace mlq::serve::model {
namespace {

using test::expect_near;
using test::predict;

constexpr std::string_view kLinear =
    R"({"format":"mlq-linear","version":1,"output":"softmax","classes":[7,9],"weights":[[1,2],[3,-1]],"bias":[0.5,0]})";

TEST(Linear, IsTheSoftmaxOfWxPlusB) {
  const auto model = read_linear("m", kLinear);
  const Answer answer = predict(*model, {{1, 1}, {0, 0}, {-1, 2}});
  // z = (3.5, 2), (0.5, 0), (3.5, -5); of two classes the softmax is the logistic function of the difference.
  const auto logistic = [](double d) { return 1 / (1 + fmath::exp(-d)); };
  expect_near(
      answer.outputs[1],
      {{logistic(1.5), logistic(-1.5)}, {logistic(0.5), logistic(-0.5)}, {logistic(8.5), logistic(-8.5)}},
      1e-15);
  EXPECT_EQ(answer.outputs[0], (std::vector<double>{7, 7, 7}));
  EXPECT_EQ(predict(*model, {{1, -1}}).outputs[0], std::vector<double>{9});
}

TEST(Linear, ByArgmaxHasALabelAlone) {
  std::string text(kLinear);
  text.replace(text.find("softmax"), 7, "argmax");
  const auto model = read_linear("m", text);
  ASSERT_EQ(model->info().outputs.size(), 1u);
  EXPECT_EQ(predict(*model, {{1, -1}, {1, 1}}).outputs[0], (std::vector<double>{9, 7}));
}

TEST(Linear, OverflowsToNoNaNInTheSoftmax) {
  const auto model = read_linear("m", kLinear);
  EXPECT_EQ(predict(*model, {{1e300, 0}}).outputs[1], (std::vector<double>{0, 1}));
}

TEST(Linear, AgreesWithScikitLearn) {
  test::Answers answers;
  const auto model = load_model(test::small_model(Backend::linear, "linear.json"));
  expect_near(predict(*model, answers.matrix("rows")).outputs[1], answers.matrix("linear"), 1e-12);
}

TEST(KernelSvm, OfTwoVectorsIsTheSumOfTheirKernels) {
  const auto model = read_kernel_svm(
      "m", R"({"format":"mlq-kernel-svm","version":1,"gamma":0.5,"classes":[1,2],"per_class":[1,1],
               "vector_scale":0.5,"vectors":[[2,0],[0,4]],"coefficients":[[1,-1]],"intercepts":[0.25]})");
  // Vectors (1, 0) and (0, 2). At the origin: exp(-0.5) - exp(-2) + 0.25 > 0, a vote for 1.
  EXPECT_EQ(predict(*model, {{0, 0}}).outputs[0], std::vector<double>{1});
  // At (0, 2): exp(-2.5) - 1 + 0.25 < 0.
  EXPECT_EQ(predict(*model, {{0, 2}}).outputs[0], std::vector<double>{2});
  EXPECT_EQ(predict(*model, {{0, 2}}).outputs[1], (std::vector<double>{0, 1}));
  // Far away the intercept decides.
  EXPECT_EQ(predict(*model, {{100, 100}}).outputs[0], std::vector<double>{1});
}

TEST(KernelSvm, VotesAsScikitLearnDecides) {
  test::Answers answers;
  const auto model = load_model(test::small_model(Backend::kernel_svm, "kernel-svm.json"));
  const auto rows = answers.matrix("rows");
  const Answer answer = predict(*model, rows);
  EXPECT_EQ(answer.outputs[0], answers.numbers("svm_labels"));
  std::vector<std::vector<double>> votes;
  for (const auto& decision : answers.matrix("svm_decisions")) {  // 0 against 1, 0 against 2, 1 against 2
    auto& row = votes.emplace_back(std::vector<double>{0, 0, 0});
    ++row[decision[0] > 0 ? 0 : 1];
    ++row[decision[1] > 0 ? 0 : 2];
    ++row[decision[2] > 0 ? 1 : 2];
  }
  expect_near(answer.outputs[1], votes, 0);
}

TEST(KernelSvm, OfTwoClassesAgreesWithScikitLearn) {
  test::Answers answers;
  const auto model = load_model(test::small_model(Backend::kernel_svm, "kernel-svm-pair.json"));
  EXPECT_EQ(predict(*model, answers.matrix("rows")).outputs[0], answers.numbers("pair_labels"));
}

constexpr std::string_view kForest =
    R"({"format":"mlq-forest","version":1,"features":2,"combine":"mean","classes":[0,1],"trees":[
        {"feature":[1,-1,0,-1,-1],"threshold":[2.5,0,-1,0,0],"left":[1,0,3,1,2],"right":[2,-1,4,-1,-1],
         "value":[[1,0],[0.25,0.75],[0,1]]},
        {"feature":[-1],"threshold":[0],"left":[0],"right":[0],"value":[[0.5,0.5]]}]})";

TEST(Forest, GoesLeftAtTheThresholdAndTakesTheMean) {
  const auto model = read_forest("m", kForest);
  const Answer answer = predict(*model, {{9, 2.5}, {-1, 2.6}, {-0.9, 2.6}});
  expect_near(answer.outputs[1], {{0.75, 0.25}, {0.375, 0.625}, {0.25, 0.75}}, 0);
  EXPECT_EQ(answer.outputs[0], (std::vector<double>{0, 1, 1}));
}

TEST(Forest, OrTheSum) {
  std::string text(kForest);
  text.replace(text.find("mean"), 4, "sum");
  expect_near(predict(*read_forest("m", text), {{9, 2.5}}).outputs[1], {{1.5, 0.5}}, 0);
}

TEST(Forest, AgreesWithScikitLearn) {
  test::Answers answers;
  const auto model = load_model(test::small_model(Backend::forest, "forest.json"));
  expect_near(predict(*model, answers.matrix("rows")).outputs[1], answers.matrix("forest"), 1e-12);
}

TEST(RowPool, SharesOutEveryRowOnce) {
  RowPool pool;
  for (const size_t threads : {1u, 2u, 3u, 7u, 2u}) {
    for (const size_t count : {1u, 2u, 5u, 64u, 1000u}) {
      std::vector<int> done(count);
      pool.run(count, threads, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) ++done[i];
      });
      EXPECT_EQ(done, std::vector<int>(count, 1)) << threads << " threads";
    }
  }
}

TEST(RowPool, GivesTheSameAnswersAsOneThread) {
  test::Answers answers;
  const auto rows = answers.matrix("rows");
  for (const auto& [backend, file] : {std::pair(Backend::linear, "linear.json"),
                                      {Backend::kernel_svm, "kernel-svm.json"},
                                      {Backend::forest, "forest.json"}}) {
    const auto model = load_model(test::small_model(backend, file));
    Conditions four;
    four.threads = 4;
    EXPECT_EQ(predict(*model, rows).outputs, predict(*model, rows, four).outputs) << file;
  }
}

}  // namespace
}  // namespace mlq::serve::model
