#include "lib/quant/run_works.h"

#include <algorithm>

namespace mlq::quant {
namespace {

constexpr uint64_t kWorkerBytes = uint64_t{48} << 20;  // what a thread holds of a tensor of f32, about
constexpr unsigned kBeyondCompute = 2;                 // threads that read and write while others compute

}  // namespace

bool run_works(std::span<const std::unique_ptr<Work>> works, const Resources& resources, Turnstile& turns) {
  ScheduleOptions options;
  options.compute_threads = std::max(1U, resources.threads);
  const auto affordable = static_cast<unsigned>(std::max<uint64_t>(1, resources.memory_bytes / kWorkerBytes));
  options.workers = std::min(options.compute_threads + kBeyondCompute, affordable);
  options.device = resources.device;
  options.stop = resources.stop;
  options.on_failure = [&turns] { turns.abort(); };
  return run_schedule(works, options);
}

}  // namespace mlq::quant
