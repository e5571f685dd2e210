// mlq-simigrad hook: the trainer's side, to paste.
#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/simigrad/hooks/hooks.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct HookArguments {
  std::string variant;
  uint64_t dump_every = 0;
};

ExitKind hook(const HookArguments& a, Context& context) {
  Output output = Output::open(context.shared().output);
  output.write(simigrad::hook_text(a.variant, a.dump_every));
  output.close();
  return ExitKind::done;
}

}  // namespace

cli::Command hook_command() {
  const auto arguments = std::make_shared<HookArguments>();
  HookArguments& a = *arguments;
  cli::Command command;
  command.name = "hook";
  command.summary = "Print the trainer's side of follow, in Python.";
  command.description =
      "Text to paste into a training program. torch measures two halves of a step in one process; ddp takes "
      "the ranks of "
      "DistributedDataParallel as groups and adds one reduced number a step. It starts mlq-simigrad follow, "
      "or opens two "
      "FIFOs, and never stops the training: without a reply within a second the batch stays.";
  command.shared = {Shared::output};
  cli::Positional variant =
      cli::text_positional("VARIANT", cli::Positional::Arity::required, "Which trainer.", a.variant);
  variant.choices = {{"torch", "one process"}, {"ddp", "DistributedDataParallel"}};
  command.positionals = {std::move(variant)};
  command.add("Hook",
              {cli::value_option("dump", "EVERY",
                                 "Also write each group's gradients as safetensors, every so many steps.",
                                 a.dump_every, cli::above_zero(parse_count))});
  command.examples = {
      {"mlq-simigrad hook torch >mlq_simigrad_hook.py", "for one process"},
      {"mlq-simigrad hook ddp -o mlq_simigrad_hook.py", "for DistributedDataParallel"},
      {"mlq-simigrad hook torch | head -n 20", "what is it?"},
  };
  command.run = [arguments](Context& context) { return hook(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
