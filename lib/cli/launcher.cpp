#include "lib/cli/launcher.h"

#include <charconv>
#include <cstdlib>

#include "lib/base/error.h"

namespace mlq::cli {
namespace {

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<uint32_t> variable(const Environment& environment, const std::string& name) {
  const std::optional<std::string> text = environment(name);
  if (!text) return std::nullopt;
  const std::optional<uint32_t> value = number(*text);
  if (!value) throw usage_error("{}=\"{}\" is no number", name, *text);
  return value;
}

// `K/N`, said by `where`.
ShardChoice parse_choice(std::string_view where, std::string_view text) {
  const size_t slash = text.find('/');
  const auto shard = number(text.substr(0, slash));
  const auto shards = slash == text.npos ? std::nullopt : number(text.substr(slash + 1));
  if (!shard || !shards)
    throw usage_error("{}: \"{}\" must be K/N, as in 0/4, or auto, or auto/N", where, text);
  if (*shards == 0 || *shard >= *shards) {
    throw usage_error("{}: \"{}\": K counts from 0 and must be below N", where, text);
  }
  return {*shard, *shards, false, false};
}

std::optional<Rank> pair_of(const Environment& environment, const char* rank, const char* size,
                            const char* launcher) {
  const auto k = variable(environment, rank);
  const auto n = k ? variable(environment, size) : std::nullopt;
  if (!k || !n) return std::nullopt;
  return Rank{*k, *n, launcher, true};
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

std::optional<Rank> launcher_rank(const Environment& environment) {
  if (const auto text = environment("MLQ_SHARD")) {
    const ShardChoice choice = parse_choice("MLQ_SHARD", *text);
    return Rank{choice.shard, choice.shards, "MLQ_SHARD", false};
  }
  if (auto rank = pair_of(environment, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "Open MPI"))
    return rank;
  if (auto rank = pair_of(environment, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "Slurm")) return rank;
  if (auto rank = pair_of(environment, "PMI_RANK", "PMI_SIZE", "PMI")) return rank;
  if (const auto k = variable(environment, "JOB_COMPLETION_INDEX")) return Rank{*k, {}, "Kubernetes", false};
  if (const auto k = variable(environment, "PARALLEL_SEQ")) {
    if (*k == 0) throw usage_error("PARALLEL_SEQ=0; it counts from 1");
    return Rank{*k - 1, {}, "GNU parallel", false};
  }
  return std::nullopt;
}

ShardChoice choose_shard(const std::optional<std::string>& option, const Environment& environment) {
  constexpr std::string_view automatic = "auto";
  if (option && !option->starts_with(automatic)) {
    ShardChoice choice = parse_choice("--shard", *option);
    const std::optional<Rank> rank = choice.shards > 1 ? launcher_rank(environment) : std::nullopt;
    choice.shares_stdout = rank && rank->shares_stdout;
    return choice;
  }
  const std::optional<Rank> rank = launcher_rank(environment);
  if (!option) {
    if (rank && rank->size.value_or(1) > 1) {
      throw usage_error(
          "{} started {} processes, and each would send the whole trace; say --shard auto, or --shard 0/1 to "
          "have it so",
          rank->launcher, *rank->size);
    }
    return {};
  }
  const std::string_view rest = std::string_view(*option).substr(automatic.size());
  if (!rest.empty() && (rest[0] != '/' || !number(rest.substr(1)))) {
    throw usage_error("--shard: \"{}\" must be K/N, as in 0/4, or auto, or auto/N", *option);
  }
  if (!rank) {
    throw usage_error(
        "--shard {}: no launcher is seen (Open MPI, Slurm, PMI, Kubernetes, GNU parallel, MLQ_SHARD=K/N)",
        *option);
  }
  const std::optional<uint32_t> said = rest.empty() ? rank->size : number(rest.substr(1));
  if (!said)
    throw usage_error("--shard auto: {} does not say how many there are; say auto/N", rank->launcher);
  if (*said == 0 || rank->rank >= *said) {
    throw usage_error("--shard {}: {} says that this is number {}, counted from 0", *option, rank->launcher,
                      rank->rank);
  }
  const bool ranks = rank->shares_stdout && *said > 1;
  return {rank->rank, *said, ranks, ranks && rest.empty()};
}

}  // namespace mlq::cli
