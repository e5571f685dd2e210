#include "lib/tune/compare/compare.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "lib/base/error.h"
#include "lib/tune/tuner/external.h"

namespace mlq::tune {
namespace {

class Runner {
 public:
  Runner(const CompareOptions& options, const StopFlag& stop,
         const std::function<void(const Comparison&, const Cell&)>& told)
      : options_(options), stop_(stop), told_(told) {
    for (const Contestant& tuner : options.tuners) comparison_.tuners.push_back(tuner.name);
    for (const auto& surface : options.surfaces) comparison_.surfaces.push_back(surface->name());
    comparison_.first_seed = options.run.seed;
    comparison_.seeds = options.seeds;
    comparison_.trials = options.run.trials;
    comparison_.cells.resize(options.tuners.size() * options.surfaces.size() * options.seeds);
    done_.resize(comparison_.cells.size());
  }

  Comparison run() {
    for (const auto& surface : options_.surfaces) {
      surface->prepare(options_.threads, stop_);
      if (stop_) break;
      truths_.emplace_back(*surface, options_.run.objective);
    }
    if (!stop_) {
      std::vector<std::jthread> helpers;
      for (unsigned t = 1; t < options_.threads; ++t) helpers.emplace_back([this] { work(); });
      work();
    }
    if (error_) std::rethrow_exception(error_);
    comparison_.cells.resize(told_cells_);
    return std::move(comparison_);
  }

 private:
  void work() {
    for (size_t k = next_++; k < comparison_.cells.size() && !stop_ && !broken_; k = next_++) {
      try {
        if (!run_cell(k)) return;
        tell(k);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        broken_ = true;
      }
    }
  }

  // False if it was interrupted.
  bool run_cell(size_t k) {
    Cell& cell = comparison_.cells[k];
    const size_t surface = k / options_.seeds % options_.surfaces.size();
    const size_t tuner = k / options_.seeds / options_.surfaces.size();
    const Contestant& contestant = options_.tuners[tuner];
    VirtualOptions run = options_.run;
    run.seed += k % options_.seeds;
    try {
      VirtualHooks hooks;
      const Surface& on = *options_.surfaces[surface];
      hooks.make = [&](const Space&) {
        return make_contestant(contestant, on, run, stop_, options_.line_deadline_ns);
      };
      const VirtualRun result = run_virtual(on, run, hooks, stop_);
      if (result.interrupted) return false;
      cell = score_run(result, truths_[surface]);
    } catch (const ExternalFailure& failure) {
      if (stop_) return false;
      cell = Cell();
      cell.failure = failure.what();
    }
    cell.tuner = tuner;
    cell.surface = surface;
    cell.seed = run.seed;
    return true;
  }

  void tell(size_t k) {
    const std::lock_guard lock(mutex_);
    done_[k] = true;
    for (; told_cells_ < done_.size() && done_[told_cells_]; ++told_cells_)
      if (told_) told_(comparison_, comparison_.cells[told_cells_]);
  }

  const CompareOptions& options_;
  const StopFlag& stop_;
  const std::function<void(const Comparison&, const Cell&)>& told_;
  Comparison comparison_;
  std::vector<Truth> truths_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> broken_ = false;
  std::mutex mutex_;
  std::vector<bool> done_;
  size_t told_cells_ = 0;
  std::exception_ptr error_;
};

}  // namespace

std::unique_ptr<Tuner> make_contestant(const Contestant& contestant, const Surface& surface,
                                       const VirtualOptions& run, const StopFlag& stop,
                                       int64_t line_deadline_ns) {
  if (contestant.command.empty()) {
    TunerOptions options = contestant.options;
    options.seed = run.seed;
    options.latency = run.objective.is_latency();
    options.limit_ns = run.objective.limit_ns();
    return make_tuner(options, surface.space());
  }
  ExternalOptions options;
  options.command = contestant.command;
  options.name = contestant.name;
  options.surface = surface.name();
  options.seed = run.seed;
  options.trials = run.trials;
  options.objective = run.objective.name();
  options.slo = run.objective.slo();
  options.line_deadline_ns = line_deadline_ns;
  options.stop = &stop;
  return make_external(options, surface.space(), surface.start());
}

Comparison compare(const CompareOptions& options, const StopFlag& stop,
                   const std::function<void(const Comparison&, const Cell&)>& cell) {
  return Runner(options, stop, cell).run();
}

}  // namespace mlq::tune
