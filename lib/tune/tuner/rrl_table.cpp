#include "lib/tune/tuner/rrl_table.h"

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/tuner/moves.h"
#include "lib/tune/tuner/rrl_estimator.h"

namespace mlq::tune {
namespace {

constexpr uint64_t kDefaultRuns = 5;    // of the published start
constexpr double kFirstValue = 40'000;  // of an objective that is no latency: exponent 500
constexpr size_t kRegionsKept = 256;
constexpr uint64_t kJudgedToTrust = 10;  // trials before the estimator's error is believed

// How far apart two levels are: rates in octaves, another burstiness as half of one.
double level_distance(const Level& a, const Level& b) {
  const bool known = a.rate_per_s > 0 && b.rate_per_s > 0;
  const double octaves = known ? std::fabs(fmath::log(a.rate_per_s / b.rate_per_s)) / fmath::log(2) : 0;
  return octaves + (a.bursty != b.bursty ? 0.5 : 0);
}

}  // namespace

TableTuner::TableTuner(const TableRules& rules, uint64_t seed, const Space& space,
                       std::unique_ptr<TableEstimator> estimator)
    : rules_(rules), seed_(seed), space_(space), metric_(space), estimator_(std::move(estimator)) {
  if (!space.listed())
    throw usage_error("the space has {} points; a tuner that keeps a table takes at most {}: use rrl-a",
                      space.grid_size(), Space::kMostWalked);
}

const BoltzmannTable* TableTuner::table_of(const History& history, LevelId level) const {
  if (rules_.published) return tables_.empty() ? nullptr : tables_[0].get();
  if (level < tables_.size() && tables_[level]) return tables_[level].get();
  const BoltzmannTable* nearest = nullptr;
  double least = 0;
  for (size_t k = 0; k < tables_.size(); ++k) {
    if (!tables_[k]) continue;
    const double distance = level_distance(history.levels()[level], history.levels()[k]);
    if (nearest != nullptr && distance >= least) continue;
    nearest = tables_[k].get();
    least = distance;
  }
  return nearest;
}

// Made when the first trial of a level is told, and not when it is asked for, so that it depends on the rows
// alone.
BoltzmannTable& TableTuner::own_table(const History& history, LevelId level) {
  if (rules_.published) return *tables_[0];
  if (tables_.size() <= level) tables_.resize(level + 1);
  if (!tables_[level]) tables_[level] = std::make_unique<BoltzmannTable>(*table_of(history, level));
  return *tables_[level];
}

const std::vector<PointId>& TableTuner::region_of(PointId centre) {
  const auto found = regions_.find(centre);
  if (found != regions_.end()) return found->second;
  if (regions_.size() >= kRegionsKept) regions_.clear();
  std::vector<PointId> region{centre};
  if (rules_.radius_steps)
    region = index_ball(space_, centre, *rules_.radius_steps);
  else if (rules_.radius)
    region = metric_.region(centre, *rules_.radius);
  return regions_.emplace(centre, std::move(region)).first->second;
}

std::optional<Choice> TableTuner::published_start(const History& history) const {
  if (told_ > kDefaultRuns) return std::nullopt;
  Choice choice;
  choice.set = "init";
  choice.point = told_ == 0 ? space_.middle() : history.start();
  choice.why = told_ == 0 ? "the grid's middle, whose value the whole table gets"
                          : "the live configuration, measured for the estimator";
  return history.barred(choice.point) ? std::nullopt : std::optional(choice);
}

Choice TableTuner::ask(const History& history, const Question& question) {
  if (rules_.published)
    if (auto first = published_start(history)) return *first;
  const BoltzmannTable* table = table_of(history, question.level);
  Draws draws(seed_, Purpose::policy, question.i);
  Choice choice;
  choice.estimator = estimator_ ? "mlp" : "table";
  if (rules_.radius_steps || rules_.radius)
    choice.radius = rules_.radius_steps ? rules_.radius_steps : rules_.radius;
  if (table == nullptr) {
    if (auto first = opening(history, question.level)) return *first;
    choice.point = draw_allowed(history, draws);
    choice.set = "init";
    choice.why = "no trial has a value yet";
    return choice;
  }
  const auto drawn = table->draw(draws.uniform());
  choice.set = "region";
  choice.why = "drawn by the values of the table";
  choice.finished = !drawn;
  choice.point = drawn ? space_.points()[*drawn] : history.start();
  if (drawn) choice.pred_y = fmath::log(std::max(table->value(*drawn), 1.0) / scale_);
  return choice;
}

void TableTuner::bar(const History& history, PointId point) {
  if (!history.barred(point) || std::find(barred_.begin(), barred_.end(), point) != barred_.end()) return;
  barred_.push_back(point);
  for (auto& table : tables_) {
    if (!table) continue;
    table->bar(space_.rank(point));
    table->settle();
  }
}

void TableTuner::tell(const History& history, const Observation& row) {
  const uint64_t before = told_++;
  bar(history, row.point);
  if (estimator_ && rules_.observed_correction) judge_estimator(history, row);
  if (estimator_) estimator_->add(history, row);
  if (tables_.empty()) {
    begin(row);
    return;
  }
  if (rules_.published && before <= kDefaultRuns) return;  // the runs of the live configuration
  BoltzmannTable& table = own_table(history, row.level);
  if (estimator_)
    follow_estimates(history, row, table);
  else
    follow_observation(row, table);
  table.settle();
}

// The first value fills the table. What failed has none.
void TableTuner::begin(const Observation& row) {
  if (row.outcome == TrialOutcome::failed) return;
  const double cost = cost_of(row);
  if (!rules_.latency) scale_ = kFirstValue / cost;
  tables_.resize(rules_.published ? 1 : row.level + 1);
  tables_.back() = std::make_unique<BoltzmannTable>(space_.points().size(), cost * scale_);
  for (const PointId point : barred_) tables_.back()->bar(space_.rank(point));
  tables_.back()->settle();
}

double TableTuner::cost_of(const Observation& row) const {
  return fmath::exp(rules_.published ? row.y : score(row));
}

void TableTuner::follow_observation(const Observation& row, BoltzmannTable& table) {
  double value = cost_of(row) * scale_;
  // A window that ended early gives a bound, a failed one no cost at all: neither makes a point look better.
  if (row.outcome != TrialOutcome::ok) value = std::max(value, table.value(space_.rank(row.point)));
  for (const PointId point : region_of(row.point)) {
    const size_t k = space_.rank(point);
    table.set(k, (1 - rules_.alpha) * table.value(k) + rules_.alpha * value);
  }
}

void TableTuner::follow_estimates(const History& history, const Observation& row, BoltzmannTable& table) {
  const std::vector<PointId>& region = region_of(row.point);
  const std::vector<double> costs = estimator_->estimate(history.levels()[row.level], region);
  for (size_t j = 0; j < region.size(); ++j) {
    const size_t k = space_.rank(region[j]);
    table.set(k, (1 - rules_.alpha) * table.value(k) + rules_.alpha * costs[j] * scale_);
    if (rules_.observed_correction && region[j] == row.point)
      table.set(k, corrected(history, row, costs[j]) * scale_);
  }
}

void TableTuner::judge_estimator(const History& history, const Observation& row) {
  if (row.outcome != TrialOutcome::ok || row.y_var <= 0) return;
  const double cost = estimator_->estimate(history.levels()[row.level], std::span(&row.point, 1))[0];
  if (!(cost > 0)) return;
  const double error = score(row) - fmath::log(cost);
  error2_ += error * error;
  noise_ += row.y_var;
  ++judged_;
}

// Tries and estimate, weighted by their precision: (n ybar + tau est) / (n + tau) of logarithms, where tau
// is how many tries an estimate is worth.
double TableTuner::corrected(const History& history, const Observation& row, double estimate) const {
  const PointSummary* known = history.at(row.level, row.point);
  if (known == nullptr || known->n == 0 || !known->feasible || !(estimate > 0)) return estimate;
  double tau = 1;
  if (judged_ >= kJudgedToTrust) tau = std::clamp(noise_ / std::max(error2_ - noise_, 1e-9), 0.05, 20.0);
  const auto n = static_cast<double>(known->n);
  return fmath::exp((n * known->mean_y + tau * fmath::log(estimate)) / (n + tau));
}

std::optional<Tuner::Prediction> TableTuner::predict(const History& history, LevelId level, PointId point) {
  const BoltzmannTable* table = table_of(history, level);
  if (table == nullptr) return std::nullopt;
  return Prediction{fmath::log(std::max(table->value(space_.rank(point)), 1.0) / scale_), 0};
}

namespace {

TableRules rules_of(const TunerOptions& options) {
  TableRules rules;
  rules.latency = options.latency;
  rules.observed_correction = options.observed_correction;
  rules.published = options.repo_exact;
  rules.alpha = options.alpha.value_or(options.name == "rrl-region" ? 0.8 : 0.3);
  rules.radius = options.radius.value_or(0.3);
  rules.radius_steps = options.radius_steps;
  if (options.repo_exact) rules.radius_steps = options.radius_steps.value_or(options.radius.value_or(3));
  if (options.name == "noregion") {
    rules.radius.reset();
    rules.radius_steps.reset();
  }
  return rules;
}

}  // namespace

std::unique_ptr<Tuner> make_rrl_table(const TunerOptions& options, const Space& space) {
  const bool published_method = options.name == "rrl";
  if (options.repo_exact && !published_method) throw usage_error("--repo-exact is of the tuner rrl");
  if (options.observed_correction && !published_method)
    throw usage_error("--observed-correction is of the tuner rrl");
  if (options.repo_exact && !options.latency)
    throw usage_error("--repo-exact takes the objective latency only");
  std::unique_ptr<TableEstimator> estimator;
  if (options.repo_exact) {
    PublishedTraining training;
    training.network.rate = options.rate.value_or(training.network.rate);
    estimator = make_published_estimator(training, options.seed, space);
  } else if (published_method) {
    MlpFtrlSettings network;
    network.rate = options.rate.value_or(network.rate);
    estimator = make_warm_estimator(network, options.seed, space);
  }
  return std::make_unique<TableTuner>(rules_of(options), options.seed, space, std::move(estimator));
}

}  // namespace mlq::tune
