// Results without a server: an M/M/1 queue, with misfortunes at stated odds.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "lib/base/random.h"
#include "lib/records/load.h"
#include "lib/replay/account.h"
#include "lib/replay/outcome.h"

namespace mlq::replay {

inline records::Result ok_result(uint64_t i, int64_t due_ns, int64_t lag_ns, int64_t service_ns) {
  records::Result r;
  r.i = i;
  r.outcome = "ok";
  r.status = 200;
  r.due_ns = due_ns;
  r.send_ns = due_ns + lag_ns;
  r.last_ns = *r.send_ns + service_ns;
  r.lag_ns = lag_ns;
  r.queue_ns = 0;
  r.latency_ns = lag_ns + service_ns;
  r.service_ns = service_ns;
  r.slo_ok = true;
  return r;
}

inline records::Result failed_result(uint64_t i, int64_t due_ns, Outcome outcome, int64_t waited_ns = -1) {
  records::Result r;
  r.i = i;
  r.outcome = outcome_name(outcome);
  r.due_ns = due_ns;
  r.slo_ok = false;
  if (waited_ns >= 0) {
    r.send_ns = due_ns;
    r.lag_ns = 0;
    r.queue_ns = 0;
    r.latency_ns = waited_ns;
  }
  return r;
}

struct SyntheticOptions {
  size_t n = 2000;
  double mean_gap_ns = 1e7;
  double mean_service_ns = 5e6;
  unsigned classes = 3;      // every fourth request has none
  unsigned bad_of_1024 = 0;  // failures, timeouts, drops and what was given up
  bool tokens = true;
  uint64_t seed = 1;
};

// In order of i and of due time.
inline std::vector<records::Result> synthetic_results(const SyntheticOptions& o) {
  const RandomStream stream(o.seed, Purpose::service);
  std::vector<records::Result> out;
  double due = 0;
  double free_at = 0;
  for (size_t i = 0; i < o.n; ++i) {
    const PhiloxCounter bits = stream.bits(i);
    const auto exponential = [](uint32_t word) { return -std::log((word + 0.5) / 4294967296.0); };
    due += exponential(bits.c0) * o.mean_gap_ns;
    const auto due_ns = static_cast<int64_t>(due);
    const auto lag_ns = static_cast<int64_t>(bits.c3 % 20000);
    free_at = std::max(free_at, due) + exponential(bits.c1) * o.mean_service_ns;
    const int64_t service_ns = std::max<int64_t>(static_cast<int64_t>(free_at - due) - lag_ns, 1);
    records::Result r = ok_result(i, due_ns, lag_ns, service_ns);
    if (bits.c2 % 1024 < o.bad_of_1024) {
      constexpr Outcome kinds[] = {Outcome::http_5xx,       Outcome::total_timeout, Outcome::dropped_cap,
                                   Outcome::censored,       Outcome::reset,         Outcome::cancelled,
                                   Outcome::connect_refused};
      const Outcome kind = kinds[bits.c2 % std::size(kinds)];
      r = failed_result(i, due_ns, kind,
                        kind == Outcome::dropped_cap || kind == Outcome::cancelled ? -1 : service_ns);
    } else if (o.tokens) {
      r.tok1_ns = *r.send_ns + service_ns / 3;
      r.ttft_ns = *r.tok1_ns - due_ns;
      r.tok_last_ns = r.last_ns;
      r.output_tokens = 2 + bits.c2 % 50;
      r.input_tokens = bits.c2 % 1000;
      r.tpot_ns = (*r.tok_last_ns - *r.tok1_ns) / (*r.output_tokens - 1);
      r.itl_max_ns = *r.tpot_ns * 2;
    }
    r.up_bytes = 100;
    r.down_bytes = bits.c1 % 5000;
    if (o.classes > 0 && i % 4 != 3) r.klass = std::string(1, static_cast<char>('a' + bits.c3 % o.classes));
    out.push_back(std::move(r));
  }
  return out;
}

// The gaps between tokens that go with a synthetic result.
inline std::vector<uint64_t> synthetic_gaps(const records::Result& r) {
  if (!r.tpot_ns) return {};
  return std::vector<uint64_t>(std::min<uint32_t>(*r.output_tokens - 1, 5),
                               static_cast<uint64_t>(*r.tpot_ns));
}

}  // namespace mlq::replay
