// Searches of mlq-tune, and what it knows. Trials beyond some thousand are thinned (thinned.h) and the lowest
// cost so far is exact; of surfaces the shares are exact and the times to 0.4 % (lib/stats/histogram.h); of
// effects and policies 400 rows are kept.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "lib/plot/collector.h"
#include "lib/plot/rows.h"
#include "lib/plot/thinned.h"
#include "lib/records/tune_schema.h"
#include "lib/stats/histogram.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostSearches = 16;

// The trials of one tuner at one level of the load; the lowest cost of another level says nothing here.
struct Search {
  Thinned costs, refused, best;
  double lowest = std::numeric_limits<double>::infinity();
};

using Searches = std::map<std::pair<std::string, std::string>, Search>;

double seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

class TuneCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void end(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void trial(const std::string& tuner, const std::string& level, const std::optional<double>& cost,
             const std::optional<int64_t>& latency_ns, bool feasible);
  void effect(const records::Effect& effect);
  void policy(const records::Policy& policy);
  void surface(const records::SurfaceRow& row);
  void check(const records::CheckStep& step);
  void draw_cost(const std::string& prefix, Picture& into) const;
  void draw_surface(const std::string& prefix, Picture& into) const;

  Searches searches_, latencies_;  // by tuner and level
  uint64_t trials_ = 0;
  bool costs_are_times_ = false;
  Rows effects_, shares_, gains_, policies_, flips_, steps_, failed_steps_;
  Thinned levels_;
  std::map<std::string, stats::Histogram> surfaces_;  // by level
};

void TuneCollector::trial(const std::string& tuner, const std::string& level,
                          const std::optional<double>& cost, const std::optional<int64_t>& latency_ns,
                          bool feasible) {
  const double i = static_cast<double>(trials_++);
  const auto add = [&](Searches& searches, const std::optional<double>& value) {
    if (!value || !std::isfinite(*value)) return;
    const std::pair key(tuner, level);
    if (!searches.contains(key) && searches.size() == kMostSearches) return;
    Search& search = searches[key];
    (feasible ? search.costs : search.refused).add({i, *value});
    if (feasible && *value < search.lowest) search.lowest = *value;
    if (std::isfinite(search.lowest)) search.best.add({i, search.lowest});
  };
  add(searches_, cost);
  std::optional<double> latency_s;
  if (latency_ns) latency_s = seconds(*latency_ns);
  add(latencies_, latency_s);
}

