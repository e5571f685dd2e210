// What the suite rrl-paper says in the end.
#include <algorithm>
#include <optional>

#include "lib/stats/quantile.h"
#include "lib/tune/compare/rrl_paper.h"
#include "lib/tune/draws.h"

namespace mlq::tune {
namespace {

constexpr size_t kResamples = 2000;
constexpr const char* kSuite = "rrl-paper";

using Figure = double PaperResult::*;

// The results of one tuner, workload and goal, by seed.
using Series = std::span<const PaperResult>;

struct Estimate {
  double value = 0, lo = 0, hi = 0;
};

double mean(Series series, Figure figure, const std::vector<uint32_t>* picks) {
  double sum = 0;
  for (size_t k = 0; k < series.size(); ++k) sum += series[picks == nullptr ? k : (*picks)[k]].*figure;
  return sum / static_cast<double>(series.size());
}

class Report {
 public:
  explicit Report(const RrlPaper& paper) : paper_(paper) {
    for (size_t r = 0; r < kResamples; ++r) {
      Draws draws(paper.first_seed, Purpose::bootstrap, r);
      std::vector<uint32_t>& picks = picks_.emplace_back();
      for (uint64_t k = 0; k < paper.seeds; ++k)
        picks.push_back(static_cast<uint32_t>(draws.below(paper.seeds)));
    }
  }

  PaperRecords records() {
    for (size_t tuner = 0; tuner < paper_.tuners.size(); ++tuner)
      for (size_t part = 0; part < kParts; ++part) add_scores(tuner, part);
    for (const char* tuner : {"rrl", "rrl-region", "rrl-a"})
      for (const Published& published : kPublished) add_ratio(tuner, published);
    return std::move(out_);
  }

 private:
  // Of the results of a tuner: both workloads for latency, then rrl-dynamic for CPU.
  static constexpr size_t kParts = 3;
  static constexpr size_t kCpuPart = 2;

  // Qin et al., SC'19, talk; the rival is given its best rate, and CAPES its better schedule.
  struct Published {
    std::string_view rival;
    size_t part;
    std::string_view measure;
    std::optional<double> reduction;
  };
  static constexpr Published kPublished[] = {
      {"capes-like", 1, "latency", 0.47},   {"capes-like", 0, "latency", 0.63},
      {"capes-like", 0, "over_slo", 0.49},  {"capes-like", kCpuPart, "cpu", 0.52},
      {"capes-like", 1, "last_half", {}},   {"capes-like", 0, "last_half", {}},
      {"deeprm-like", 1, "latency", 0.30},  {"deeprm-like", 0, "latency", 0.49},
      {"deeprm-like", 0, "over_slo", 0.43}, {"deeprm-like", kCpuPart, "cpu", 0.46},
      {"deeprm-like", 1, "last_half", {}},  {"deeprm-like", 0, "last_half", {}},
      {"random", 1, "latency", {}},         {"random", 0, "latency", {}},
      {"best-static", 1, "latency", {}},    {"best-static", 0, "latency", {}},
  };

  static Figure figure_of(std::string_view measure) {
    if (measure == "over_slo") return &PaperResult::over_slo_share;
    if (measure == "cpu") return &PaperResult::cpu_ns_per_request;
    if (measure == "last_half") return &PaperResult::last_half_latency_ns;
    return &PaperResult::mean_latency_ns;
  }

  Series series(size_t tuner, size_t part) const {
    return std::span(paper_.results).subspan((tuner * kParts + part) * paper_.seeds, paper_.seeds);
  }
  const std::string& surface(size_t part) const { return paper_.workloads[part == kCpuPart ? 0 : part]; }
  static std::string objective(size_t part) {
    return goal_name(part == kCpuPart ? PaperGoal::resource : PaperGoal::latency);
  }
  size_t index(std::string_view name) const {
    return static_cast<size_t>(std::find(paper_.tuners.begin(), paper_.tuners.end(), name) -
                               paper_.tuners.begin());
  }

  template <class Statistic>
  Estimate estimate(Statistic statistic) const {
    Estimate e;
    e.value = statistic(nullptr);
    std::vector<double> values;
    for (const auto& picks : picks_) values.push_back(statistic(&picks));
    std::sort(values.begin(), values.end());
    e.lo = values[stats::nearest_rank({25, 1000}, kResamples) - 1];
    e.hi = values[stats::nearest_rank({975, 1000}, kResamples) - 1];
    return e;
  }

