// The language of service-level objectives, one parser for every program:
//
//   slo     = term { "&&" term }                          blanks are free around every token
//   term    = METRIC op DURATION                          of each request: latency service ttft tpot itl_max
//           | "outcome" "==" "ok"                         of each request
//           | stat op DURATION                            stat = pQ | pQ(METRIC) | mean(METRIC) |
//           max(METRIC); pQ is of latency | ("attain" | "error_rate") op SHARE          0.99, 1% | "goodput"
//           op RATE                           100/s | PRESET                                      stands for
//           the terms of slo_presets()
//   op      = "<=" | ">=" | "<" | ">"
//
// Terms of each request define which requests are good; the others decide the verdict. Pure functions,
// thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/units.h"

namespace mlq::stats {

enum class SloKind { request, outcome_ok, quantile, mean, max, attain, error_rate, goodput };
enum class SloMetric { latency, service, ttft, tpot, itl_max };
enum class SloOp { le, ge, lt, gt };
enum class SloUnit { none, ns, share, per_s };

struct SloTerm {
  SloKind kind = SloKind::request;
  SloMetric metric = SloMetric::latency;  // of request, quantile, mean and max
  Ratio quantile;                         // of quantile: p99.9 is 999/1000
  SloOp op = SloOp::le;                   // all but outcome_ok
  // The limit, in the one of these that the unit names.
  int64_t limit_ns = 0;
  Ratio limit_share;
  Rate limit_rate;

  SloUnit unit() const;
  bool per_request() const { return kind == SloKind::request || kind == SloKind::outcome_ok; }
};

// The terms of an objective in the order written. A usage Error quotes the term that cannot be read and says
// what can.
std::vector<SloTerm> parse_slo(std::string_view text);

// One text for one meaning: parse_slo reads it back to the same terms, which give the same text again.
std::string slo_text(const SloTerm& term);
std::string slo_text(std::span<const SloTerm> terms);

std::string_view metric_name(SloMetric metric);

// Latency limits of MLPerf Inference v5 and v6 (server and interactive scenarios), all at p99 of TTFT and
// TPOT.
struct SloPreset {
  std::string_view name;
  std::string_view text;
};
std::span<const SloPreset> slo_presets();

}  // namespace mlq::stats
