// What the tests of lib/arrival share: traces in memory, and distances of samples from laws.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/process/generate.h"
#include "lib/records/arrival.h"
#include "lib/records/stream.h"
#include "lib/records/trace.h"

namespace mlq::arrival::test {

// The times that a spec gives.
std::vector<int64_t> times_of(std::string_view spec, uint64_t seed = 1);

// What `gen` writes for a spec.
struct Trace {
  std::vector<records::Arrival> arrivals;
  std::vector<records::RatePoint> path;
  records::Run run;
  records::End end;
};
struct How {
  uint64_t seed = 1;
  unsigned threads = 1;
  uint32_t shard = 0;
  uint32_t shards = 1;
  bool emit_path = false;
};
Trace trace_of(std::string_view spec, const How& how = {});
// Its end record alone, without reading the arrivals back.
records::End end_of(std::string_view spec, const How& how = {});

// p-value of the Kolmogorov-Smirnov test of the sample against a distribution function.
double ks_p(std::vector<double> sample, const std::function<double(double)>& cdf);
double ks_p_two(std::vector<double> a, std::vector<double> b);

// Gaps between the times, in seconds.
std::vector<double> gaps_s(const std::vector<int64_t>& times);
// Arrivals in each whole window up to the end.
std::vector<double> counts_in(const std::vector<int64_t>& times, int64_t window_ns, int64_t end_ns);
double mean_of(const std::vector<double>& values);
double variance_of(const std::vector<double>& values);
// Variance over mean of the counts.
double idc_of(const std::vector<int64_t>& times, int64_t window_ns, int64_t end_ns);

// Runs f and returns the message of the mlq::Error it must throw, with the exit status in front: `2: --cv
// ...`; `nothing` if it throws none.
std::string failure_of(const std::function<void()>& f);
// The same of making the process and its first block.
std::string failure_of_spec(std::string_view spec);

constexpr int64_t kSecond = 1'000'000'000;

}  // namespace mlq::arrival::test
