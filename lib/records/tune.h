// What a tuner tried, decided and found. Names, units and texts of the fields are in tune_schema.h, which
// takes seconds to compile and is needed only where such records are read or written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/schema.h"

namespace mlq::records {

// Figures of a measured window, each absent where it is unknown.
struct WindowFigures {
  std::optional<int64_t> latency_mean_ns;
  std::optional<int64_t> latency_p50_ns;
  std::optional<int64_t> latency_p95_ns;
  std::optional<int64_t> latency_p99_ns;
  std::optional<int64_t> stat_lo_ns;
  std::optional<int64_t> stat_hi_ns;
  std::optional<double> done_per_s;
  std::optional<double> good_per_s;
  std::optional<double> attain;
  std::optional<double> attain_lo;
  std::optional<double> attain_hi;
  std::optional<int64_t> cpu_ns_per_request;
  std::optional<int64_t> memory_bytes;
  std::optional<double> inflight_slope_per_s;
  std::optional<double> psi_cpu_share;
  std::optional<double> baseline_ratio;
};

// What measuring one window gave.
struct WindowStats : WindowFigures {
  std::optional<std::string> gen;
  std::optional<uint64_t> discarded;
  std::string outcome = "ok";
  std::optional<std::string> aborted;
  int64_t window_ns = 0;
  uint64_t requests = 0;
  uint64_t ok = 0;
  uint64_t errors = 0;
  uint64_t censored = 0;
  uint64_t dropped = 0;
  std::optional<double> cost;
  std::optional<double> y;
  std::optional<double> y_var;
  std::optional<bool> feasible;
  std::optional<std::string> note;
};

// A window, and the configuration and load that it was measured with.
struct ConfigWindow : WindowStats {
  int64_t t_ns = 0;
  uint64_t i = 0;
  std::string level;
  std::optional<double> rate_per_s;
  std::optional<double> cv2;
  RawJson config{"{}"};
  std::string config_id;
  std::optional<std::string> apply_class;
  std::optional<int64_t> apply_ns;
  std::optional<std::string> verified;
  std::optional<int64_t> settle_ns;
};

struct Measurement : ConfigWindow {};

struct Trial : ConfigWindow {
  std::string phase;
  std::string tuner;
  std::optional<double> pred_y;
  std::optional<double> pred_sd;
  std::optional<double> value;
  std::optional<std::string> estimator;
  std::optional<double> acquisition;
  std::optional<std::string> set;
  std::optional<double> radius;
  std::optional<std::string> incumbent;
  std::optional<double> incumbent_y;
  std::optional<int64_t> decide_ns;
  std::optional<std::string> why;
};

struct Decision {
  int64_t t_ns = 0;
  uint64_t i = 0;
  std::string level;
  RawJson config{"{}"};
  std::string config_id;
  std::string from;
  std::string reason;
  std::optional<int64_t> deadline_ns;
  std::optional<bool> dry_run;
  std::optional<std::string> request;
};

struct TuneEvent {
  int64_t t_ns = 0;
  std::string event;
  std::optional<uint64_t> i;
  std::optional<std::string> config_id;
  std::optional<std::string> from;
  std::optional<std::string> to;
  std::optional<RawJson> config;
  std::optional<std::string> reason;
};

struct TuneLevel {
  int64_t t_ns = 0;
  std::string level;
  double rate_per_s = 0;
  std::optional<double> cv2;
  std::optional<uint64_t> windows;
  std::optional<uint64_t> trials;
};

struct Policy {
  std::string level;
  RawJson config{"{}"};
  std::string config_id;
  double y = 0;
  std::optional<double> y_lo;
  std::optional<double> y_hi;
  std::optional<int64_t> stat_ns;
  uint64_t trials = 0;
  bool confirmed = false;
  std::optional<double> gain_over_start;
  std::optional<double> gain_lo;
  std::optional<double> gain_hi;
  std::optional<std::vector<std::string>> changes;
};

struct Ask {
  uint64_t i = 0;
  RawJson config{"{}"};
  std::string config_id;
  std::optional<std::string> level;
};

// Names a trial by `i` or by `config`; says how it went by `latency_ns`, `cost`, figures, or `failed`.
struct Tell : WindowFigures {
  std::optional<uint64_t> i;
  std::optional<RawJson> config;
  std::optional<std::string> level;
  std::optional<int64_t> latency_ns;
  std::optional<double> cost;
  std::optional<uint64_t> requests;
  std::optional<uint64_t> errors;
  std::optional<bool> failed;
  std::optional<double> y;
  std::optional<bool> feasible;
  std::optional<std::vector<double>> slack;
};

struct Duet {
  std::string a;
  std::string b;
  uint64_t pairs = 0;
  double log_ratio = 0;
  double log_ratio_lo = 0;
  double log_ratio_hi = 0;
  std::string verdict;
  std::optional<std::string> note;
};

struct SurfaceRow : WindowFigures {
  std::string surface;
  std::string level;
  std::optional<double> rate_per_s;
  RawJson config{"{}"};
  uint64_t repeat = 0;
  std::optional<int64_t> window_ns;
  std::optional<uint64_t> requests;
  std::optional<int64_t> apply_ns;
  std::optional<std::string> apply_class;
  std::optional<std::string> outcome;
};

struct Score {
  std::string tuner;
  std::string surface;
  std::optional<uint64_t> seed;
  std::optional<uint64_t> seeds;
  std::optional<double> trials_to_5pct, trials_to_5pct_lo, trials_to_5pct_hi;
  std::optional<double> unreached_share, unreached_share_lo, unreached_share_hi;
  double rec_ratio = 0;
  std::optional<double> rec_ratio_lo, rec_ratio_hi;
  double online_ratio = 0;
  std::optional<double> online_ratio_lo, online_ratio_hi;
  std::optional<int64_t> virtual_ns;
  std::optional<int64_t> decide_p50_ns;
  std::optional<int64_t> decide_p99_ns;
  std::optional<std::string> note;
};

struct Effect {
  std::string level;
  std::string knob;
  std::optional<RawJson> value;
  std::optional<double> y;
  std::optional<double> y_lo;
  std::optional<double> y_hi;
  std::optional<double> share;
};

struct Flip {
  std::string knob;
  RawJson from{"null"};
  RawJson to{"null"};
  double rate_per_s = 0;
};

struct CheckStep {
  std::string step;
  bool ok = false;
  std::optional<int64_t> took_ns;
  std::optional<std::string> note;
};

}  // namespace mlq::records
