// Load tests. Results are taken one by one where there are any (metric.h), counts are exact. Else
// load_window, hist and summary records are drawn as they stand.
#include <map>
#include <optional>

#include "lib/plot/ccdf.h"
#include "lib/plot/collector.h"
#include "lib/plot/metric.h"
#include "lib/plot/rate.h"
#include "lib/plot/rows.h"
#include "lib/plot/thinned.h"
#include "lib/records/load_schema.h"
#include "lib/records/trace.h"
#include "lib/stats/slo.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostOutcomes = 32;

class ReplayCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void end(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  bool result(const records::Reader& at);
  bool window(const records::Reader& at);
  bool histogram(const records::Reader& at);
  bool summary(const records::Reader& at);
  bool outcome(const records::Reader& at);
  Metric* metric_named(std::string_view name);
  const Metric& metric_of(std::string_view picture) const;
  void draw_rate(const std::string& prefix, Picture& into) const;
  void draw_outcomes(const std::string& prefix, Picture& into) const;
  void add_limits(stats::SloMetric metric, bool vertical, Picture& into) const;

  Metric latency_, ttft_, tpot_, lag_;
  RateCurve due_, ok_;
  Thinned offered_, good_;
  std::map<std::string, uint64_t> outcomes_, counted_;  // of results; as outcome records have them
  std::string slo_;
};

bool ReplayCollector::result(const records::Reader& at) {
  const auto r = at.as<records::Result>();
  due_.add(r.due_ns);
  if (outcomes_.contains(r.outcome) || outcomes_.size() < kMostOutcomes) ++outcomes_[r.outcome];
  const auto add = [&](Metric& metric, const std::optional<int64_t>& value_ns) {
    if (!value_ns) return;
    if (*value_ns < 0)
      throw input_error("{}: result: a time is {}; it must not be negative", at.where(), *value_ns);
    metric.add(r.due_ns, *value_ns);
  };
  if (r.lag_ns && *r.lag_ns >= 0) add(lag_, r.lag_ns);
  if (r.outcome != "ok") return true;
  ok_.add(r.due_ns);
  add(latency_, r.latency_ns);
  add(ttft_, r.ttft_ns);
  add(tpot_, r.tpot_ns);
  return true;
}

bool ReplayCollector::window(const records::Reader& at) {
  const auto w = at.as<records::LoadWindow>();
  if (w.klass != "*") return false;
  const double middle = (static_cast<double>(w.from_ns) + static_cast<double>(w.to_ns)) / 2e9;
  latency_.add(middle, w.latency);
  ttft_.add(middle, w.ttft);
  tpot_.add(middle, w.tpot);
  lag_.add(middle, w.lag);
  if (w.offered_per_s) offered_.add({middle, *w.offered_per_s});
  if (w.good_per_s) good_.add({middle, *w.good_per_s});
  return true;
}

Metric* ReplayCollector::metric_named(std::string_view name) {
  if (name == "latency") return &latency_;
  if (name == "ttft") return &ttft_;
  if (name == "tpot") return &tpot_;
  if (name == "lag") return &lag_;
  return nullptr;
}

bool ReplayCollector::histogram(const records::Reader& at) {
  const auto h = at.as<records::Hist>();
  Metric* metric = metric_named(h.metric);
  if (metric == nullptr || h.klass != "*" || h.window) return false;
  const auto counted = histogram_of(h, at.where());
  if (counted) metric->add(*counted);
  return counted.has_value();
}

bool ReplayCollector::summary(const records::Reader& at) {
  const auto s = at.as<records::Summary>();
  if (s.klass != "*" || s.window) return false;
  latency_.add(s.latency);
  ttft_.add(s.ttft);
  tpot_.add(s.tpot);
  return true;
}

bool ReplayCollector::outcome(const records::Reader& at) {
  const auto o = at.as<records::OutcomeCount>();
  if (o.klass != "*" || o.window) return false;
  if (counted_.contains(o.outcome) || counted_.size() < kMostOutcomes) counted_[o.outcome] += o.count;
  return true;
}

bool ReplayCollector::take(const records::Reader& at) {
  if (at.type() == "result") return result(at);
  if (at.type() == "load_window") return window(at);
  if (at.type() == "hist") return histogram(at);
  if (at.type() == "summary") return summary(at);
  if (at.type() == "outcome") return outcome(at);
  return false;
}

