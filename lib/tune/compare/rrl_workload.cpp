#include "lib/tune/compare/rrl_workload.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/stats/quantile.h"
#include "lib/tune/measure/level.h"

namespace mlq::tune {
namespace {

// Far from the seeds of runs.
constexpr uint64_t kReferenceSeed = 0x9E3779B97F4A7C15u;
constexpr size_t kReferenceEpisodes = 60;  // of a level
constexpr double kSloFactor = 1.5;
constexpr uint64_t kMostRequests = 1'000'000;

// First episode of each gap in RRL's code; the arrivals are those of the preset.
struct Phase {
  size_t first;
  double gap_s;
};
constexpr Phase kDynamic[] = {{0, 0.07}, {800, 0.06}, {1300, 0.07}, {2000, 0.10}, {2400, 0.12}};

// RRL's state is the configured gap, not the one that was drawn.
double configured_rate(size_t episode) {
  const auto* phase = std::prev(std::upper_bound(std::begin(kDynamic), std::end(kDynamic), episode,
                                                 [](size_t e, const Phase& p) { return e < p.first; }));
  return 1 / phase->gap_s;
}

LevelId level_id(RrlWorkload& workload, const Level& level) {
  for (size_t k = 0; k < workload.levels.size(); ++k)
    if (workload.levels[k].name == level.name) return static_cast<LevelId>(k);
  workload.levels.push_back(level);
  return static_cast<LevelId>(workload.levels.size() - 1);
}

const Preset& server_preset() { return *find_preset("rrl-cpu").preset; }

double p95(std::vector<int64_t>& values) {
  const auto place =
      values.begin() + static_cast<ptrdiff_t>(stats::nearest_rank({95, 100}, values.size()) - 1);
  std::nth_element(values.begin(), place, values.end());
  return static_cast<double>(*place);
}

}  // namespace

const std::vector<std::string>& rrl_workload_names() {
  static const std::vector<std::string> names = {"rrl-dynamic", "rrl-wiki"};
  return names;
}

RrlWorkload make_rrl_workload(size_t which, uint64_t seed, uint64_t episodes, const std::string& data_dir) {
  RrlWorkload workload;
  workload.name = rrl_workload_names()[which];
  workload.server = which;  // 70 ms and 12 ms: what a request costs at such gaps
  const std::vector<int64_t> times = make_arrivals("preset " + workload.name, kMostRequests, seed, data_dir);
  const size_t all = times.size() / kEpisodeRequests;
  const size_t wanted = episodes == 0 ? all : std::min<size_t>(episodes, all);
  LevelTracker tracker;
  for (size_t k = 0; k < wanted; ++k) {
    const size_t at = k * all / wanted;
    const size_t first = at * kEpisodeRequests;
    const int64_t start = first == 0 ? 0 : times[first - 1];
    Episode episode;
    for (size_t r = 0; r < kEpisodeRequests; ++r) episode.arrivals.push_back(times[first + r] - start);
    const double rate = kEpisodeRequests / (static_cast<double>(episode.arrivals.back()) * 1e-9);
    episode.level = level_id(
        workload, which == 0 ? level_of(configured_rate(at), std::nullopt) : tracker.add(rate, std::nullopt));
    workload.episodes.push_back(std::move(episode));
  }
  return workload;
}

EpisodeServer::EpisodeServer(const RrlWorkload& workload, uint64_t seed)
    : workload_(workload), preset_(server_preset()), seed_(seed) {}

EpisodeOutcome EpisodeServer::serve(size_t episode, PointId point) {
  const ServerModel model = preset_.at(workload_.server, point);
  if (noise_of_ != episode) {
    noise_.clear();
    for (size_t r = 0; r < kEpisodeRequests; ++r)
      noise_.push_back(service_noise(seed_, episode * kEpisodeRequests + r, model.sigma));
    noise_of_ = episode;
  }
  simulate(model, workload_.episodes[episode].arrivals, noise_, run_);
  EpisodeOutcome outcome;
  for (const int64_t latency : run_.latencies)
    outcome.mean_ns += static_cast<double>(latency) / kEpisodeRequests;
  outcome.cpu_ns_per_request = run_.cpu_ns / kEpisodeRequests;
  sorted_ = run_.latencies;
  outcome.p95_ns = p95(sorted_);
  return outcome;
}

double RrlReference::limit_at(const Level& level) const {
  return limit_ns[nearest_level(levels, level).value()];
}

RrlReference make_rrl_reference(size_t which, uint64_t episodes, const std::string& data_dir) {
  const RrlWorkload workload = make_rrl_workload(which, kReferenceSeed, episodes, data_dir);
  EpisodeServer server(workload, kReferenceSeed);
  const auto points = server_preset().space->points();
  RrlReference reference;
  reference.levels = workload.levels;
  std::vector<double> total(points.size());
  for (LevelId level = 0; level < workload.levels.size(); ++level) {
    std::vector<size_t> members;
    for (size_t e = 0; e < workload.episodes.size(); ++e)
      if (workload.episodes[e].level == level) members.push_back(e);
    std::vector<size_t> sample;
    const size_t wanted = std::min(kReferenceEpisodes, members.size());
    for (size_t k = 0; k < wanted; ++k) sample.push_back(members[k * members.size() / wanted]);
    std::vector<double> means(points.size());
    for (const size_t e : sample)
      for (size_t p = 0; p < points.size(); ++p)
        means[p] += server.serve(e, points[p]).mean_ns / static_cast<double>(sample.size());
    const size_t best = static_cast<size_t>(std::min_element(means.begin(), means.end()) - means.begin());
    std::vector<int64_t> latencies;
    for (const size_t e : sample) {
      server.serve(e, points[best]);
      latencies.insert(latencies.end(), server.latencies().begin(), server.latencies().end());
    }
    reference.limit_ns.push_back(kSloFactor * p95(latencies));
    for (size_t p = 0; p < points.size(); ++p) total[p] += means[p] * static_cast<double>(members.size());
  }
  reference.best_static =
      points[static_cast<size_t>(std::min_element(total.begin(), total.end()) - total.begin())];
  return reference;
}

}  // namespace mlq::tune
