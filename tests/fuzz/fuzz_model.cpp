// Model files: refused, or a model that answers rows of its width with outputs of the size it says.
#include <vector>

#include "lib/serve/model/json_models.h"
#include "lib/serve/model/onnx.h"
#include "lib/serve/model/row_pool.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq::serve::model;

constexpr size_t kMostFeatures = 4096;  // a forest may claim any number

void use(Model& model) {
  const size_t width = model.info().features();
  MLQ_FUZZ_CLAIM(width > 0);
  if (width > kMostFeatures) return;
  std::vector<double> values(2 * width, 0.5);
  values[0] = -1e300;
  RowPool pool;
  const Answer answer = model.predict({values, 2}, {}, pool);
  MLQ_FUZZ_CLAIM(answer.error.empty());
  MLQ_FUZZ_CLAIM(answer.outputs.size() == model.info().outputs.size());
  for (size_t k = 0; k < answer.outputs.size(); ++k)
    MLQ_FUZZ_CLAIM(answer.outputs[k].size() == 2 * model.info().outputs[k].width);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = mlq::fuzz::text_of(data, size);
  for (const auto read : {read_linear, read_kernel_svm, read_forest})
    mlq::fuzz::accepted([&] { use(*read("m", text)); });
  mlq::fuzz::accepted([&] { MLQ_FUZZ_CLAIM(read_onnx_info("m", text).features() > 0); });
  return 0;
}