void ReplayCollector::end(const records::Reader& at) {
  for (Metric* metric : {&latency_, &ttft_, &tpot_, &lag_}) metric->settle();
  due_.settle();
  ok_.widen_to(due_.width_ns());
  due_.widen_to(ok_.width_ns());
  for (const records::Run& run : at.runs()) {
    if (run.slo) slo_ = *run.slo;
  }
}

const Metric& ReplayCollector::metric_of(std::string_view picture) const {
  if (picture.starts_with("ttft")) return ttft_;
  if (picture.starts_with("tpot")) return tpot_;
  if (picture == "lag") return lag_;
  return latency_;
}

void ReplayCollector::draw_rate(const std::string& prefix, Picture& into) const {
  into.title = "Requests due and answered well";
  into.x = {.label = "due time", .quantity = Quantity::time};
  into.y = {.label = "requests/s", .from_zero = true};
  if (!due_.empty()) {
    into.curves.push_back({prefix + due_.label("due"), Shape::line, due_.points(0, due_.end_ns())});
    into.curves.push_back({prefix + ok_.label("ok"), Shape::line, ok_.points(0, due_.end_ns())});
  } else {
    if (offered_.count() > 0) into.curves.push_back({prefix + "offered", Shape::line, offered_.points()});
    if (good_.count() > 0) into.curves.push_back({prefix + "good", Shape::line, good_.points()});
  }
}

void ReplayCollector::draw_outcomes(const std::string& prefix, Picture& into) const {
  into.title = "Requests, by what became of them";
  into.x = {.label = "requests", .logarithmic = true};
  Rows rows;
  for (const auto& [outcome, count] : outcomes_.empty() ? counted_ : outcomes_)
    rows.add(outcome, {static_cast<double>(count), 0});
  rows.draw(prefix + "requests", into);
}

// The run's objective on this metric, once for all inputs that have the same.
void ReplayCollector::add_limits(stats::SloMetric metric, bool vertical, Picture& into) const {
  if (slo_.empty()) return;
  std::vector<stats::SloTerm> terms;
  try {
    terms = stats::parse_slo(slo_);
  } catch (const Error&) {
    return;  // of a version with other terms; the picture stands without it
  }
  for (const stats::SloTerm& term : terms) {
    if (term.metric != metric || term.unit() != stats::SloUnit::ns) continue;
    const Mark mark{"SLO " + stats::slo_text(term), static_cast<double>(term.limit_ns) / 1e9, vertical};
    const auto same = [&](const Mark& other) { return other.label == mark.label; };
    if (std::none_of(into.marks.begin(), into.marks.end(), same)) into.marks.push_back(mark);
  }
}

void ReplayCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "rate") return draw_rate(prefix, into);
  if (picture == "outcomes") return draw_outcomes(prefix, into);
  const bool distribution = picture.ends_with("ccdf");
  const Metric& metric = metric_of(picture);
  const std::string what = &metric == &ttft_   ? "time to first token"
                           : &metric == &tpot_ ? "time per output token"
                           : &metric == &lag_  ? "lag of sending"
                                               : "latency";
  std::string capital = what;
  capital[0] = static_cast<char>(capital[0] - 'a' + 'A');
  const size_t before = into.curves.size();
  if (distribution) {
    into.title = capital + ", CCDF";
    ccdf_axes(what, into);
    metric.draw_distribution(prefix + what, into);
  } else {
    into.title = capital + " over time";
    into.x = {.label = "due time", .quantity = Quantity::time};
    into.y = {.label = what, .quantity = Quantity::time, .from_zero = true};
    metric.draw_quantiles(prefix, into);
  }
  if (into.curves.size() == before) return;
  if (&metric == &latency_) add_limits(stats::SloMetric::latency, distribution, into);
  if (&metric == &ttft_) add_limits(stats::SloMetric::ttft, distribution, into);
  if (&metric == &tpot_) add_limits(stats::SloMetric::tpot, distribution, into);
}

}  // namespace

Kind replay_kind() {
  return {"replay",
          "load tests of mlq-replay",
          {"result", "load_window", "hist", "summary", "outcome"},
          {{"latency", "quantiles of latency over time, with the SLO"},
           {"ccdf", "distribution of latency on log scales, with the SLO"},
           {"ttft", "time to first token over time"},
           {"ttft-ccdf", "its distribution"},
           {"tpot", "time per output token over time"},
           {"tpot-ccdf", "its distribution"},
           {"rate", "requests a second: due, and answered well"},
           {"lag", "how late the load generator was"},
           {"outcomes", "requests by what became of them"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<ReplayCollector>()); }};
}

}  // namespace mlq::plot