std::string json_word(const std::string& text) {
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

void TuneCollector::effect(const records::Effect& e) {
  const std::string level = e.level.empty() ? "" : " (" + e.level + ")";
  if (e.share) {
    shares_.add(e.knob + level, {*e.share, 0});
  } else if (e.y && e.value) {
    effects_.add(e.knob + " = " + json_word(e.value->text) + level,
                 {*e.y, 0, e.y_lo.value_or(kNone), e.y_hi.value_or(kNone)});
  }
}

void TuneCollector::policy(const records::Policy& p) {
  if (p.gain_over_start)
    gains_.add(p.level, {*p.gain_over_start, 0, p.gain_lo.value_or(kNone), p.gain_hi.value_or(kNone)});
  if (p.stat_ns) policies_.add(p.level, {seconds(*p.stat_ns), 0});
}

// A configuration that does not answer has no time.
void TuneCollector::surface(const records::SurfaceRow& row) {
  const std::optional<int64_t> ns = row.latency_p99_ns ? row.latency_p99_ns : row.latency_mean_ns;
  if (!ns || *ns < 0 || (!surfaces_.contains(row.level) && surfaces_.size() == kMostSearches)) return;
  surfaces_[row.level].record(*ns);
}

void TuneCollector::check(const records::CheckStep& step) {
  if (step.took_ns) (step.ok ? steps_ : failed_steps_).add(step.step, {seconds(*step.took_ns), 0});
}

bool TuneCollector::take(const records::Reader& at) {
  const std::string_view type = at.type();
  if (type == "trial") {
    const auto t = at.as<records::Trial>();
    trial(t.tuner, t.level, t.cost, t.latency_p99_ns, t.feasible.value_or(true));
  } else if (type == "measurement") {
    const auto m = at.as<records::Measurement>();
    trial("measured", m.level, m.cost, m.latency_p99_ns, m.feasible.value_or(true));
  } else if (type == "tell") {
    const auto t = at.as<records::Tell>();
    trial("told", t.level.value_or(""), t.cost, t.latency_ns ? t.latency_ns : t.latency_p99_ns,
          t.feasible.value_or(!t.failed.value_or(false)));
  } else if (type == "effect") {
    effect(at.as<records::Effect>());
  } else if (type == "policy") {
    policy(at.as<records::Policy>());
  } else if (type == "flip") {
    const auto f = at.as<records::Flip>();
    flips_.add(f.knob + ": " + json_word(f.from.text) + " to " + json_word(f.to.text), {f.rate_per_s, 0});
  } else if (type == "level") {
    const auto l = at.as<records::TuneLevel>();
    levels_.add({seconds(l.t_ns), l.rate_per_s});
  } else if (type == "surface") {
    surface(at.as<records::SurfaceRow>());
  } else if (type == "check_step") {
    check(at.as<records::CheckStep>());
  } else {
    return false;
  }
  return true;
}

void TuneCollector::end(const records::Reader& at) {
  for (const records::Run& run : at.runs()) costs_are_times_ = run.objective == "latency";
}

void add_searches(const Searches& searches, double factor, const std::string& prefix, Picture& into) {
  const auto level_of = [](const auto& each) { return each.first.second; };
  const bool one_level = std::all_of(searches.begin(), searches.end(), [&](const auto& each) {
    return level_of(each) == level_of(*searches.begin());
  });
  const auto add = [&](const Thinned& series, Shape shape, const std::string& label) {
    if (series.count() == 0) return;
    const bool with_last = shape == Shape::points && !into.curves.empty();
    into.curves.push_back({label, shape, series.points(), with_last});
    for (Point& p : into.curves.back().points) p.y *= factor;
  };
  for (const auto& [key, search] : searches) {
    // A file of one tuner often has its name.
    const std::string tuner = prefix == key.first + " " ? key.first : prefix + key.first;
    const std::string name = tuner + (one_level ? "" : " " + key.second);
    add(search.best, Shape::steps, name + " best");
    add(search.costs, Shape::points, name);
    add(search.refused, Shape::points, name + " not feasible");
  }
}

void TuneCollector::draw_cost(const std::string& prefix, Picture& into) const {
  into.title = "Cost of the trials, and the lowest so far";
  into.x = {.label = "trial"};
  into.y = {.label = "cost", .logarithmic = true};
  if (costs_are_times_) into.y = {.label = "latency", .quantity = Quantity::time, .logarithmic = true};
  add_searches(searches_, costs_are_times_ ? 1e-9 : 1, prefix, into);
}

// By level the share of the configurations that are at most so slow.
void TuneCollector::draw_surface(const std::string& prefix, Picture& into) const {
  into.title = "Configurations, from the fastest to the slowest";
  into.x = {.label = "share of the configurations", .quantity = Quantity::share, .from_zero = true};
  into.y = {.label = "latency", .quantity = Quantity::time, .logarithmic = true};
  for (const auto& [level, counted] : surfaces_) {
    Curve curve{prefix + (level.empty() ? "configurations" : level), Shape::steps_to, {}};
    uint64_t upto = 0;
    for (size_t i = 0; i < stats::Histogram::kBuckets; ++i) {
      if (counted.counter(i) == 0) continue;
      upto += counted.counter(i);
      curve.points.push_back({static_cast<double>(upto) / static_cast<double>(counted.count()),
                              seconds(stats::Histogram::middle_of(i))});
    }
    into.curves.push_back(std::move(curve));
  }
}

void TuneCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "cost") return draw_cost(prefix, into);
  if (picture == "surface") return draw_surface(prefix, into);
  if (picture == "latency") {
    into.title = "Latency of the trials, and the lowest so far";
    into.x = {.label = "trial"};
    into.y = {.label = "p99 latency", .quantity = Quantity::time, .logarithmic = true};
    add_searches(latencies_, 1, prefix, into);
  } else if (picture == "knobs") {
    into.title = "Share of the cost's variance, by knob";
    into.x = {.label = "share", .quantity = Quantity::share, .from_zero = true};
    shares_.draw(prefix + "share", into);
  } else if (picture == "effects") {
    into.title = "ln of the cost, by value of a knob";
    into.x = {.label = "ln(cost), with its 95 % interval"};
    effects_.draw(prefix + "ln(cost)", into);
  } else if (picture == "gain") {
    into.title = "Cost saved over the start configuration, by level";
    into.x = {.label = "share, with its 95 % interval", .quantity = Quantity::share};
    gains_.draw(prefix + "saved", into);
  } else if (picture == "policy") {
    into.title = "What the configuration of each level gives";
    into.x = {.label = "the objective's latency", .quantity = Quantity::time, .logarithmic = true};
    policies_.draw(prefix + "latency", into);
  } else if (picture == "flips") {
    into.title = "Rate at which another value of a knob is better";
    into.x = {.label = "requests/s", .logarithmic = true};
    flips_.draw(prefix + "rate", into);
  } else if (picture == "levels") {
    into.title = "Rate of the levels that were found";
    into.x = {.label = "time", .quantity = Quantity::time};
    into.y = {.label = "requests/s", .from_zero = true};
    add_series(levels_, Shape::points, prefix + "level", into);
  } else if (picture == "check") {
    into.title = "Time of each step of the check";
    into.x = {.label = "time", .quantity = Quantity::time, .logarithmic = true};
    steps_.draw(prefix + "ok", into);
    failed_steps_.draw(prefix + "failed", into);
  }
}

}  // namespace

Kind tune_kind() {
  return {"tune",
          "searches of mlq-tune, what it knows of an endpoint, and surfaces",
          {"trial", "measurement", "tell", "effect", "policy", "flip", "level", "surface", "check_step"},
          {{"cost", "cost of each trial, and the lowest so far"},
           {"latency", "latency of each trial, and the lowest so far"},
           {"effects", "cost by value of a knob (from explain)"},
           {"knobs", "share of the variance that is a knob's own (from explain)"},
           {"gain", "cost saved over the start configuration, by level"},
           {"policy", "latency that the configuration of each level gives"},
           {"flips", "rate at which another value of a knob is better (from explain)"},
           {"levels", "rate of the levels over time"},
           {"surface", "latency of the configurations from fastest to slowest (from sweep, simulate)"},
           {"check", "time of each step (from check)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<TuneCollector>()); }};
}

}  // namespace mlq::plot
