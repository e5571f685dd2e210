// mlq-quant: compress, check and describe weight shards.
//
// encode writes what it read in fewer bits, with a stated error; decode turns it back into floats; verify
// reads it from disk again and computes hashes and errors anew; plan chooses a format for each tensor under
// one budget; diff makes a patch from one checkpoint to the next, apply uses it, squash makes one of several,
// chain keeps them; gather sends shards of weights to all ranks in few bits, and simulate says which ways of
// that are safe; inspect says what is in a file; bench measures. See mlq-quant(1).
#include "tools/mlq-quant/commands.h"

namespace {

// A command that ends cleanly where its input was cut by a signal.
mlq::cli::Command stoppable(mlq::cli::Command command) {
  command.run = [run = std::move(command.run)](mlq::cli::Context& context) {
    try {
      return run(context);
    } catch (const mlq::tools::Interrupted&) {
      return mlq::ExitKind::done;
    }
  };
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace mlq;
  cli::Program program;
  program.name = "mlq-quant";
  program.version = MLQ_VERSION;
  program.summary = "Compress, check and describe the weights of models.";
  program.root.name = program.name;
  program.root.description =
      "Reads safetensors (a file, an index of shards or a folder) and npy. Writes plain safetensors, "
      "safetensors of its "
      "own (.mlq.safetensors), compressed-tensors and bitsandbytes, in memory that does not depend on the "
      "model's size, "
      "and says exactly what it did to every tensor. Records are described in mlq-records(5).";
  program.root.commands = {stoppable(tools::inspect_command()),  stoppable(tools::encode_command()),
                           stoppable(tools::decode_command()),   stoppable(tools::verify_command()),
                           stoppable(tools::plan_command()),     stoppable(tools::diff_command()),
                           stoppable(tools::apply_command()),    stoppable(tools::squash_command()),
                           stoppable(tools::chain_command()),    stoppable(tools::gather_command()),
                           stoppable(tools::simulate_command()), tools::bench_command()};
  program.root.examples = {
      {"mlq-quant encode model.safetensors --format int8 -o model.mlq.safetensors", "8 bits a weight"},
      {"mlq-quant encode model.safetensors --snr 30 -o model.mlq.safetensors | jq "
       "'select(.type==\"tensor\").snr_db'",
       "as few bits as an error of 30 dB allows"},
      {"mlq-quant verify model.mlq.safetensors --against model.safetensors", "is it what it says?"},
  };
  return cli::run_main(program, argc, argv);
}
