#include "lib/replay/merge.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "lib/base/error.h"
#include "lib/records/load_schema.h"
#include "lib/replay/result_sorter.h"
#include "lib/replay/run_stream.h"
#include "lib/replay/totals.h"
#include "lib/replay/windows.h"

namespace mlq::replay {
namespace {

// Parts that started further apart did not send the trace together.
constexpr int64_t kMostStartSkew = 10'000'000;

struct Shard {
  std::unique_ptr<RunStream> stream;
  std::string name;
  uint32_t k = 0;
  uint32_t next_window = 0;  // the least window it may still give, for the choice whom to read next
  bool done = false;
};

uint64_t digest(const std::string& hex, const std::string& name, std::string_view field) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  if (error != std::errc() || end != hex.data() + hex.size() || hex.size() > 16)
    throw input_error("{}: end: {} is \"{}\"; it must be up to 16 hexadecimal digits", name, field, hex);
  return value;
}

std::string shown(const std::string& text) { return '"' + text + '"'; }
template <class T>
std::string shown(const T& value) {
  return fmt::format("{}", value);
}
template <class T>
std::string shown(const std::optional<T>& value) {
  return value ? shown(*value) : "missing";
}

class Merge {
 public:
  Merge(const MergeOptions& options, records::Writer& writer)
      : options_(options), writer_(writer), results_(options.memory_bytes, options.temp_folder) {}

  MergeOutcome run(const std::vector<std::string>& files, records::Run base) {
    open(files);
    read();
    if (stopped()) {
      outcome_.interrupted = true;
      records::End end;
      end.interrupted = true;
      writer_.end(end);
      return std::move(outcome_);
    }
    check_partition();
    write(std::move(base));
    return std::move(outcome_);
  }

 private:
  bool stopped() const { return options_.reader.stop != nullptr && *options_.reader.stop; }
  bool sharded() const { return count_ > 1; }
  const records::Run& first_run() const { return shards_.front().stream->run(); }

  void open(const std::vector<std::string>& files) {
    if (files.empty()) throw usage_error("there is nothing to merge; name the outputs of the shards");
    for (const std::string& file : files) {
      Shard shard;
      shard.stream = std::make_unique<RunStream>(file, options_.reader);
      shard.name = shard.stream->reader().name();
      const records::Run& run = shard.stream->run();
      if (files.size() > 1 && (!run.shard || !run.shards)) {
        throw input_error("{}: its run record names no shard; it is not a part of a sharded run", shard.name);
      }
      shard.k = run.shard.value_or(0);
      shards_.push_back(std::move(shard));
    }
    count_ = first_run().shards.value_or(1);
    for (const Shard& shard : shards_) check_run(shard);
    check_numbers();
    merger_.emplace(shards_.size());
  }

  template <class Field>
  void expect_same(const Shard& shard, std::string_view name, const Field& theirs, const Field& first) const {
    if (theirs == first) return;
    throw input_error("{}: {} is {}, but {} of {}; these are not shards of one run", shard.name, name,
                      shown(theirs), shown(first), shards_.front().name);
  }

  void check_run(const Shard& shard) const {
    const records::Run& run = shard.stream->run();
    expect_same(shard, "shards", run.shards, first_run().shards);
    expect_same(shard, "shard_rule", run.shard_rule, first_run().shard_rule);
    expect_same(shard, "config_xxh3", run.config_xxh3, first_run().config_xxh3);
    if (shard.k >= count_) throw input_error("{}: shard {} of {}", shard.name, shard.k, count_);
  }

  // Every k once; they are put in order.
  void check_numbers() {
    std::stable_sort(shards_.begin(), shards_.end(),
                     [](const Shard& a, const Shard& b) { return a.k < b.k; });
    std::string missing;
    uint32_t missed = 0;
    size_t at = 0;
    for (uint32_t k = 0; k < count_; ++k) {
      if (at == shards_.size() || shards_[at].k != k) {
        if (missing.size() < 60) missing += (missing.empty() ? "" : ", ") + std::to_string(k);
        ++missed;
        continue;
      }
      ++at;
      if (at < shards_.size() && shards_[at].k == k) {
        throw input_error("{} and {}: both are shard {} of {}", shards_[at - 1].name, shards_[at].name, k,
                          count_);
      }
    }
    facts_missing_ = missed > 0;
    if (facts_missing_ && !options_.partial) {
      throw input_error("shard{} {} of {} {} missing (--partial goes on without)", missed == 1 ? "" : "s",
                        missing, count_, missed == 1 ? "is" : "are");
    }
  }

