// Tuners against one another. Of scores over all seeds 400 rows are kept (rows.h).
#include <algorithm>
#include <vector>

#include "lib/plot/collector.h"
#include "lib/plot/rows.h"
#include "lib/records/suite.h"
#include "lib/records/tune_schema.h"

namespace mlq::plot {
namespace {

constexpr std::string_view kAllSurfaces = "*";

class TunersCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void suite(const records::SuiteScore& score);
  void reduction(const records::SuiteRatio& ratio);
  void draw_scores(std::string_view picture, const std::string& label, Picture& into) const;

  std::vector<records::Score> scores_;
  Rows suites_, reductions_, published_, duets_;
};

void TunersCollector::suite(const records::SuiteScore& s) {
  if (s.seed) return;
  const auto seconds = [](const std::optional<double>& ns) { return ns ? *ns / 1e9 : kNone; };
  suites_.add(s.surface + (s.objective.empty() ? "" : " " + s.objective) + ": " + s.tuner,
              {s.latency_mean_ns / 1e9, 0, seconds(s.latency_mean_lo_ns), seconds(s.latency_mean_hi_ns)});
}

void TunersCollector::reduction(const records::SuiteRatio& r) {
  const std::string name = r.surface + " " + r.measure + ": " + r.tuner + " over " + r.against;
  reductions_.add(name, {r.reduction, 0, r.reduction_lo, r.reduction_hi});
  if (r.published) published_.add(name, {*r.published, 0});
}

// Scores over all seeds; those of a single seed are parts of them.
bool TunersCollector::take(const records::Reader& at) {
  if (at.type() == "score") {
    auto score = at.as<records::Score>();
    if (!score.seed && scores_.size() < Rows::kMost) scores_.push_back(std::move(score));
  } else if (at.type() == "suite_score") {
    suite(at.as<records::SuiteScore>());
  } else if (at.type() == "suite_ratio") {
    reduction(at.as<records::SuiteRatio>());
  } else {
    const auto d = at.as<records::Duet>();
    duets_.add(d.b + " over " + d.a + ": " + d.verdict, {d.log_ratio, 0, d.log_ratio_lo, d.log_ratio_hi});
  }
  return true;
}

// Rows of a surface stand together, those over all surfaces last; a single surface is not named.
void TunersCollector::draw_scores(std::string_view picture, const std::string& label, Picture& into) const {
  std::vector<std::string> surfaces;
  for (const records::Score& s : scores_) {
    if (std::find(surfaces.begin(), surfaces.end(), s.surface) == surfaces.end())
      surfaces.push_back(s.surface);
  }
  std::erase(surfaces, std::string(kAllSurfaces));
  const bool one = surfaces.size() == 1;
  if (surfaces.size() != 1) surfaces.emplace_back(kAllSurfaces);
  Rows rows;
  for (const std::string& surface : surfaces) {
    for (const records::Score& s : scores_) {
      if (s.surface != surface) continue;
      const std::string where = surface == kAllSurfaces ? "all surfaces" : surface;
      const auto add = [&](double value, const std::optional<double>& lo, const std::optional<double>& hi) {
        rows.add(one ? s.tuner : where + ": " + s.tuner, {value, 0, lo.value_or(kNone), hi.value_or(kNone)});
      };
      if (picture == "compare") add(s.rec_ratio, s.rec_ratio_lo, s.rec_ratio_hi);
      if (picture == "online") add(s.online_ratio, s.online_ratio_lo, s.online_ratio_hi);
      if (picture == "trials" && s.trials_to_5pct)
        add(*s.trials_to_5pct, s.trials_to_5pct_lo, s.trials_to_5pct_hi);
    }
  }
  rows.draw(label, into);
}

void TunersCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  into.x = {.label = "ratio, with its 95 % interval"};
  if (picture == "compare") {
    into.title = "Cost of what is recommended, over the best";
    draw_scores(picture, prefix + "recommended / best", into);
  } else if (picture == "online") {
    into.title = "Cost of all that was tried, over the best";
    draw_scores(picture, prefix + "tried / best", into);
  } else if (picture == "trials") {
    into.title = "Trials until within 5 % of the best";
    into.x = {.label = "trials, with their 95 % interval", .from_zero = true};
    draw_scores(picture, prefix + "median", into);
  } else if (picture == "suite") {
    into.title = "Mean latency, by tuner";
    into.x = {.label = "latency", .quantity = Quantity::time, .logarithmic = true};
    Rows rows = suites_;  // those of a load together
    rows.sort_by_name();
    rows.draw(prefix + "mean latency", into);
  } else if (picture == "reductions") {
    into.title = "What a tuner saves over a rival";
    into.x = {.label = "share, with its 95 % interval", .quantity = Quantity::share};
    reductions_.draw(prefix + "measured", into);
    published_.draw(prefix + "published", into);
  } else if (picture == "duets") {
    into.title = "Two configurations in turn: ln of the ratio of their costs";
    into.x = {.label = "ln(ratio), with its 95 % interval"};
    duets_.draw(prefix + "ln(ratio)", into);
  }
}

}  // namespace

Kind tuners_kind() {
  return {"tuners",
          "tuners, or two configurations, against one another (from mlq-tune compare and measure)",
          {"score", "suite_score", "suite_ratio", "duet"},
          {{"compare", "a line a tuner: cost of what it recommends over the best"},
           {"online", "a line a tuner: cost of all that it tried over the best"},
           {"trials", "a line a tuner: trials until within 5 % of the best"},
           {"suite", "a line a tuner: mean latency (from compare --suite)"},
           {"reductions", "what a tuner saves over a rival, and what was published"},
           {"duets", "two configurations measured in turn"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<TunersCollector>()); }};
}

}  // namespace mlq::plot
