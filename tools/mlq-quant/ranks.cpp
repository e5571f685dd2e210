// Which ranks a launcher has started.
#include "lib/base/units.h"
#include "lib/cli/launcher.h"
#include "lib/ranks/in_process.h"
#include "lib/ranks/mpi_ranks.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

// What a launcher that is not MPI's says, or MPI's own: more than one process?
std::optional<uint32_t> launched_processes() {
  const cli::Environment environment = cli::process_environment();
  if (const auto rank = cli::launcher_rank(environment); rank && rank->size.value_or(1) > 1)
    return rank->size;
  if (const auto torch = environment("WORLD_SIZE")) {
    const uint64_t size = parse_count(*torch);
    if (size > 1) return static_cast<uint32_t>(size);
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<ranks::Comm> launched_ranks(int64_t timeout_ns, std::string_view command) {
  const auto launched = launched_processes();
  if (!launched) return std::move(ranks::in_process_ranks(1, timeout_ns).front());
  auto comm = ranks::mpi_ranks(timeout_ns);
  if (comm->size() == 1)
    throw usage_error(
        "the launcher has started {} processes, but MPI sees one rank in each: start them with mpirun -n {} "
        "mlq-quant {} "
        "...",
        *launched, *launched, command);
  return comm;
}

}  // namespace mlq::tools