  // Reads the streams side by side, so that a window of all can be joined and let go.
  void read() {
    while (!stopped()) {
      Shard* next = nullptr;
      for (Shard& shard : shards_) {
        if (!shard.done && (next == nullptr || shard.next_window < next->next_window)) next = &shard;
      }
      if (next == nullptr) return;
      advance(*next);
      for (const Window& window : merger_->take()) {
        for (records::LoadWindow& record : window_records(window, slo()))
          windows_.push_back(std::move(record));
      }
    }
  }

  void advance(Shard& shard) {
    const auto on_result = [&](records::Result& result) {
      if (sharded() && !result.shard) result.shard = shard.k;
      results_.add(result);
    };
    WindowRecords window;
    ClosedWindows closed;
    if (shard.stream->next_window(window, on_result)) {
      if (sharded()) {
        closed.windows.push_back(naming(shard.name, [&] { return window.window(); }));
      } else {
        std::move(window.records.begin(), window.records.end(), std::back_inserter(windows_));
      }
      shard.next_window = window.index + 1;
      closed.closed_below = shard.next_window;
    }
    if (const WindowRecords* ahead = shard.stream->ahead()) {
      closed.closed_below = shard.next_window = ahead->index;
      if (!ahead->records.empty()) closed.frontier_ns = ahead->records.front().from_ns;
    } else if (!stopped()) {
      closed.closed_below = kNoMore;
      shard.done = true;
      finish(shard);
    }
    merger_->add(static_cast<size_t>(&shard - shards_.data()), std::move(closed));
  }

  std::span<const stats::SloTerm> slo() {
    if (!slo_) {
      slo_.emplace();
      if (const auto& text = first_run().slo) {
        try {
          *slo_ = stats::parse_slo(*text);
        } catch (const Error& e) {
          throw input_error("{}: run: {}", shards_.front().name, e.what());
        }
      }
    }
    return *slo_;
  }

  void finish(const Shard& shard) {
    const records::Reader& reader = shard.stream->reader();
    if (const std::string cut = reader.truncation();
        !cut.empty() || (reader.end() == std::nullopt && sharded()))
      throw input_error("{}: a cut stream has no totals to add; leave it out with --partial",
                        cut.empty() ? shard.name : cut);
    Accounts accounts = shard.stream->totals();
    const records::Summary& summary = *shard.stream->summary();
    facts_.push_back(facts_of(summary));
    ShardFacts shown;
    shown.shard = shard.k;
    shown.name = shard.name;
    shown.planned = summary.planned;
    shown.lag_p99_ns = summary.lag.p99;
    shown.clock_error_ns = shard.stream->run().clock_error_ns;
    shown.why = summary.why.value_or("");
    outcome_.shards.push_back(std::move(shown));
    accounts_.merge(accounts);
  }

  void check_partition() {
    if (!sharded()) return check_end();
    const records::End& first = *shards_.front().stream->reader().end();
    uint64_t sum = 0;
    for (const Shard& shard : shards_) {
      const records::End& end = *shard.stream->reader().end();
      expect_same(shard, "trace_xxh3", end.trace_xxh3, first.trace_xxh3);
      expect_same(shard, "trace_count", end.trace_count, first.trace_count);
      expect_same(shard, "trace_i_digest", end.trace_i_digest, first.trace_i_digest);
      if (!end.trace_xxh3 || !end.trace_i_digest || !end.i_digest)
        throw input_error("{}: end: trace_xxh3, trace_i_digest or i_digest is missing", shard.name);
      sum += digest(*end.i_digest, shard.name, "i_digest");
    }
    if (!facts_missing_ && sum != digest(*first.trace_i_digest, shards_.front().name, "trace_i_digest")) {
      throw input_error(
          "the shards do not account for the trace: their i_digest values add up to {:016x}, not to {}", sum,
          *first.trace_i_digest);
    }
    check_end();
    end_.i_digest = fmt::format("{:016x}", sum);
  }

  // What the ends of the shards say together.
  void check_end() {
    for (const Shard& shard : shards_) {
      const auto& end = shard.stream->reader().end();
      if (!end) continue;
      const auto add = [](std::optional<uint64_t>& sum, const std::optional<uint64_t>& more) {
        if (more) sum = sum.value_or(0) + *more;
      };
      end_.trace_xxh3 = end->trace_xxh3;
      end_.trace_count = end->trace_count;
      end_.trace_i_digest = end->trace_i_digest;
      end_.i_digest = end->i_digest;
      add(end_.records_dropped, end->records_dropped);
      add(end_.unsent, end->unsent);
      if (end->interrupted.value_or(false)) was_interrupted_ = true;
    }
  }

