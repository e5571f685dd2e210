// mlq-simigrad: batch sizes from gradient similarity.
//
// A step's gradients are reduced to one gram record; estimates, decisions and schedules come from these
// records alone. See mlq-simigrad(1).
#include "tools/mlq-simigrad/commands.h"

int main(int argc, char** argv) {
  using namespace mlq;
  cli::Program program;
  program.name = "mlq-simigrad";
  program.version = MLQ_VERSION;
  program.summary = "Turn gradient dumps into batch-size schedules.";
  program.root.name = program.name;
  program.root.description =
      "Measures how alike the gradients of disjoint parts of a batch are, estimates the gradient noise scale "
      "with its interval, and decides on batch sizes: for a schedule, or live beside a training job. Records "
      "are described in mlq-records(5).";
  program.root.commands = {tools::inspect_command(),       tools::estimate_command(),
                           tools::schedule_command(),      tools::follow_command("follow"),
                           tools::follow_command("watch"), tools::replay_command(),
                           tools::gen_command(),           tools::hook_command()};
  program.root.examples = {
      {"mlq-simigrad gen --gram-only --b-simple 8192 --steps 400 | mlq-simigrad estimate",
       "is a known noise scale found again?"},
      {"mlq-simigrad schedule run.gram.jsonl --target 0.2 --summary", "a schedule from a recorded run"},
      {"mlq-simigrad hook torch >mlq_simigrad_hook.py", "the side of the trainer"},
  };
  return cli::run_main(program, argc, argv);
}
