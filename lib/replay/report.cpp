#include "lib/replay/report.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "lib/base/error.h"
#include "lib/records/load_schema.h"
#include "lib/replay/merge.h"
#include "lib/replay/run_stream.h"
#include "lib/replay/totals.h"

namespace mlq::replay {
namespace {

using Terms = std::vector<stats::SloTerm>;

// The terms that say which requests are good, in one text: whether two objectives agree about them.
std::string per_request_text(const Terms& terms) {
  Terms kept;
  for (const stats::SloTerm& term : terms) {
    if (term.kind == stats::SloKind::request) kept.push_back(term);
  }
  return stats::slo_text(kept);
}

// What the result records of a slice add up to.
class FromResults {
 public:
  // Results due before `floor_ns` do not count.
  FromResults(const ReportOptions& options, int64_t floor_ns) : options_(options), floor_ns_(floor_ns) {}

  void add(records::Result& result, const Terms& slo, bool judge) {
    first_due_ns_ = std::min(first_due_ns_, result.due_ns);
    if (result.due_ns < floor_ns_) return;
    ++read_;
    if (!in_slice(result)) return;
    if (judge || !result.slo_ok) result.slo_ok = is_good(result, slo);
    static const std::vector<uint64_t> none;
    const std::vector<uint64_t>& gaps = result.itl_ns ? *result.itl_ns : none;
    accounts_.add(result, {});
    streams_ = streams_ || result.itl_max_ns.has_value();
    for (const std::string_view klass :
         {kAll, result.klass ? std::string_view(*result.klass) : std::string_view()}) {
      if (klass.empty() || gaps.empty()) continue;
      if (Account* account = gaps_.account(klass)) account->add_gaps(gaps);
    }
    last_due_ns_ = std::max(last_due_ns_, result.due_ns);
    if (result.last_ns) last_answer_ns_ = std::max(last_answer_ns_, *result.last_ns);
    if (options_.windows) add_to_window(result, gaps);
  }

  uint64_t read() const { return read_; }                 // result records behind the warm-up
  int64_t first_due_ns() const { return first_due_ns_; }  // of all result records
  int64_t last_due_ns() const { return last_due_ns_; }
  int64_t last_answer_ns() const { return last_answer_ns_; }
  bool streams() const { return streams_; }
  Accounts& accounts() { return accounts_; }
  const Accounts& gaps() const { return gaps_; }

  std::vector<records::LoadWindow> window_records(const RunFacts& facts, const Terms& slo) {
    std::vector<records::LoadWindow> out;
    for (auto at = windows_.begin(); at != windows_.end(); ++at) {
      Window& window = at->second;
      const auto next = std::next(at);
      if (options_.windows->window_ns > 0) {
        window.from_ns =
            std::max(static_cast<int64_t>(at->first) * options_.windows->window_ns, facts.from_ns);
        if (__builtin_add_overflow(static_cast<int64_t>(at->first) * options_.windows->window_ns,
                                   options_.windows->window_ns, &window.to_ns))
          window.to_ns = facts.to_ns;
        window.to_ns = std::min(window.to_ns, facts.to_ns);
      } else {
        window.to_ns = next == windows_.end() ? facts.to_ns : next->second.from_ns;
      }
      window.to_ns = std::max(window.to_ns, window.from_ns);
      for (records::LoadWindow& record : replay::window_records(window, slo))
        out.push_back(std::move(record));
    }
    return out;
  }

 private:
  bool in_slice(const records::Result& r) const {
    if (options_.klass && r.klass != options_.klass) return false;
    if (options_.from_ns && r.due_ns < *options_.from_ns) return false;
    if (options_.to_ns && r.due_ns >= *options_.to_ns) return false;
    if (options_.outcomes.empty()) return true;
    return std::any_of(options_.outcomes.begin(), options_.outcomes.end(),
                       [&](Outcome o) { return outcome_name(o) == r.outcome; });
  }

  void add_to_window(const records::Result& r, const std::vector<uint64_t>& gaps) {
    const WindowOptions& w = *options_.windows;
    const uint64_t index = w.window_n > 0
                               ? r.i / w.window_n
                               : static_cast<uint64_t>(std::max<int64_t>(r.due_ns, 0) / w.window_ns);
    if (index >= std::numeric_limits<uint32_t>::max())
      throw input_error("result {}: more than 2^32 windows; make them longer", r.i);
    const auto [at, is_new] = windows_.try_emplace(static_cast<uint32_t>(index));
    Window& window = at->second;
    window.index = at->first;
    window.from_ns = is_new ? r.due_ns : std::min(window.from_ns, r.due_ns);
    window.accounts.add(r, gaps);
  }

