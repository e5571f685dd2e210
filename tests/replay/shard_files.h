// Outputs of shards as a sender would write them, from synthetic results.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "lib/base/random.h"
#include "lib/records/load_schema.h"
#include "lib/records/writer.h"
#include "lib/replay/totals.h"
#include "lib/replay/windows.h"
#include "tests/replay/synthetic.h"
#include "tests/support/temp_dir.h"

namespace mlq::replay {

struct ShardFileOptions {
  std::string slo = "p99<=200ms && latency<=100ms && attain>=0.5";
  WindowOptions windows{.window_ns = 1'000'000'000};
  bool results = true;
  int64_t max_lag_ns = 1'000'000;
  int64_t warmup_ns = 0;  // requests due before it have results and no more
  std::string trace = "0123";
  std::string config = "abcd";
  std::string i_digest;  // in place of the true one
  bool end = true;
};

inline std::string digest_of(const std::vector<records::Result>& results) {
  uint64_t sum = 0;
  for (const auto& r : results) sum += mix64(r.i);
  return fmt::format("{:016x}", sum);
}

inline records::Run run_of_shard(uint32_t k, uint32_t n, const ShardFileOptions& o) {
  records::Run run;
  run.tool = "mlq-replay";
  run.version = "test";
  if (n > 1) {
    run.shard = k;
    run.shards = n;
    run.shard_rule = "index";
  }
  run.slo = o.slo;
  run.url = "http://localhost/";
  run.start_unix_ns = 1'000'000'000'000 + k * 7;
  run.config_xxh3 = o.config;
  return run;
}

// `all` are in order of due time; the shard has those with i mod n = k.
inline std::string shard_text(const std::vector<records::Result>& all, uint32_t k, uint32_t n,
                              const std::string& path, const ShardFileOptions& o = {}) {
  const auto slo = stats::parse_slo(o.slo);
  std::vector<records::Result> mine;
  for (const auto& r : all) {
    if (r.i % n != k) continue;
    mine.push_back(r);
    mine.back().slo_ok = is_good(r, slo);
    if (n > 1) mine.back().shard = k;
  }
  const int64_t end_ns = all.back().due_ns + 1;
  Windows windows(o.windows);
  Accounts accounts;
  RunFacts facts{.from_ns = o.warmup_ns, .to_ns = end_ns, .max_lag_ns = o.max_lag_ns};
  if (o.warmup_ns > 0) facts.warmup_ns = o.warmup_ns;
  int64_t inflight = 0;
  std::vector<Window> closed;
  const auto collect = [&](ClosedWindows more) {
    for (Window& w : more.windows) closed.push_back(std::move(w));
  };
  for (size_t at = 0; at < mine.size(); ++at) {
    const records::Result& r = mine[at];
    windows.due(r.i, r.due_ns, r.klass.value_or(""));
    windows.add(r, synthetic_gaps(r));
    if (r.due_ns >= o.warmup_ns) accounts.add(r, synthetic_gaps(r));
    inflight += r.latency_ns.value_or(0);
    facts.drain_ns = std::max(facts.drain_ns, r.last_ns.value_or(0) - end_ns);
    if (at + 1 < mine.size()) windows.advance(mine[at + 1].due_ns, mine[at + 1].i);
    collect(windows.take(0));
  }
  windows.end(end_ns);
  collect(windows.take(INT64_MAX));
  facts.inflight_ns = inflight;
  facts.cpu_ns = static_cast<int64_t>(mine.size()) * 12'345;
  facts.inflight_max = 17;

  records::Writer writer(Output::open(path), true);
  writer.run(run_of_shard(k, n, o));
  if (o.results) {  // in order of completion
    std::vector<records::Result> done = mine;
    std::stable_sort(done.begin(), done.end(), [](const auto& a, const auto& b) {
      return a.due_ns + a.latency_ns.value_or(0) < b.due_ns + b.latency_ns.value_or(0);
    });
    for (const auto& r : done) writer.write(r);
  }
  for (const Window& w : closed) write_window(w, slo, n > 1, writer);
  records::End end;
  end.trace_xxh3 = o.trace;
  end.trace_count = all.size();
  end.trace_i_digest = digest_of(all);
  end.i_digest = o.i_digest.empty() ? digest_of(mine) : o.i_digest;
  write_totals(accounts, summarise(accounts, facts, slo), n > 1, end, writer);
  if (!o.end) {  // as if the process had been killed
    std::string text = test::slurp(path);
    text.resize(text.rfind("{\"type\":\"end\""));
    Output cut = Output::open(path);
    cut.write(text);
    cut.close();
  }
  return path;
}

inline std::vector<std::string> shard_files(const std::vector<records::Result>& all, uint32_t n,
                                            const test::TempDir& dir, const ShardFileOptions& o = {}) {
  std::vector<std::string> files;
  for (uint32_t k = 0; k < n; ++k)
    files.push_back(shard_text(all, k, n, dir / fmt::format("{}of{}.jsonl", k, n), o));
  return files;
}

// The lines of a stream that are of one of `types`.
inline std::string lines_of(const std::string& text, const std::vector<std::string>& types) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at) + 1;
    const std::string line = text.substr(at, end - at);
    for (const std::string& type : types) {
      if (line.starts_with("{\"type\":\"" + type + "\"")) out += line;
    }
    at = end;
  }
  return out;
}

}  // namespace mlq::replay