  // What is true of the whole, and the history.
  records::Run merged_run(records::Run run) {
    const records::Run& first = first_run();
    run.seed = first.seed;
    run.url = first.url;
    run.api = first.api;
    run.engine = first.engine;
    run.http = first.http;
    run.speed = first.speed;
    run.slo = first.slo;
    run.config_xxh3 = first.config_xxh3;
    std::string history;
    for (const Shard& shard : shards_) {
      const records::Reader& reader = shard.stream->reader();
      const auto& start = shard.stream->run().start_unix_ns;
      if (start && (!run.start_unix_ns || *start < *run.start_unix_ns)) run.start_unix_ns = start;
      if (reader.runs_json().empty()) continue;
      history += (history.empty() ? "" : ",") + reader.runs_json();
    }
    if (!history.empty()) run.inputs = records::RawJson{"[" + history + "]"};
    return run;
  }

  void write(records::Run base) {
    const records::Run run = merged_run(std::move(base));
    for (ShardFacts& shown : outcome_.shards) {
      const auto shard =
          std::find_if(shards_.begin(), shards_.end(), [&](const Shard& s) { return s.k == shown.shard; });
      const auto& start = shard->stream->run().start_unix_ns;
      if (start) shown.start_skew_ns = *start - *run.start_unix_ns;
    }
    std::sort(outcome_.shards.begin(), outcome_.shards.end(),
              [](const ShardFacts& a, const ShardFacts& b) { return a.shard < b.shard; });
    writer_.run(run);
    results_.finish([&](std::string_view line) {
      writer_.lines(line, 1);
      return !stopped();
    });
    for (const records::LoadWindow& window : windows_) writer_.write(window);
    RunFacts facts = merge_facts(facts_);
    facts.missing_shards = facts.missing_shards || facts_missing_;
    for (const ShardFacts& shown : outcome_.shards) {
      facts.clock_error = facts.clock_error || shown.start_skew_ns.value_or(0) > kMostStartSkew;
    }
    // Of the run, not of this program: what there is, is whole.
    if (was_interrupted_) end_.note = "a signal ended the run early";
    outcome_.summaries = summarise(accounts_, facts, slo());
    write_totals(accounts_, outcome_.summaries, false, end_, writer_);
  }

  const MergeOptions& options_;
  records::Writer& writer_;
  std::vector<Shard> shards_;
  uint32_t count_ = 1;
  std::optional<WindowMerger> merger_;
  ResultSorter results_;
  std::vector<records::LoadWindow> windows_;
  std::optional<std::vector<stats::SloTerm>> slo_;
  Accounts accounts_;
  std::vector<RunFacts> facts_;
  bool facts_missing_ = false;
  bool was_interrupted_ = false;
  records::End end_;
  MergeOutcome outcome_;
};

template <class T>
void add_or_forget(std::optional<T>& sum, const std::optional<T>& more, bool first) {
  if (first) {
    sum = more;
  } else if (sum && more) {
    *sum += *more;
  } else {
    sum.reset();
  }
}

}  // namespace

RunFacts merge_facts(const std::vector<RunFacts>& shards) {
  RunFacts all;
  int64_t last_answer = INT64_MIN;
  for (size_t k = 0; k < shards.size(); ++k) {
    const RunFacts& one = shards[k];
    const bool first = k == 0;
    all.from_ns = first ? one.from_ns : std::min(all.from_ns, one.from_ns);
    all.to_ns = first ? one.to_ns : std::max(all.to_ns, one.to_ns);
    last_answer = std::max(last_answer, one.to_ns + one.drain_ns);
    add_or_forget(all.inflight_ns, one.inflight_ns, first);
    add_or_forget(all.cpu_ns, one.cpu_ns, first);
    if (one.warmup_ns) all.warmup_ns = std::max(all.warmup_ns.value_or(0), *one.warmup_ns);
    if (one.max_lag_ns) all.max_lag_ns = std::min(all.max_lag_ns.value_or(INT64_MAX), *one.max_lag_ns);
    for (const auto member :
         {&RunFacts::shard_cpu, &RunFacts::cap_hit, &RunFacts::fd_limit, &RunFacts::ports, &RunFacts::starved,
          &RunFacts::records_dropped, &RunFacts::rt_throttled, &RunFacts::truncated, &RunFacts::clock_error,
          &RunFacts::missing_shards, &RunFacts::lag}) {
      all.*member = all.*member || one.*member;
    }
  }
  if (!shards.empty()) all.drain_ns = std::max<int64_t>(last_answer - all.to_ns, 0);
  return all;
}

MergeOutcome run_merge(const std::vector<std::string>& files, const MergeOptions& options, records::Run base,
                       records::Writer& writer) {
  return Merge(options, writer).run(files, std::move(base));
}

}  // namespace mlq::replay
