// mlq-model: a small model server, to try other programs on and to inject faults.
//
// run serves a model over HTTP; check holds one against rows whose answers are known, and times it. See
// mlq-model(1). `mlq-model --instance` is how it starts its own child processes (lib/serve/model/isolated.h).
#include <string_view>

#include "lib/cli/provenance.h"
#include "lib/serve/model/isolated.h"
#include "tools/mlq-model/commands.h"

namespace mlq::tools {

using serve::model::Backend;

std::vector<cli::Option> model_options(ModelArguments& arguments) {
  std::vector<cli::Choice> backends;
  for (const auto& info : serve::model::backend_infos())
    backends.emplace_back(std::string(info.name), std::string(info.summary));
  return {
      cli::value_option("backend", "NAME", "What computes the answers.", arguments.backend,
                        serve::model::parse_backend)
          .one_of(std::move(backends))
          .shown_default("linear for digits"),
      cli::text("model", "FILE", "The model's file, or digits: the one that comes with mlq.", arguments.model)
          .file(),
      cli::flag("isolate", "Run each instance in a child process, as onnx always does.", arguments.isolate)};
}

Backend chosen_backend(const ModelArguments& arguments) {
  if (arguments.backend) return *arguments.backend;
  if (arguments.model != kDigits) throw usage_error("--backend is missing; what is to compute the answers?");
  return Backend::linear;
}

std::string digits_file(std::string_view name) {
  return fmt::format("{}/{}/{}", cli::data_folder(), kDigits, name);
}

serve::model::ModelMaker make_models(const ModelArguments& arguments) {
  const Backend backend = chosen_backend(arguments);
  std::string path = arguments.model;
  const std::string_view shipped = serve::model::backend_info(backend).file;
  if (path == kDigits && !shipped.empty()) path = digits_file(shipped);
  return {serve::model::read_source(backend, path, arguments.echo), arguments.isolate, "/proc/self/exe"};
}

}  // namespace mlq::tools

int main(int argc, char** argv) {
  using namespace mlq;
  if (argc == 2 && std::string_view(argv[1]) == "--instance") return serve::model::run_instance();
  cli::Program program;
  program.name = "mlq-model";
  program.version = MLQ_VERSION;
#ifndef MLQ_WITH_ONNX
  program.version_note = "without the back end onnx: OpenCV was not there when it was built";
#endif
  program.summary = "A small model server, to try other programs on and to inject faults.";
  program.root.name = program.name;
  program.root.description =
      "Serves models by the Open Inference Protocol v2 and KServe's v1: trained ones, among them digits that "
      "come with mlq, and ones with nothing behind them whose times and faults are known. Records are "
      "described in mlq-records(5).";
  program.root.commands = {tools::run_command(), tools::check_command()};
  program.root.examples = {
      {"mlq-model run --model digits --listen 127.0.0.1:8001 --admin off --duration 1s",
       "digits; without --duration until Ctrl-C"},
      {"mlq-model run --backend sleep --listen 127.0.0.1:8001 --admin off --set base_ns=2ms --set "
       "stall_share=0.01 --set stall_ns=50ms --duration 1s",
       "answers after 2 ms, and one batch in a hundred after 52"},
      {"mlq-model check --model digits --backend kernel-svm --at-least 0.97",
       "is the model good, and how fast is it?"},
  };
  return cli::run_main(program, argc, argv);
}