  const ReportOptions& options_;
  int64_t floor_ns_;
  uint64_t read_ = 0;
  int64_t first_due_ns_ = INT64_MAX;
  int64_t last_due_ns_ = 0;
  int64_t last_answer_ns_ = 0;
  bool streams_ = false;
  Accounts accounts_;
  Accounts gaps_;
  std::map<uint32_t, Window> windows_;
};

// One reading of the streams.
class Reading {
 public:
  Reading(const std::vector<std::string>& files, const ReportOptions& options, int64_t floor_ns)
      : options_(options), results_(options, floor_ns) {
    if (options.slo) slo_ = stats::parse_slo(*options.slo);
    for (const std::string& file : files) read(file);
  }

  // The end of the warm-up, if results before it have been counted.
  std::optional<int64_t> warm_up_counted(int64_t floor_ns) const {
    if (options_.from_ns || !has_totals_ || facts_.from_ns <= floor_ns) return std::nullopt;
    if (results_.first_due_ns() >= facts_.from_ns) return std::nullopt;
    return facts_.from_ns;
  }

  Report report() {
    Report out;
    out.interrupted = interrupted_;
    out.run = run_;
    out.history = history_;
    out.slo = slo_ ? *slo_ : run_slo_;
    out.slo_text = stats::slo_text(out.slo);
    if (from_totals()) {
      take_totals(out);
    } else {
      take_results(out);
    }
    if (out.accounts.all().planned() == 0 && options_.sliced())
      throw input_error("nothing is left: no request is in the slice");
    look_for_shards(out.facts);
    out.summaries = summarise(out.accounts, out.facts, out.slo);
    add_notes(out);
    return out;
  }

 private:
  bool same_good() const { return !slo_ || per_request_text(*slo_) == per_request_text(run_slo_); }
  // Whether single requests are asked for.
  bool needs_results() const {
    return options_.from_ns || options_.to_ns || !options_.outcomes.empty() || options_.windows ||
           !same_good();
  }
  bool from_totals() const { return has_totals_ && !needs_results(); }

  void read(const std::string& file) {
    RunStream stream(file, options_.reader);
    const std::string& name = stream.reader().name();
    if (stream.has_run() && history_.empty()) {
      run_ = stream.run();
      if (run_.slo) naming(name, [&] { run_slo_ = stats::parse_slo(*run_.slo); });
    }
    const Terms& slo = slo_ ? *slo_ : run_slo_;
    WindowRecords window;
    while (stream.next_window(window, [&](records::Result& r) { results_.add(r, slo, slo_.has_value()); })) {
      std::move(window.records.begin(), window.records.end(), std::back_inserter(windows_));
    }
    if (stream.has_run() && stream.run().shard && stream.run().shards)
      shards_[{stream.run().config_xxh3.value_or(""), *stream.run().shards}].insert(*stream.run().shard);
    interrupted_ = interrupted_ || stream.reader().interrupted();
    stream.reader().finish();
    ++streams_;
    const std::string& runs = stream.reader().runs_json();
    if (const auto [before, first] = names_.emplace(runs, name); !first && !runs.empty())
      throw input_error("{} and {}: both are the same run, which would count twice", before->second, name);
    if (!runs.empty()) history_ += (history_.empty() ? "" : ",") + runs;
    has_totals_ = stream.has_totals() && (has_totals_ || streams_ == 1);
    if (!stream.has_totals()) return;
    totals_.merge(stream.totals());
    shard_facts_.push_back(facts_of(*stream.summary()));
    facts_ = shard_facts_.size() == 1 ? shard_facts_.front() : merge_facts(shard_facts_);
  }

  void take_totals(Report& out) {
    out.facts = facts_;
    if (!options_.klass) {
      out.accounts = std::move(totals_);
      if (slo_) {
        if (!windows_.empty())
          say("windows are left out: their verdicts are of another objective (--window)");
      } else {
        out.windows = std::move(windows_);
      }
      return;
    }
    if (const Account* account = totals_.find(*options_.klass)) out.accounts.account(kAll)->merge(*account);
    forget_whole(out.facts);
  }

