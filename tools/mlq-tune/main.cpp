// mlq-tune: find and hold the best configuration of an HTTP inference endpoint.
//
// search tries configurations under a real or replayed load, learns, proves what it found, and leaves the
// endpoint in a known state; the other commands check, measure, record and compare, one step each. Reads
// space and endpoint files, traces and journals; writes trial, decision, event and policy records. See
// mlq-records(5).
#include "tools/mlq-tune/commands.h"

int main(int argc, char** argv) {
  using namespace mlq;
  cli::Program program;
  program.name = "mlq-tune";
  program.version = MLQ_VERSION;
  program.summary = "Find and hold the best configuration of an HTTP inference endpoint.";
  program.root.name = program.name;
  program.root.description =
      "Tries configurations of a server under a real or replayed load, learns which is best at each level of "
      "the "
      "load, proves it by measuring it in turn with the one that was there, and puts the endpoint back when "
      "something goes wrong. Each setting is read back; what was decided is on disk before it is done. "
      "Records "
      "are described in mlq-records(5).";
  program.root.commands = {
      tools::init_command(),        tools::check_command(),    tools::search_command("search"),
      tools::search_command("run"), tools::measure_command(),  tools::sweep_command(),
      tools::simulate_command(),    tools::replay_command(),   tools::compare_command(),
      tools::ask_command(),         tools::tell_command(),     tools::live_command(),
      tools::status_command(),      tools::rollback_command(), tools::explain_command(),
      tools::export_command()};
  program.root.examples = {
      {"mlq-tune init --preset mlq >endpoint.json", "a file to begin with"},
      {"mlq-loadgen gen poisson --rate 200/s --duration 60s | mlq-tune search --endpoint "
       "mlq:http://127.0.0.1:8002 "
       "--trace - --url http://127.0.0.1:8000/v2/models/digits/infer --slo 'p99<=20ms' --state tune.state",
       "tune what mlq-serve serves"},
      {"mlq-tune export tune.state --to json", "what was found"},
  };
  return cli::run_main(program, argc, argv);
}
