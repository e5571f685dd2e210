// Which ranks a launcher has started.
#include <cstdlib>

#include "lib/base/units.h"
#include "lib/cli/launcher.h"
#include "lib/gather/consent.h"
#include "lib/gather/piece_sender.h"
#include "lib/ranks/in_process.h"
#include "lib/ranks/mpi_ranks.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

uint64_t count_of(const cli::Environment& environment, const std::string& name) {
  const auto text = environment(name);
  try {
    return text ? parse_count(*text) : 0;
  } catch (const Error& error) {
    throw usage_error("{}: {}", name, error.what());
  }
}

// What a launcher that is not MPI's says, or MPI's own: more than one process?
std::optional<uint64_t> launched_processes(const cli::Environment& environment) {
  if (const auto rank = cli::launcher_rank(environment); rank && rank->size.value_or(1) > 1)
    return rank->size;
  if (const uint64_t torch = count_of(environment, "WORLD_SIZE"); torch > 1) return torch;
  return std::nullopt;
}

// Slurm has given this job several tasks. A shell or a batch script of the job is no task of a step (an
// interactive step, where Slurm is set up so, has one); a process with a number above 0, or one of a step
// that does not say how many it has, may have others beside it.
std::optional<uint64_t> slurm_tasks(const cli::Environment& environment) {
  const uint64_t tasks = count_of(environment, "SLURM_NTASKS");
  return tasks > 1 ? std::optional(tasks) : std::nullopt;
}
bool may_be_one_of_several(const cli::Environment& environment) {
  return count_of(environment, "SLURM_PROCID") > 0 ||
         (environment("SLURM_STEP_ID") && !environment("SLURM_STEP_NUM_TASKS"));
}

ranks::Late ends_with(cli::Context& context) {
  return [&context](const Error& error) {
    context.error(error.what());
    std::_Exit(static_cast<int>(error.kind()));
  };
}

std::unique_ptr<ranks::Comm> launched_ranks(cli::Context& context, int64_t timeout_ns,
                                            std::string_view command) {
  const cli::Environment environment = cli::process_environment();
  auto launched = launched_processes(environment);
  const auto tasks = slurm_tasks(environment);
  if (!launched && tasks && may_be_one_of_several(environment)) launched = tasks;
  if (!launched) {
    if (tasks)
      context.note(
          fmt::format("SLURM_NTASKS={}, but srun did not start this process: it is the only rank; for {} of "
                      "them type srun mlq-quant {} ...",
                      *tasks, *tasks, command));
    return std::move(ranks::in_process_ranks(1, timeout_ns).front());
  }
  auto comm = ranks::mpi_ranks(timeout_ns, ends_with(context));
  if (comm->size() == 1)
    throw usage_error(
        "the launcher has started {} processes, but MPI sees one rank in each: start them with mpirun -n {} "
        "mlq-quant {} "
        "...",
        *launched, *launched, command);
  return comm;
}

}  // namespace

std::vector<cli::Option> rank_options(RankArguments& a) {
  using gather::Transport;
  return {
      cli::choice_option("device", "DEVICE", "Where this rank encodes and applies; auto is the CPU.",
                         a.placement.cuda, {{"auto", false}, {"cpu", false}, {"cuda", true}})
          .shown_default("auto"),
      cli::choice_option("transport", "HOW",
                         "What carries the weights; auto is NCCL where every rank computes on a GPU.",
                         a.placement.transport,
                         {{"auto", Transport::automatic}, {"nccl", Transport::nccl}, {"mpi", Transport::mpi}})
          .shown_default("auto"),
      cli::value_option("piece", "SIZE", "Bytes that a rank sends at a time, while it encodes more.", a.piece,
                        cli::above_zero(parse_size))
          .shown_default("60KiB; 16MiB over NCCL"),
      cli::value_option("timeout", "TIME", "How long to wait for other ranks.", a.placement.timeout_ns,
                        cli::above_zero(parse_duration))
          .shown_default("60s")};
}

ExitKind as_rank(cli::Context& context, const RankArguments& arguments, std::string_view command,
                 const std::function<ExitKind(const Ranks&)>& work) {
  gather::PlacementOptions options = arguments.placement;
  options.late = ends_with(context);
  if (options.cuda) {
    // Both would wait without an end for a rank that does not come: a kernel that is loaded when it is first
    // used, for what is under way on the device; and a communicator that blocks, whatever we ask for.
    ::setenv("CUDA_MODULE_LOADING", "EAGER", 0);
    ::setenv("NCCL_COMM_BLOCKING", "0", 1);
  }
  const auto comm = launched_ranks(context, options.timeout_ns, command);
  try {
    const gather::Placement place = gather::place_ranks(*comm, options);
    const uint64_t piece = place.wire ? gather::kDevicePiece : gather::kWirePiece;
    return work({*comm, place, arguments.piece.value_or(piece)});
  } catch (const gather::AgreedError& error) {
    if (error.kind() == ExitKind::bug || comm->size() == 1) throw;
    // Said while the ranks are together: when the first of them ends, a launcher ends the others.
    if (comm->rank() == 0) context.error(error.what());
    return error.kind();
  }
}

}  // namespace mlq::tools