  void take_results(Report& out) {
    if (results_.read() == 0) {
      throw input_error(
          "{}",
          needs_results()
              ? "there are no result records, and only they tell single requests apart"
              : "there are neither result records nor totals of a run; is this what mlq-replay run wrote?");
    }
    if (has_totals_ && results_.read() < totals_.all().planned()) {
      throw input_error(
          "there are result records of {} requests of {}: what they add up to would not be the run's "
          "(--results all keeps all)",
          results_.read(), totals_.all().planned());
    }
    out.accounts = std::move(results_.accounts());
    out.facts = facts_;
    if (!has_totals_) out.facts.to_ns = results_.last_due_ns();
    if (options_.from_ns) out.facts.from_ns = *options_.from_ns;
    if (options_.to_ns) out.facts.to_ns = *options_.to_ns;
    if (!has_totals_ || options_.from_ns || options_.to_ns)
      out.facts.drain_ns = std::max<int64_t>(results_.last_answer_ns() - out.facts.to_ns, 0);
    if (options_.sliced()) forget_whole(out.facts);
    add_gaps(out);
    if (options_.windows) out.windows = results_.window_records(out.facts, out.slo);
  }

  void add_gaps(Report& out) {
    const Accounts& from = has_totals_ && !options_.sliced() ? totals_ : results_.gaps();
    from.for_each([&](std::string_view klass, const Account& account) {
      if (account.event_count(Metric::itl) == 0) return;
      if (Account* mine = out.accounts.account(klass))
        mine->add_values(Metric::itl, false, account.events(Metric::itl));
    });
  }

  void look_for_shards(RunFacts& facts) const {
    for (const auto& [run, seen] : shards_) {
      const uint32_t count = run.second;
      if (seen.size() >= count) continue;
      facts.missing_shards = true;
      uint32_t first = 0;
      while (seen.contains(first)) ++first;
      const size_t others = count - seen.size() - 1;
      say(fmt::format("shard {} of {} is missing{}; the report is of the others", first, count,
                      others == 0 ? "" : fmt::format(", and {} more", others)));
    }
  }

  // What is of the run as a whole is not of a slice.
  static void forget_whole(RunFacts& facts) {
    facts.inflight_ns.reset();
    facts.inflight_max.reset();
    facts.cpu_ns.reset();
    facts.lag_drift_ns_per_min.reset();
  }

  void add_notes(Report& out) const {
    if (!results_.streams() || out.accounts.all().event_count(Metric::itl) > 0) return;
    std::optional<std::string>& note = out.summaries.front().note;
    note = (note ? *note + "; " : "") + "itl: the result records hold no gaps (--itl full keeps them)";
  }

  void say(const std::string& message) const {
    if (options_.notice) options_.notice(message);
  }

  const ReportOptions& options_;
  FromResults results_;
  std::optional<Terms> slo_;
  Terms run_slo_;
  records::Run run_;
  std::string history_;
  std::map<std::string, std::string> names_;  // of the streams, by what they say of their runs
  std::map<std::pair<std::string, uint32_t>, std::set<uint32_t>> shards_;  // seen, by run and their number
  std::vector<records::LoadWindow> windows_;
  size_t streams_ = 0;
  bool has_totals_ = false;
  bool interrupted_ = false;
  Accounts totals_;
  std::vector<RunFacts> shard_facts_;
  RunFacts facts_;
};

}  // namespace

Report make_report(const std::vector<std::string>& files, const ReportOptions& options) {
  if (options.windows) static_cast<void>(Windows(*options.windows));  // refuses lengths that are none
  Reading first(files, options, std::numeric_limits<int64_t>::min());
  const auto warm_up_ns = first.warm_up_counted(std::numeric_limits<int64_t>::min());
  if (!warm_up_ns) return first.report();
  if (std::find(files.begin(), files.end(), "-") != files.end()) {
    throw input_error(
        "the results begin with a warm-up, which only the end of the stream tells; put it in a file, or say "
        "--from");
  }
  return Reading(files, options, *warm_up_ns).report();
}

void write_report(const Report& report, records::Run base, records::Writer& writer) {
  base.url = report.run.url;
  base.api = report.run.api;
  base.engine = report.run.engine;
  base.http = report.run.http;
  base.speed = report.run.speed;
  base.start_unix_ns = report.run.start_unix_ns;
  if (!report.slo_text.empty()) base.slo = report.slo_text;
  if (!report.history.empty()) base.inputs = records::RawJson{"[" + report.history + "]"};
  writer.run(base);
  for (const records::LoadWindow& window : report.windows) writer.write(window);
  records::End end;
  if (report.interrupted) end.interrupted = true;
  write_totals(report.accounts, report.summaries, false, end, writer);
}

}  // namespace mlq::replay
