// From the name of a back end and a file to models that can be run.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/model/model.h"

namespace mlq::serve::model {

enum class Backend : uint32_t { noop, sleep, linear, kernel_svm, forest, onnx };

struct BackendInfo {
  std::string_view name;
  Backend backend;
  std::string_view file;  // of the digits that come with mlq; empty: it takes no file
  std::string_view summary;
};
// For help texts and --backend.
const std::vector<BackendInfo>& backend_infos();
const BackendInfo& backend_info(Backend backend);
// By its name. A usage Error says which there are.
Backend parse_backend(std::string_view name);

// What a model is made of; it can be handed to another process.
struct ModelSource {
  Backend backend = Backend::noop;
  bool echo = false;  // of noop and sleep
  std::string name;   // of the file, for messages
  std::string bytes;  // what is in it
};
// Reads the file. A usage Error if the back end takes none, or needs one.
ModelSource read_source(Backend backend, const std::string& path, bool echo);

// The model, in this process. Errors as json_models.h and onnx.h.
std::unique_ptr<Model> load_model(const ModelSource& source);

// A source from which instances are made: all share one model, or each has a child process of its own.
class ModelMaker {
 public:
  // Checks the source. `isolate`: in child processes, which are `program --instance`; the default of onnx.
  ModelMaker(ModelSource source, bool isolate, std::string program);

  const ModelInfo& info() const { return info_; }
  // A model for one more instance. Of child processes: Errors as load_model, and an environment Error if the
  // process cannot be started.
  std::shared_ptr<Model> make() const;

 private:
  std::shared_ptr<const ModelSource> source_;
  std::string program_;
  std::shared_ptr<Model> shared_;  // null: each instance is a process
  ModelInfo info_;
};

}  // namespace mlq::serve::model
