// Presets as surfaces: their truth is a long run of the simulator, their windows are that truth with noise.
#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "lib/base/error.h"
#include "lib/tune/measure/level.h"
#include "lib/tune/space/changed_point.h"
#include "lib/tune/surface/preset.h"
#include "lib/tune/surface/surface.h"

namespace mlq::tune {
namespace {

// The same for everybody, so that the truth of a preset is one.
constexpr uint64_t kTruthSeed = 1;
// A window as mlq-tune measures it by default.
constexpr double kWindowRequests = 200;
constexpr int64_t kLeastWindowNs = 3'000'000'000;
constexpr uint64_t kFewestRequests = 100;

class PresetSurface : public Surface {
 public:
  PresetSurface(PresetChoice choice, const SurfaceOptions& options)
      : choice_(std::move(choice)),
        noise_{options.sigma.value_or(0.08), options.spikes.value_or(0.02)},
        requests_(std::max(options.truth_requests, kFewestRequests)),
        start_(options.start ? changed_point(space(), space().middle(), *options.start, "--start")
                             : space().middle()) {
    for (const size_t level : choice_.levels) {
      const PresetLevel& load = choice_.preset->levels[level];
      levels_.push_back(level_of(load.rate_per_s, std::nullopt));
      Load& made = loads_.emplace_back();
      made.level = level;
      made.arrivals = make_arrivals(load.load, requests_, kTruthSeed);
      made.cells = std::vector<Cell>(space().points().size());
    }
    noise_factors_ = ServiceNoise(kTruthSeed, choice_.preset->at(0, start_).sigma, requests_);
  }

  const std::string& name() const override { return choice_.name; }
  const Space& space() const override { return *choice_.preset->space; }
  std::span<const Level> levels() const override { return levels_; }
  PointId start() const override { return start_; }
  int64_t apply_ns(PointId from, PointId to) const override {
    return from == to ? 0 : static_cast<int64_t>(apply_seconds(space().apply_class(from, to)) * 1e9);
  }

  records::WindowStats truth(LevelId level, PointId point) const override {
    const Load& load = loads_[level];
    Cell& cell = load.cells[space().rank(point)];
    if (cell.state.load(std::memory_order_acquire) != kDone) compute(load, point, cell);
    return cell.window;
  }

  records::WindowStats sample(LevelId level, PointId point, Draws draws) const override {
    records::WindowStats window = truth(level, point);
    add_noise(window, noise_, draws);
    const double rate = levels_[level].rate_per_s;
    window.window_ns = std::max(kLeastWindowNs, static_cast<int64_t>(kWindowRequests / rate * 1e9));
    window.requests = static_cast<uint64_t>(static_cast<double>(window.window_ns) * 1e-9 * rate + 0.5);
    window.ok = window.requests;
    return window;
  }

  void prepare(unsigned threads, const StopFlag& stop) const override {
    const size_t points = space().points().size();
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t k = next++; k < loads_.size() * points && !stop; k = next++)
        truth(static_cast<LevelId>(k / points), space().points()[k % points]);
    };
    std::vector<std::jthread> helpers;
    for (unsigned t = 1; t < threads; ++t) helpers.emplace_back(work);
    work();
  }

 private:
  static constexpr int kEmpty = 0, kBusy = 1, kDone = 2;
  struct Cell {
    std::atomic<int> state = kEmpty;
    records::WindowStats window;
  };
  struct Load {
    size_t level = 0;
    std::vector<int64_t> arrivals;
    mutable std::vector<Cell> cells;
  };

  // Of two threads that come at once, one computes and the other waits.
  void compute(const Load& load, PointId point, Cell& cell) const {
    int expected = kEmpty;
    if (!cell.state.compare_exchange_strong(expected, kBusy, std::memory_order_acquire)) {
      cell.state.wait(kBusy, std::memory_order_acquire);
      return;
    }
    thread_local SimulatedRun run;
    simulate(choice_.preset->at(load.level, point), load.arrivals, noise_factors_.factors(), run);
    cell.window = window_of(run, load.arrivals.back());
    cell.state.store(kDone, std::memory_order_release);
    cell.state.notify_all();
  }

  PresetChoice choice_;
  SurfaceNoise noise_;
  uint64_t requests_;
  PointId start_;
  std::vector<Level> levels_;
  std::vector<Load> loads_;
  ServiceNoise noise_factors_{kTruthSeed, 0, 0};
};

}  // namespace

std::shared_ptr<const Surface> make_preset_surface(const std::string& name, const SurfaceOptions& options) {
  PresetChoice choice = find_preset(name);
  if (choice.preset == nullptr) throw usage_error("\"{}\" is no preset", name);
  return std::make_shared<PresetSurface>(std::move(choice), options);
}

}  // namespace mlq::tune
