// Damaged and lying model files: refused, with file and field.
#include "lib/base/error.h"
#include "lib/serve/model/json_models.h"
#include "lib/serve/model/onnx.h"
#include "tests/serve/model_support.h"

namespace mlq::serve::model {
namespace {

// The message with which a text is refused.
template <class Read>
std::string refusal(Read read, std::string_view text) {
  try {
    read("m.json", text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input) << error.what();
    return error.what();
  }
  return "it was taken";
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  EXPECT_NE(text.find(from), text.npos) << from;
  return text.replace(text.find(from), from.size(), to);
}

struct Damage {
  std::string_view from, to, message;
};

template <class Read>
void expect_refusals(Read read, const std::string& good, const std::vector<Damage>& all) {
  read("m.json", good);
  for (const Damage& damage : all)
    EXPECT_EQ(refusal(read, replaced(good, damage.from, damage.to)), damage.message);
}

TEST(ModelFile, OfLinearNamesTheField) {
  const std::string good =
      R"({"format":"mlq-linear","version":1,"output":"argmax","classes":[7,9],"weights":[[1,2],[3,-1]],"bias":[0.5,0]})";
  expect_refusals(
      read_linear, good,
      {{"\"bias\":[0.5,0]}", "\"bias\":[0.5,0]",
        "m.json: damaged JSON; the model file is damaged, or no model file"},
       {"mlq-linear", "mlq-forest", "m.json: field \"format\": it must be \"mlq-linear\""},
       {"\"version\":1", "\"version\":2", "m.json: field \"version\": it must be a whole number from 1 to 1"},
       {"argmax", "max", "m.json: field \"output\": it must be \"softmax\" or \"argmax\""},
       {"[7,9]", "[7]", "m.json: field \"classes\": there must be two at least"},
       {"[7,9]", "[7,7]", "m.json: field \"classes\": a label stands there twice"},
       {"[7,9]", "[7,9.5]", "m.json: field \"classes\": element 1 is no whole number"},
       {"[3,-1]", "[3]", "m.json: field \"weights\": row 1 has 1 values, not 2 as row 0"},
       {"[3,-1]", "[3,null]", "m.json: field \"weights\": it must be an array of arrays of numbers"},
       {",[3,-1]", "", "m.json: field \"weights\": it has 1 rows for 2 classes"},
       {"[[1,2],[3,-1]]", "[]", "m.json: field \"weights\": there is nothing in it"},
       {"[0.5,0]", "[0.5]", "m.json: field \"bias\": it has 1 elements, not 2"},
       {"\"bias\"", "\"biased\"", "m.json: field \"biased\": it is not known here"},
       {"\"output\":\"argmax\",", "", "m.json: field \"output\": it is missing"},
       {"\"version\":1", "\"version\":1,\"version\":1", "m.json: field \"version\": it stands there twice"}});
}

TEST(ModelFile, OfAKernelSvmNamesTheField) {
  const std::string good =
      R"({"format":"mlq-kernel-svm","version":1,"gamma":0.5,"classes":[1,2],"per_class":[1,1],"vector_scale":1,)"
      R"("vectors":[[2,0],[0,4]],"coefficients":[[1,-1]],"intercepts":[0.25]})";
  expect_refusals(
      read_kernel_svm, good,
      {{"0.5", "0", "m.json: field \"gamma\": it must be above 0"},
       {"0.5", "\"x\"", "m.json: field \"gamma\": it must be a number"},
       {"\"per_class\":[1,1]", "\"per_class\":[1,2]",
        "m.json: field \"per_class\": it does not add up to the 2 vectors"},
       {"\"per_class\":[1,1]", "\"per_class\":[-1,3]",
        "m.json: field \"per_class\": it does not add up to the 2 vectors"},
       {"\"per_class\":[1,1]", "\"per_class\":[1,0]",
        "m.json: field \"per_class\": it does not add up to the 2 vectors"},
       {"[[1,-1]]", "[[1,-1],[1,1]]", "m.json: field \"coefficients\": it has 2 x 2 values, not 1 x 2"},
       {"[0.25]", "[]", "m.json: field \"intercepts\": it has 0 elements, not 1"}});
}

TEST(ModelFile, OfAForestNamesTreeAndField) {
  const std::string good =
      R"({"format":"mlq-forest","version":1,"features":2,"combine":"mean","classes":[0,1],"trees":[)"
      R"({"feature":[1,-1,-1],"threshold":[2.5,0,0],"left":[1,0,1],"right":[2,-1,-1],"value":[[1,0],[0,1]]}]})";
  expect_refusals(
      read_forest, good,
      {{"[1,-1,-1]", "[2,-1,-1]", "m.json: tree 0: field \"feature\": node 0 asks for feature 2 of 2"},
       {"\"left\":[1,0,1]", "\"left\":[0,0,1]",
        "m.json: tree 0: field \"left\": node 0 leads to 0; it must lead to a later one of the 3"},
       {"[2,-1,-1],\"value\"", "[3,-1,-1],\"value\"",
        "m.json: tree 0: field \"right\": node 0 leads to 3; it must lead to a later one of the 3"},
       {"\"left\":[1,0,1]", "\"left\":[1,0,2]",
        "m.json: tree 0: field \"left\": leaf 2 has row 2 of 2 values"},
       {"[2.5,0,0]", "[2.5,0]", "m.json: tree 0: field \"threshold\": it has 2 elements, not 3"},
       {"[[1,0],[0,1]]", "[[1],[0]]", "m.json: tree 0: field \"value\": it has 1 columns for 2 classes"},
       {"\"features\":2", "\"features\":0",
        "m.json: field \"features\": it must be a whole number from 1 to 1073741824"},
       {"\"trees\":[", "\"trees\":[3,", "m.json: field \"trees\": element 0 is no object"}});
}

TEST(ModelFile, OfOnnxSaysWhatIsWrong) {
  const std::string good = read_file(test::kSmallModels + "mlp.onnx");
  const ModelInfo info = read_onnx_info("m.onnx", good);
  EXPECT_EQ(info.input, "input");
  EXPECT_EQ(info.features(), 4u);
  ASSERT_EQ(info.outputs.size(), 1u);
  EXPECT_EQ(info.outputs[0].name, "probabilities");
  EXPECT_EQ(info.outputs[0].width, 3u);
  constexpr size_t kBehindTheGraph = 6;  // the operator set, which is OpenCV's to judge
  for (size_t size = 0; size < good.size() - kBehindTheGraph; ++size)
    EXPECT_NE(refusal(read_onnx_info, std::string_view(good).substr(0, size)), "it was taken") << size;
  EXPECT_EQ(refusal(read_onnx_info, ""),
            "m.json: there is no graph in it; the file is damaged, or no ONNX model that can be served");
}

}  // namespace
}  // namespace mlq::serve::model
