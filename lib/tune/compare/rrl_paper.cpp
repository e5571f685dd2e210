#include "lib/tune/compare/rrl_paper.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "lib/base/fmath.h"
#include "lib/tune/compare/rrl_workload.h"

namespace mlq::tune {
namespace {

constexpr std::string_view kStart = "start", kBestStatic = "best-static";

// Stays where it is.
class Fixed : public Tuner {
 public:
  explicit Fixed(PointId point) : point_(point) {}
  Choice ask(const History&, const Question&) override {
    Choice choice;
    choice.point = point_;
    choice.finished = true;
    return choice;
  }
  void tell(const History&, const Observation&) override {}

 private:
  PointId point_;
};

std::string with_rate(std::string_view name, double rate) { return fmt::format("{}/rate={}", name, rate); }

Observation row_of(uint64_t i, PointId point, LevelId level, double rate_per_s, const EpisodeOutcome& outcome,
                   double limit_ns, PaperGoal goal) {
  Observation row;
  row.i = i;
  row.point = point;
  row.level = level;
  row.mean_ns = outcome.mean_ns;
  row.p95_ns = outcome.p95_ns;
  row.done_per_s = rate_per_s;
  row.inflight = rate_per_s * outcome.mean_ns * 1e-9;
  row.cpu_ns_per_request = outcome.cpu_ns_per_request;
  if (goal == PaperGoal::latency) {
    row.y = fmath::log(outcome.mean_ns);
    return row;
  }
  const double slack = fmath::log(outcome.p95_ns / limit_ns);
  row.y = fmath::log(outcome.cpu_ns_per_request) + 2 * std::max(0.0, slack);
  row.slack = {slack};
  row.feasible = slack <= 0;
  return row;
}

// One tuner over one load. A tuner that has finished holds its choice until the level changes.
PaperResult run_task(const PaperTask& task, const RrlWorkload& workload, const RrlReference& reference,
                     Tuner& tuner, const StopFlag& stop) {
  PaperResult result;
  result.task = task;
  const Space& space = *find_preset("rrl-cpu").preset->space;
  History history(space, space.middle());
  EpisodeServer server(workload, task.seed);
  std::optional<PointId> held;
  std::optional<LevelId> before;
  const size_t count = workload.episodes.size();
  uint64_t over = 0;
  for (size_t k = 0; k < count && !stop; ++k) {
    const Level& seen = workload.levels[workload.episodes[k].level];
    const LevelId level = history.level(seen);
    if (before != level) held.reset();
    before = level;
    PointId point = held.value_or(0);
    if (!held) {
      Question question;
      question.i = k;
      question.level = level;
      question.budget = count;
      const Choice choice = tuner.ask(history, question);
      point = choice.point;
      if (choice.finished) held = point;
    }
    const EpisodeOutcome outcome = server.serve(k, point);
    const double limit_ns = reference.limit_at(seen);
    for (const int64_t latency : server.latencies()) over += static_cast<double>(latency) > limit_ns ? 1 : 0;
    result.mean_latency_ns += outcome.mean_ns / static_cast<double>(count);
    if (k >= count / 2)
      result.last_half_latency_ns += outcome.mean_ns / static_cast<double>(count - count / 2);
    result.cpu_ns_per_request += outcome.cpu_ns_per_request / static_cast<double>(count);
    history.add(row_of(k, point, level, seen.rate_per_s, outcome, limit_ns, task.goal));
    tuner.tell(history, history.rows().back());
  }
  result.over_slo_share = static_cast<double>(over) / static_cast<double>(count * kEpisodeRequests);
  return result;
}

class Suite {
 public:
  Suite(const RrlPaperOptions& options, const StopFlag& stop,
        const std::function<void(uint64_t, uint64_t)>& done)
      : options_(options),
        stop_(stop),
        done_(done),
        tuners_(options.tuners.empty() ? paper_contestants() : options.tuners) {
    for (const Contestant& tuner : tuners_) paper_.tuners.push_back(tuner.name);
    paper_.tuners.emplace_back(kStart);
    paper_.tuners.emplace_back(kBestStatic);
    paper_.workloads = rrl_workload_names();
    paper_.first_seed = options.first_seed;
    paper_.seeds = options.seeds;
    paper_.episodes = options.episodes;
    for (size_t tuner = 0; tuner < paper_.tuners.size(); ++tuner) {
      add_tasks(tuner, 0, PaperGoal::latency);
      add_tasks(tuner, 1, PaperGoal::latency);
      add_tasks(tuner, 0, PaperGoal::resource);
    }
    known_.resize(paper_.results.size());
    for (const records::SuiteScore& score : options.known) take(score);
  }

