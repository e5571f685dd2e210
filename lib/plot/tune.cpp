// Searches of mlq-tune and comparisons of tuners. Trials beyond some thousand are thinned (thinned.h) and the
// lowest cost so far is exact; scores and effects are kept, up to 400 rows of a picture.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "lib/plot/collector.h"
#include "lib/plot/thinned.h"
#include "lib/records/suite.h"
#include "lib/records/tune_schema.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostRows = 400;
constexpr size_t kMostSearches = 16;

// The trials of one tuner at one level of the load; the lowest cost of another level says nothing here.
struct Search {
  Thinned costs, best;
  double lowest = std::numeric_limits<double>::infinity();
};

using Searches = std::map<std::pair<std::string, std::string>, Search>;

struct Row {
  std::string name;
  Point value;  // x with its interval
};

class TuneCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  bool trial(const records::ConfigWindow& window, const std::string& tuner);
  bool effect(const records::Effect& effect);
  void score(const records::Score& score);
  void suite(const records::SuiteScore& score);
  void draw_cost(const std::string& prefix, Picture& into) const;
  void draw_latency(const std::string& prefix, Picture& into) const;
  void draw_rows(const std::vector<Row>& rows, const std::string& label, Picture& into) const;

  Searches searches_, latencies_;  // by tuner and level
  uint64_t trials_ = 0;
  std::vector<Row> effects_, shares_, scores_, suites_;
};

void keep(std::vector<Row>& rows, std::string name, Point value) {
  if (rows.size() < kMostRows) rows.push_back({std::move(name), value});
}

bool TuneCollector::trial(const records::ConfigWindow& window, const std::string& tuner) {
  const double i = static_cast<double>(trials_++);
  const auto add = [&](Searches& searches, const std::optional<double>& value) {
    if (!value || !std::isfinite(*value)) return;
    const std::pair key(tuner, window.level);
    if (!searches.contains(key) && searches.size() == kMostSearches) return;
    Search& search = searches[key];
    search.costs.add({i, *value});
    if (window.feasible.value_or(true) && *value < search.lowest) search.lowest = *value;
    if (std::isfinite(search.lowest)) search.best.add({i, search.lowest});
  };
  add(searches_, window.cost);
  std::optional<double> latency_s;
  if (window.latency_p99_ns) latency_s = static_cast<double>(*window.latency_p99_ns) / 1e9;
  add(latencies_, latency_s);
  return true;
}

std::string json_word(const std::string& text) {
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

bool TuneCollector::effect(const records::Effect& e) {
  if (e.share) {
    keep(shares_, e.knob + (e.level.empty() ? "" : " (" + e.level + ")"), {*e.share, 0});
  } else if (e.y && e.value) {
    keep(effects_, e.knob + " = " + json_word(e.value->text) + (e.level.empty() ? "" : " (" + e.level + ")"),
         {*e.y, 0, e.y_lo.value_or(kNone), e.y_hi.value_or(kNone)});
  } else {
    return false;
  }
  return true;
}

// Scores over all seeds; those of a single seed are parts of them.
void TuneCollector::score(const records::Score& s) {
  if (s.seed) return;
  keep(scores_, s.tuner + " @ " + s.surface,
       {s.rec_ratio, 0, s.rec_ratio_lo.value_or(kNone), s.rec_ratio_hi.value_or(kNone)});
}

void TuneCollector::suite(const records::SuiteScore& s) {
  if (s.seed) return;
  const auto seconds = [](const std::optional<double>& ns) { return ns ? *ns / 1e9 : kNone; };
  keep(suites_, s.surface + (s.objective.empty() ? "" : " " + s.objective) + ": " + s.tuner,
       {s.latency_mean_ns / 1e9, 0, seconds(s.latency_mean_lo_ns), seconds(s.latency_mean_hi_ns)});
}

bool TuneCollector::take(const records::Reader& at) {
  const std::string_view type = at.type();
  if (type == "trial") {
    const auto t = at.as<records::Trial>();
    return trial(t, t.tuner);
  }
  if (type == "measurement") return trial(at.as<records::Measurement>(), "measured");
  if (type == "effect") return effect(at.as<records::Effect>());
  if (type == "score") return score(at.as<records::Score>()), true;
  if (type == "suite_score") return suite(at.as<records::SuiteScore>()), true;
  return false;
}

void add_searches(const Searches& searches, const std::string& prefix, Picture& into) {
  const auto level_of = [](const auto& each) { return each.first.second; };
  const bool one_level = std::all_of(searches.begin(), searches.end(), [&](const auto& each) {
    return level_of(each) == level_of(*searches.begin());
  });
  for (const auto& [key, search] : searches) {
    const std::string name = prefix + key.first + (one_level ? "" : " " + key.second);
    into.curves.push_back({name, Shape::points, search.costs.points()});
    into.curves.push_back({name + " best", Shape::steps, search.best.points()});
  }
}

void TuneCollector::draw_cost(const std::string& prefix, Picture& into) const {
  into.title = "Cost of the trials, and the lowest so far";
  into.x = {.label = "trial"};
  into.y = {.label = "cost", .logarithmic = true};
  add_searches(searches_, prefix, into);
}

void TuneCollector::draw_latency(const std::string& prefix, Picture& into) const {
  into.title = "p99 latency of the trials, and the lowest so far";
  into.x = {.label = "trial"};
  into.y = {.label = "p99 latency", .quantity = Quantity::time, .logarithmic = true};
  add_searches(latencies_, prefix, into);
}

void TuneCollector::draw_rows(const std::vector<Row>& rows, const std::string& label, Picture& into) const {
  if (rows.empty()) return;
  Curve curve{label, Shape::points, {}};
  for (const Row& row : rows) {
    Point point = row.value;
    point.y = static_cast<double>(into.row(row.name));
    curve.points.push_back(point);
  }
  into.curves.push_back(std::move(curve));
}

void TuneCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "cost") return draw_cost(prefix, into);
  if (picture == "latency") return draw_latency(prefix, into);
  if (picture == "knobs") {
    into.title = "Share of the cost's variance, by knob";
    into.x = {.label = "share", .quantity = Quantity::share, .from_zero = true};
    draw_rows(shares_, prefix + "share", into);
  } else if (picture == "effects") {
    into.title = "ln of the cost, by value of a knob";
    into.x = {.label = "ln(cost), with its 95 % interval"};
    draw_rows(effects_, prefix + "ln(cost)", into);
  } else if (picture == "compare") {
    into.title = "Cost recommended over the best";
    into.x = {.label = "ratio, with its 95 % interval"};
    draw_rows(scores_, prefix + "recommended / best", into);
  } else if (picture == "suite") {
    into.title = "Mean latency, by tuner";
    into.x = {.label = "latency", .quantity = Quantity::time, .logarithmic = true};
    std::vector<Row> rows = suites_;  // those of a load together
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
    draw_rows(rows, prefix + "mean latency", into);
  }
}

}  // namespace

Kind tune_kind() {
  return {"tune",
          "searches of mlq-tune, and comparisons of tuners",
          {"trial", "measurement", "effect", "score", "suite_score"},
          {{"cost", "cost of each trial, and the lowest so far"},
           {"latency", "p99 latency of each trial, and the lowest so far"},
           {"effects", "cost by value of a knob (from explain)"},
           {"knobs", "share of the variance that is a knob's own (from explain)"},
           {"compare", "a line a tuner: what it recommends over the best (from compare)"},
           {"suite", "a line a tuner: mean latency (from compare --suite)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<TuneCollector>()); }};
}

}  // namespace mlq::plot
