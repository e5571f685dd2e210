#include "tests/arrival/harness.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/error.h"
#include "lib/records/reader.h"
#include "lib/stats/gof.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival::test {
namespace {

BuildContext context_of(uint64_t seed) {
  BuildContext context;
  context.seed = seed;
  context.data_dir = MLQ_SOURCE_DIR "/data";
  return context;
}

void generate_to(const std::string& path, std::string_view spec, const How& how) {
  GenerateOptions options;
  options.spec = parse_spec(spec);
  options.seed = how.seed;
  options.threads = how.threads;
  options.shard = how.shard;
  options.shards = how.shards;
  options.emit_path = how.emit_path;
  options.data_dir = MLQ_SOURCE_DIR "/data";
  records::Writer writer(Output::open(path), true);
  generate(options, {}, writer);
}

}  // namespace

std::vector<int64_t> times_of(std::string_view spec, uint64_t seed) {
  Timeline timeline(make_process(parse_spec(spec), context_of(seed)).times);
  std::vector<int64_t> times;
  while (timeline.next(times)) {
  }
  return times;
}

Trace trace_of(std::string_view spec, const How& how) {
  const mlq::test::TempDir dir;
  const std::string path = dir / "trace.jsonl";
  generate_to(path, spec, how);
  records::Reader reader(path, {.strict = true});
  Trace trace;
  while (reader.next()) {
    if (reader.type() == records::Schema<records::Arrival>::type)
      trace.arrivals.push_back(reader.as<records::Arrival>());
    else
      trace.path.push_back(reader.as<records::RatePoint>());
  }
  trace.run = reader.runs().at(0);
  trace.end = reader.end().value();
  return trace;
}

records::End end_of(std::string_view spec, const How& how) {
  const mlq::test::TempDir dir;
  const std::string path = dir / "trace.jsonl";
  generate_to(path, spec, how);
  const std::string text = mlq::test::slurp(path);
  const size_t line = text.rfind('\n', text.size() - 2);
  records::Reader reader(dir.file("end.jsonl", text.substr(0, text.find('\n') + 1) + text.substr(line + 1)),
                         {.strict = true});
  while (reader.next()) {
  }
  return reader.end().value();
}

double ks_p(std::vector<double> sample, const std::function<double(double)>& cdf) {
  for (double& x : sample) x = cdf(x);
  std::sort(sample.begin(), sample.end());
  return stats::ks_uniform(sample).p_value;
}

double ks_p_two(std::vector<double> a, std::vector<double> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return stats::ks_two_sample(a, b).p_value;
}

std::vector<double> gaps_s(const std::vector<int64_t>& times) {
  std::vector<double> gaps;
  for (size_t k = 1; k < times.size(); ++k)
    gaps.push_back(static_cast<double>(times[k] - times[k - 1]) * 1e-9);
  return gaps;
}

std::vector<double> counts_in(const std::vector<int64_t>& times, int64_t window_ns, int64_t end_ns) {
  std::vector<double> counts(static_cast<size_t>(end_ns / window_ns), 0);
  for (const int64_t t : times) {
    if (const auto k = static_cast<size_t>(t / window_ns); k < counts.size()) ++counts[k];
  }
  return counts;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double x : values) sum += (x - mean) * (x - mean);
  return sum / static_cast<double>(values.size() - 1);
}

double idc_of(const std::vector<int64_t>& times, int64_t window_ns, int64_t end_ns) {
  const std::vector<double> counts = counts_in(times, window_ns, end_ns);
  return variance_of(counts) / mean_of(counts);
}

std::string failure_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.kind())) + ": " + error.what();
  }
  return "nothing";
}

std::string failure_of_spec(std::string_view spec) {
  return failure_of([&] {
    Timeline timeline(make_process(parse_spec(spec), context_of(1)).times);
    std::vector<int64_t> times;
    timeline.next(times);
  });
}

}  // namespace mlq::arrival::test