  RrlPaper run() {
    const bool all_known = over_ == paper_.results.size();
    for (size_t which = 0; which < paper_.workloads.size() && !stop_ && !all_known; ++which)
      references_.push_back(make_rrl_reference(which, options_.episodes, options_.data_dir));
    if (!stop_) {
      std::vector<std::jthread> helpers;
      for (unsigned t = 1; t < options_.threads; ++t) helpers.emplace_back([this] { work(); });
      work();
    }
    if (error_) std::rethrow_exception(error_);
    if (stop_) paper_.results.clear();
    return std::move(paper_);
  }

 private:
  void add_tasks(size_t tuner, size_t workload, PaperGoal goal) {
    for (uint64_t k = 0; k < options_.seeds; ++k) {
      PaperResult& result = paper_.results.emplace_back();
      result.task = {tuner, workload, goal, options_.first_seed + k};
    }
  }

  // A run that was made before.
  void take(const records::SuiteScore& score) {
    if (!score.seed || score.episodes.value_or(0) != options_.episodes) return;
    for (size_t k = 0; k < paper_.results.size(); ++k) {
      PaperResult& result = paper_.results[k];
      const PaperTask& task = result.task;
      if (known_[k] || task.seed != score.seed || paper_.tuners[task.tuner] != score.tuner ||
          paper_.workloads[task.workload] != score.surface || goal_name(task.goal) != score.objective)
        continue;
      result.mean_latency_ns = score.latency_mean_ns;
      result.last_half_latency_ns = score.last_half_mean_ns;
      result.over_slo_share = score.over_slo_share;
      result.cpu_ns_per_request = score.cpu_ns_per_request;
      known_[k] = true;
      ++over_;
    }
  }

  std::unique_ptr<Tuner> make(const PaperTask& task) const {
    const std::string& name = paper_.tuners[task.tuner];
    const Space& space = *find_preset("rrl-cpu").preset->space;
    if (name == kStart) return std::make_unique<Fixed>(space.middle());
    if (name == kBestStatic) return std::make_unique<Fixed>(references_[task.workload].best_static);
    TunerOptions options = tuners_[task.tuner].options;
    options.seed = task.seed;
    options.latency = task.goal == PaperGoal::latency;
    return make_tuner(options, space);
  }

  void work() {
    for (size_t k = next_++; k < paper_.results.size() && !stop_ && !broken_; k = next_++) {
      if (known_[k]) continue;
      try {
        const PaperTask task = paper_.results[k].task;
        const RrlWorkload workload =
            make_rrl_workload(task.workload, task.seed, options_.episodes, options_.data_dir);
        const auto tuner = make(task);
        paper_.results[k] = run_task(task, workload, references_[task.workload], *tuner, stop_);
        const std::lock_guard lock(mutex_);
        if (done_) done_(++over_, paper_.results.size());
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        broken_ = true;
      }
    }
  }

  const RrlPaperOptions& options_;
  const StopFlag& stop_;
  const std::function<void(uint64_t, uint64_t)>& done_;
  std::vector<Contestant> tuners_;
  RrlPaper paper_;
  std::vector<RrlReference> references_;
  std::vector<bool> known_;  // by result
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> broken_ = false;
  std::mutex mutex_;
  uint64_t over_ = 0;
  std::exception_ptr error_;
};

}  // namespace

std::vector<Contestant> paper_contestants() {
  std::vector<Contestant> all = parse_contestants("rrl,rrl-region,rrl-a,random");
  for (const TunerInfo& rival : tuner_infos())
    for (const double rate : rival.rates) all.push_back(parse_contestant(with_rate(rival.name, rate)));
  return all;
}

std::string goal_name(PaperGoal goal) { return goal == PaperGoal::resource ? "min-resource" : "latency"; }

RrlPaper run_rrl_paper(const RrlPaperOptions& options, const StopFlag& stop,
                       const std::function<void(uint64_t, uint64_t)>& done) {
  return Suite(options, stop, done).run();
}

}  // namespace mlq::tune