  // Better than the start configuration that nobody touches.
  bool learned(size_t tuner, size_t part) const {
    const Figure figure = figure_of(part == kCpuPart ? "cpu" : "latency");
    return mean(series(tuner, part), figure, nullptr) < mean(series(index("start"), part), figure, nullptr);
  }

  void add_scores(size_t tuner, size_t part) {
    const Series all = series(tuner, part);
    records::SuiteScore record;
    record.suite = kSuite;
    record.tuner = paper_.tuners[tuner];
    record.surface = surface(part);
    record.objective = objective(part);
    if (paper_.episodes > 0) record.episodes = paper_.episodes;
    for (const PaperResult& result : all) {
      record.seed = result.task.seed;
      record.latency_mean_ns = result.mean_latency_ns;
      record.last_half_mean_ns = result.last_half_latency_ns;
      record.over_slo_share = result.over_slo_share;
      record.cpu_ns_per_request = result.cpu_ns_per_request;
      out_.scores.push_back(record);
    }
    const auto of = [&](Figure figure) {
      return estimate([&](const std::vector<uint32_t>* picks) { return mean(all, figure, picks); });
    };
    const Estimate latency = of(&PaperResult::mean_latency_ns), over = of(&PaperResult::over_slo_share),
                   cpu = of(&PaperResult::cpu_ns_per_request);
    record.seed.reset();
    record.seeds = paper_.seeds;
    record.latency_mean_ns = latency.value;
    record.latency_mean_lo_ns = latency.lo;
    record.latency_mean_hi_ns = latency.hi;
    record.last_half_mean_ns = mean(all, &PaperResult::last_half_latency_ns, nullptr);
    record.over_slo_share = over.value;
    record.over_slo_share_lo = over.lo;
    record.over_slo_share_hi = over.hi;
    record.cpu_ns_per_request = cpu.value;
    record.cpu_lo_ns = cpu.lo;
    record.cpu_hi_ns = cpu.hi;
    record.learned = learned(tuner, part);
    out_.scores.push_back(std::move(record));
  }

  // The variant of a rival (schedule, start, rate) that did best in what is measured.
  std::optional<size_t> best_variant(std::string_view rival, size_t part, Figure figure) const {
    std::optional<size_t> best;
    double least = 0;
    for (size_t tuner = 0; tuner < paper_.tuners.size(); ++tuner) {
      if (!paper_.tuners[tuner].starts_with(rival)) continue;
      const double value = mean(series(tuner, part), figure, nullptr);
      if (best && value >= least) continue;
      best = tuner;
      least = value;
    }
    return best;
  }

  void add_ratio(std::string_view name, const Published& published) {
    const Figure figure = figure_of(published.measure);
    const auto rival = best_variant(published.rival, published.part, figure);
    const size_t tuner = index(name);
    if (!rival || tuner == paper_.tuners.size()) return;
    const Series mine = series(tuner, published.part), theirs = series(*rival, published.part);
    const Estimate e = estimate([&](const std::vector<uint32_t>* picks) {
      const double other = mean(theirs, figure, picks);
      return other > 0 ? 1 - mean(mine, figure, picks) / other : 0;
    });
    records::SuiteRatio record;
    record.suite = kSuite;
    record.tuner = std::string(name);
    record.against = paper_.tuners[*rival];
    record.surface = surface(published.part);
    record.measure = std::string(published.measure);
    record.seeds = paper_.seeds;
    record.reduction = e.value;
    record.reduction_lo = e.lo;
    record.reduction_hi = e.hi;
    record.published = published.reduction;
    record.rival_learned = learned(*rival, published.part);
    record.reached = published.reduction && record.rival_learned && e.hi >= *published.reduction;
    out_.ratios.push_back(std::move(record));
  }

  const RrlPaper& paper_;
  std::vector<std::vector<uint32_t>> picks_;
  PaperRecords out_;
};

}  // namespace

PaperRecords paper_records(const RrlPaper& paper) { return Report(paper).records(); }

}  // namespace mlq::tune
