// Accounts as records, and back. A run's output is: run; result and, as they close, the windows; the totals:
// hist, outcome, summary; end. A shard of several writes the hist and outcome records of its windows too,
// each window's behind its load_window records, so that windows merge exactly.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/records/trace.h"
#include "lib/records/writer.h"
#include "lib/replay/accounts.h"
#include "lib/replay/summary.h"
#include "lib/replay/windows.h"

namespace mlq::replay {

// The load_window records of a window; of a shard of several (`sharded`) also its hist and outcome records.
void write_window(const Window& window, std::span<const stats::SloTerm> slo, bool sharded,
                  records::Writer& writer);

// What ends the output of a run, and of a merge of shards: hist and outcome of "*" and each class, the
// summaries (of summarise), end. Closes the writer.
void write_totals(const Accounts& accounts, std::span<const records::Summary> summaries, bool sharded,
                  const records::End& end, records::Writer& writer);

// A histogram from its record. An input Error if it does not describe one in ns.
stats::Histogram histogram_of(const records::Hist& hist);

// Puts accounts together again from the records of one stream: totals, or one window. Not thread-safe. Input
// Errors for records that contradict themselves, each other or occur twice.
class AccountsReader {
 public:
  void add(const records::Hist& hist);
  void add(const records::OutcomeCount& outcome);
  void add(const records::LoadStats& stats);

  // Once all records are in. `unfinished` of a window are planned and have no outcome.
  Accounts finish();

 private:
  Account& account(std::string_view klass);
  void expect_new(std::string key);
  void check(std::string_view klass, const records::LoadStats& stats) const;

  Accounts accounts_;
  std::set<std::string> seen_;
  std::map<std::string, records::LoadStats, std::less<>> stats_;
};

}  // namespace mlq::replay
