#include "lib/serve/model/load.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/serve/model/isolated.h"
#include "lib/serve/model/json_models.h"
#include "lib/serve/model/onnx.h"
#include "lib/serve/model/synthetic.h"

namespace mlq::serve::model {
namespace {

constexpr size_t kLargestFile = size_t{1} << 30;

}  // namespace

const std::vector<BackendInfo>& backend_infos() {
  static const std::vector<BackendInfo> infos = {
      {"noop", Backend::noop, "", "zeros at once"},
      {"sleep", Backend::sleep, "", "zeros after a known time, and faults"},
      {"linear", Backend::linear, "linear.json", "linear classifier"},
      {"kernel-svm", Backend::kernel_svm, "kernel-svm.json", "support vector machine"},
      {"forest", Backend::forest, "forest.json", "decision trees"},
      {"onnx", Backend::onnx, "mlp.onnx", "ONNX, by OpenCV"},
  };
  return infos;
}

const BackendInfo& backend_info(Backend backend) { return backend_infos()[static_cast<size_t>(backend)]; }

Backend parse_backend(std::string_view name) {
  const auto& infos = backend_infos();
  const auto found =
      std::find_if(infos.begin(), infos.end(), [&](const BackendInfo& info) { return info.name == name; });
  if (found != infos.end()) return found->backend;
  std::vector<std::string_view> names;
  for (const BackendInfo& info : infos) names.push_back(info.name);
  throw usage_error("\"{}\" is no back end; they are {}", name, fmt::join(names, ", "));
}

ModelSource read_source(Backend backend, const std::string& path, bool echo) {
  const BackendInfo& info = backend_info(backend);
  if (info.file.empty() && !path.empty()) throw usage_error("the back end {} takes no --model", info.name);
  if (!info.file.empty() && path.empty()) throw usage_error("the back end {} needs --model", info.name);
  if (echo && !info.file.empty()) throw usage_error("--echo is for the back ends noop and sleep");
  return {backend, echo, path, path.empty() ? std::string() : read_file(path, kLargestFile)};
}

std::unique_ptr<Model> load_model(const ModelSource& source) {
  switch (source.backend) {
    case Backend::noop:
      return make_noop(source.echo);
    case Backend::sleep:
      return make_sleep(source.echo);
    case Backend::linear:
      return read_linear(source.name, source.bytes);
    case Backend::kernel_svm:
      return read_kernel_svm(source.name, source.bytes);
    case Backend::forest:
      return read_forest(source.name, source.bytes);
    case Backend::onnx:
      return load_onnx(source.name, source.bytes);
  }
  throw usage_error("there is no such back end");
}

ModelMaker::ModelMaker(ModelSource source, bool isolate, std::string program)
    : source_(std::make_shared<const ModelSource>(std::move(source))), program_(std::move(program)) {
  if (source_->backend == Backend::onnx) {
    info_ = read_onnx_info(source_->name, source_->bytes);
    return;
  }
  shared_ = load_model(*source_);
  info_ = shared_->info();
  if (isolate) shared_ = nullptr;
}

std::shared_ptr<Model> ModelMaker::make() const {
  if (shared_) return shared_;
  return std::make_shared<IsolatedModel>(info_, source_, program_);
}

}  // namespace mlq::serve::model
