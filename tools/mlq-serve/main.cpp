// mlq-serve: batching under a latency objective, before any model server over HTTP.
//
// run serves, check asks the replicas whether they can be served. Records are described in mlq-records(5).
#include "tools/mlq-serve/commands.h"

int main(int argc, char** argv) {
  using namespace mlq;
  cli::Program program;
  program.name = "mlq-serve";
  program.version = MLQ_VERSION;
  program.summary = "Batch, queue and shed under a latency objective, before any model server.";
  program.root.name = program.name;
  program.root.description =
      "A reverse proxy for model servers in any language: it merges the requests of many clients into "
      "batches "
      "that keep a latency objective (Clipper, NSDI'17), and splits the replies exactly. It speaks the Open "
      "Inference Protocol v2 (JSON and binary tensors), KServe v1 and plain JSON routes.";
  program.root.commands = {tools::run_command(), tools::check_command()};
  program.root.examples = {
      {"mlq-serve run --model digits=http://127.0.0.1:8001 --slo 'p99<=20ms' --duration 1s",
       "before a model server on port 8001"},
      {"mlq-model run --backend sleep --listen 127.0.0.1:8001 --admin off --duration 1s",
       "such a server, to try it on"},
  };
  return cli::run_main(program, argc, argv);
}
