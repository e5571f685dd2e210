#include "lib/tune/preset/preset.h"

#include "lib/base/error.h"
#include "lib/base/nearest.h"
#include "lib/tune/preset/files.h"

namespace mlq::tune {
namespace {

struct Row {
  EndpointPreset preset;
  const std::string_view* file;
};

const std::vector<Row>& rows() {
  namespace f = preset_files;
  static const std::vector<Row> all = {
      {{"mlq", "mlq-model, by its admin routes; mlq:URL needs no file at all."}, &f::mlq},
      {{"triton", "NVIDIA Triton with explicit model control, by loading a model anew."}, &f::triton},
      {{"torchserve", "TorchServe, by registering a model anew at its management address."}, &f::torchserve},
      {{"tfs", "TensorFlow Serving, by its batching file and a restart."}, &f::tfs},
      {{"ovms", "OpenVINO Model Server, by its configuration file and a reload."}, &f::ovms},
      {{"vllm", "vLLM, by a restart with other options."}, &f::vllm},
      {{"sglang", "SGLang, by a restart with other options."}, &f::sglang},
      {{"ray", "Ray Serve, by its REST API; the file must list every application."}, &f::ray},
      {{"mosec", "Mosec, by a restart with other environment variables."}, &f::mosec},
      {{"mlserver", "MLServer, by a model's settings file and a reload."}, &f::mlserver},
      {{"llamacpp", "llama.cpp's llama-server, by a restart with other options."}, &f::llamacpp},
      {{"exec", "Any program that takes its settings as arguments."}, &f::exec},
  };
  return all;
}

}  // namespace

const std::vector<EndpointPreset>& endpoint_presets() {
  static const std::vector<EndpointPreset> all = [] {
    std::vector<EndpointPreset> out;
    for (const Row& row : rows()) out.push_back(row.preset);
    return out;
  }();
  return all;
}

std::string preset_text(std::string_view name) {
  std::vector<std::string> names;
  std::string listed;
  for (const Row& row : rows()) {
    if (row.preset.name == name) return std::string(*row.file);
    names.emplace_back(row.preset.name);
    listed += " " + names.back();
  }
  const std::string near = nearest(name, names);
  if (!near.empty()) throw usage_error("there is no preset \"{}\"; did you mean \"{}\"?", name, near);
  throw usage_error("there is no preset \"{}\"; there are{}", name, listed);
}

}  // namespace mlq::tune
