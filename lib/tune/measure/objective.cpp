#include "lib/tune/measure/objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/stats/special.h"

namespace mlq::tune {
namespace {

// Below this share of what is allowed, fewer errors are no better.
constexpr double kLeastErrors = 0.01;

using stats::SloKind;
using stats::SloMetric;
using stats::SloOp;
using stats::SloTerm;

constexpr std::string_view kKinds =
    "latency, min-resource or weighted:w_l=..,w_v=..,w_r=..,w_c=.. (weights of latency, of the violation of "
    "the SLO, of CPU time and of the time that a change takes)";
constexpr double kSure = 0.95;
// Where a statistic is not known, or beyond every bound: e times over the limit.
constexpr double kUnknownSlack = 1;

Weights parse_weights(std::string_view text) {
  Weights weights;
  const std::pair<std::string_view, double Weights::*> names[] = {{"w_l", &Weights::latency},
                                                                  {"w_v", &Weights::violation},
                                                                  {"w_r", &Weights::resource},
                                                                  {"w_c", &Weights::change}};
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::string_view name = part.substr(0, part.find('='));
    const auto known =
        std::find_if(std::begin(names), std::end(names), [&](const auto& row) { return row.first == name; });
    if (known == std::end(names) || name.size() == part.size())
      throw usage_error("--objective: \"{}\" in \"weighted:{}\" is no weight; it is {}", part, text, kKinds);
    const double value = parse_double(part.substr(name.size() + 1));
    if (!(value >= 0)) throw usage_error("--objective: {} is {}; a weight is not negative", name, value);
    weights.*known->second = value;
  }
  if (weights.latency + weights.violation + weights.resource + weights.change <= 0)
    throw usage_error("--objective: all weights in \"weighted:{}\" are 0; then every configuration is best",
                      text);
  return weights;
}

bool bounds_above(SloOp op) { return op == SloOp::le || op == SloOp::lt; }

bool has_field(const Ratio& q) { return q == Ratio{1, 2} || q == Ratio{19, 20} || q == Ratio{99, 100}; }

std::optional<int64_t> field_of(const records::WindowStats& window, const Ratio& q) {
  if (q == Ratio{1, 2}) return window.latency_p50_ns;
  if (q == Ratio{19, 20}) return window.latency_p95_ns;
  if (q == Ratio{99, 100}) return window.latency_p99_ns;
  return std::nullopt;
}

std::optional<double> as_double(std::optional<int64_t> value) {
  return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

// ln(seen / limit) of a share, where 0 of n stands for half a request, so that there is a logarithm.
double share_slack(double share, double limit, double n, SloOp op) {
  const double least = 0.5 / (n + 1);
  const bool holds = op == SloOp::le ? share <= limit : share < limit;
  const double slack = fmath::log(std::max(share, least) / std::max(limit, least));
  return holds ? std::min(slack, 0.0) : std::max(slack, 1e-9);
}

double ratio_slack(double seen, double limit, SloOp op) {
  const double ln = fmath::log(std::max(seen, 1e-300) / std::max(limit, 1e-300));
  const double slack = bounds_above(op) ? ln : -ln;
  const bool strict = op == SloOp::lt || op == SloOp::gt;
  return strict && slack == 0 ? 1e-9 : slack;
}

}  // namespace

Objective Objective::parse(std::string_view name, std::string_view slo) {
  Objective out;
  constexpr std::string_view weighted = "weighted";
  if (name == "min-resource") {
    out.kind_ = ObjectiveKind::min_resource;
  } else if (name == weighted || name.substr(0, weighted.size() + 1) == "weighted:") {
    out.kind_ = ObjectiveKind::weighted;
    out.weights_ = parse_weights(name.substr(std::min(name.size(), weighted.size() + 1)));
  } else if (name != "latency") {
    throw usage_error("--objective: \"{}\" is none; it is {}", name, kKinds);
  }
  if (!slo.empty()) out.terms_ = stats::parse_slo(slo);
  out.slo_ = stats::slo_text(out.terms_);
  const Weights& w = out.weights_;
  out.name_ =
      out.kind_ != ObjectiveKind::weighted
          ? std::string(name)
          : fmt::format("weighted:w_l={},w_v={},w_r={},w_c={}", w.latency, w.violation, w.resource, w.change);
  out.read_terms();
  if (out.kind_ == ObjectiveKind::min_resource && !out.allowed_) {
    throw usage_error(
        "--objective min-resource needs an --slo that says which share of the requests may be late, as in "
        "p99<=50ms or latency<=50ms && attain>=0.99; the least CPU alone is that of a server that hangs");
  }
  return out;
}

std::string Objective::name() const { return name_; }
std::string Objective::slo() const { return slo_; }

// What the terms say of the statistic, of a request and of the allowed share; or why they cannot be judged.
void Objective::read_terms() {
  const auto refuse = [](const SloTerm& term, std::string_view why) {
    throw usage_error("--slo: {}: {}", stats::slo_text(term), why);
  };
  bool named = false;
  std::vector<SloTerm> implied;
  for (const SloTerm& term : terms_) {
    if (term.per_request()) {
      request_terms_.push_back(term);
      continue;
    }
    if (term.kind == SloKind::attain && bounds_above(term.op))
      refuse(term, "a share that is good has no most");
    if (term.kind == SloKind::attain && !allowed_) allowed_ = 1 - term.limit_share.value();
    if (term.kind == SloKind::max)
      refuse(term, "one request decides a maximum, so windows do not compare; use p99 or mean");
    if (term.kind != SloKind::quantile && term.kind != SloKind::mean) continue;
    if (term.metric != SloMetric::latency)
      refuse(term, "a window is judged by latency alone; say pQ<=X or mean(latency)<=X");
    if (!named) {
      named = true;
      if (term.kind == SloKind::quantile) ratio_ = term.quantile;
      if (bounds_above(term.op)) limit_ns_ = static_cast<double>(term.limit_ns);
    } else if (term.kind == SloKind::quantile && !has_field(term.quantile) && term.quantile != ratio_) {
      refuse(term, "a window has p50, p95, p99 and the quantile that the first term names; put it first");
    }
    if (term.kind != SloKind::quantile || !bounds_above(term.op)) continue;
    SloTerm each;
    each.op = term.op;
    each.limit_ns = term.limit_ns;
    implied.push_back(each);
  }
  if (ratio_) quantile_ = ratio_->value();
  if (request_terms_.empty()) request_terms_ = std::move(implied);
  for (const SloTerm& term : terms_) {
    if (!allowed_ && term.kind == SloKind::quantile && bounds_above(term.op))
      allowed_ = 1 - term.quantile.value();
  }
}

std::optional<double> Objective::statistic(const records::WindowStats& window,
                                           std::optional<double> stat_ns) const {
  const auto field = ratio_ ? field_of(window, *ratio_) : window.latency_mean_ns;
  return field ? as_double(field) : stat_ns;
}

double Objective::slack_of(const SloTerm& term, const records::WindowStats& window,
                           std::optional<double> stat_ns) const {
  const auto n = static_cast<double>(window.requests);
  switch (term.kind) {
    case SloKind::quantile:
    case SloKind::mean: {
      const bool quantile = term.kind == SloKind::quantile;
      const bool minimised = quantile ? ratio_ == term.quantile : !ratio_;
      std::optional<double> seen =
          as_double(quantile ? field_of(window, term.quantile) : window.latency_mean_ns);
      if (seen) return ratio_slack(*seen, static_cast<double>(term.limit_ns), term.op);
      if (!minimised || !stat_ns) return kUnknownSlack;
      const double slack = ratio_slack(*stat_ns, static_cast<double>(term.limit_ns), term.op);
      // Of p90, which has no field, it is the value unless it lies among the unanswered; else a bound, and a
      // bound below the limit says nothing.
      const auto unknown = static_cast<double>(window.censored + window.dropped);
      const bool value = quantile && !has_field(term.quantile) && unknown <= (1 - term.quantile.value()) * n;
      return value ? slack : std::max(slack, kUnknownSlack);
    }
    case SloKind::attain:
      if (!window.attain) return kUnknownSlack;
      return share_slack(1 - *window.attain, 1 - term.limit_share.value(), n,
                         term.op == SloOp::ge ? SloOp::le : SloOp::lt);
    case SloKind::error_rate: {
      const double failed = n > 0 ? static_cast<double>(window.requests - window.ok) / n : 1;
      const double limit = term.limit_share.value();
      return bounds_above(term.op) ? share_slack(failed, limit, n, term.op)
                                   : ratio_slack(failed, limit, term.op);
    }
    case SloKind::goodput:
      return ratio_slack(window.good_per_s.value_or(0), term.limit_rate.per_s(), term.op);
    default:
      return 0;
  }
}

std::optional<double> Objective::weighted_cost(const records::WindowStats& window, double stat,
                                               double apply_s, double window_s, std::string& note) const {
  double cost = weights_.latency;
  if (reference_ && reference_->latency_ns > 0) cost *= stat / reference_->latency_ns;
  if (weights_.violation > 0 && allowed_) {
    if (!window.attain) {
      note = "the share of good requests is not known";
      return std::nullopt;
    }
    const double least = 0.5 / (static_cast<double>(window.requests) + 1);
    const double allowed = std::max(*allowed_, least);
    cost += weights_.violation * std::max(0.0, 1 - *window.attain - allowed) / allowed;
  }
  if (weights_.resource > 0) {
    if (!window.cpu_ns_per_request) {
      note = "the CPU time a request is not known";
      return std::nullopt;
    }
    const double cpu = static_cast<double>(*window.cpu_ns_per_request);
    const bool known = reference_ && reference_->cpu_ns_per_request > 0;
    cost += weights_.resource * (known ? cpu / reference_->cpu_ns_per_request : 1);
  }
  if (window_s > 0) cost += weights_.change * apply_s / window_s;
  return cost;
}

Objective::Value Objective::value(const records::WindowStats& window, std::optional<double> stat_ns,
                                  double apply_s, double window_s) const {
  Value out;
  for (const SloTerm& term : terms_) {
    if (term.per_request()) continue;
    out.slack.push_back(slack_of(term, window, stat_ns));
    const bool share = term.kind == SloKind::quantile || term.kind == SloKind::attain;
    const bool by_chance = kind_ == ObjectiveKind::min_resource && window.attain && share;
    if (!by_chance) out.feasible = out.feasible && out.slack.back() <= 0;
  }
  const bool errors_said = std::any_of(terms_.begin(), terms_.end(),
                                       [](const SloTerm& term) { return term.kind == SloKind::error_rate; });
  if (most_errors_ && !errors_said && window.requests > 0) {
    const double share = static_cast<double>(window.errors) / static_cast<double>(window.requests);
    out.slack.push_back(fmath::log(std::max(share, *most_errors_ * kLeastErrors) / *most_errors_));
    if (out.slack.back() > 0) {
      out.feasible = false;
      out.note = fmt::format("{:.3g}% of the requests failed", share * 100);
    }
  }
  if (kind_ == ObjectiveKind::min_resource && window.attain) {
    const auto n = static_cast<double>(window.requests);
    const double missed = (1 - *window.attain) * n;
    out.feasible = out.feasible && stats::beta_inc(missed + 0.5, n - missed + 0.5, *allowed_) >= kSure;
  }
  const std::optional<double> stat = statistic(window, stat_ns);
  if (kind_ == ObjectiveKind::min_resource) {
    out.cost = as_double(window.cpu_ns_per_request);
    if (!out.cost) out.note = "the CPU time a request is not known";
  } else if (!stat) {
    out.note = quantile_ ? fmt::format("no p{:.6g} of the latency is known", 100 * *quantile_)
                         : "no latency is known";
  } else if (kind_ == ObjectiveKind::weighted) {
    out.cost = weighted_cost(window, *stat, apply_s, window_s, out.note);
  } else {
    out.cost = stat;
  }
  if (out.cost && !(*out.cost > 0)) {
    out.cost.reset();
    out.note = "the cost is 0, which has no logarithm";
  }
  if (out.cost) out.y = fmath::log(*out.cost);
  return out;
}

}  // namespace mlq::tune
