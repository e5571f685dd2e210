#include "lib/serve/model/onnx.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>

#include "lib/base/error.h"
#include "lib/base/module_path.h"
#include "lib/serve/model/onnx_module.h"

namespace mlq::serve::model {
namespace {

constexpr size_t kErrorSize = 2048;

// The module stays loaded: OpenCV has threads of its own until the process ends.
void* open_module() {
  void* const module = ::dlopen(module_path("mlq_onnx.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr)
    throw environment_error(
        "the back end onnx is not there; mlq was built without OpenCV, or its module is not "
        "installed ({})",
        ::dlerror());
  return module;
}

template <class Function>
Function find(void* module, const char* name) {
  const auto function = reinterpret_cast<Function>(::dlsym(module, name));
  if (function == nullptr) throw environment_error("mlq_onnx.so is of another version; install mlq anew");
  return function;
}

class Onnx final : public Model {
 public:
  Onnx(ModelInfo info, void* network, MlqOnnxRun run)
      : Model(std::move(info)), network_(network), run_(run) {}

  Answer predict(const Rows& rows, const Conditions& conditions, RowPool&, const StopFlag*) override {
    values_.assign(rows.values.begin(), rows.values.end());
    std::vector<int> dimensions{static_cast<int>(rows.count)};
    for (const size_t size : info().row_shape) dimensions.push_back(static_cast<int>(size));
    std::vector<std::vector<float>> results;
    std::vector<MlqOnnxTensor> tensors;
    for (const OutputInfo& output : info().outputs) results.emplace_back(rows.count * output.width);
    for (size_t k = 0; k < results.size(); ++k)
      tensors.push_back({info().outputs[k].name.c_str(), results[k].data(), results[k].size()});
    Answer answer;
    std::array<char, kErrorSize> error{};
    if (!run_(network_, info().input.c_str(), values_.data(), dimensions.data(),
              static_cast<int>(dimensions.size()), tensors.data(), tensors.size(),
              static_cast<int>(conditions.threads), error.data(), error.size())) {
      answer.error = error.data();
      return answer;
    }
    for (const auto& result : results) answer.outputs.emplace_back(result.begin(), result.end());
    return answer;
  }

 private:
  void* const network_;  // lives as long as the process
  const MlqOnnxRun run_;
  std::vector<float> values_;
};

}  // namespace

std::unique_ptr<Model> load_onnx(const std::string& name, std::string_view bytes) {
  ModelInfo info = read_onnx_info(name, bytes);
  void* const module = open_module();
  std::array<char, kErrorSize> error{};
  void* const network =
      find<MlqOnnxLoad>(module, "mlq_onnx_load")(bytes.data(), bytes.size(), error.data(), error.size());
  if (network == nullptr) throw input_error("{}: OpenCV does not take it: {}", name, error.data());
  return std::make_unique<Onnx>(std::move(info), network, find<MlqOnnxRun>(module, "mlq_onnx_run"));
}

}  // namespace mlq::serve::model
