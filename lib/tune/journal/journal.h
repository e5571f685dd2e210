// The journal of a search or of a live endpoint: the records of its runs, one after the other in one file,
// kept so that whatever happens to the process the next one knows what is set and what was learnt.
//
// The file is a row of streams `run` ... `end`. Lines are appended by one write each. A last line that was
// cut is taken off when the journal is opened for writing, and a run without its `end` gets one with
// `"interrupted":true,"recovered":true`; damage anywhere else is an input Error with the line's number.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/records/stream.h"
#include "lib/records/tune.h"

namespace mlq::tune {

// One run of a program on the journal.
struct JournalRun {
  records::Run run;
  std::optional<records::End> end;
  std::vector<records::Decision> decisions;
  std::vector<records::Trial> trials;
  std::vector<records::TuneEvent> events;
  std::vector<records::Policy> policies;
  std::vector<records::Ask> asks;
  std::vector<records::Tell> tells;
  uint64_t line = 0;  // of its run record

  // A decision after which the process died before its trial, or its revert, was on disk. None if the last
  // decision was answered.
  const records::Decision* unanswered() const;
  bool finished() const { return end && !end->interrupted.value_or(false); }
};

struct JournalContents {
  std::vector<JournalRun> runs;
  uint64_t next_i = 0;  // number that the next trial gets: one more than the largest
  bool torn = false;    // its last line was cut
};

// Reads a journal that another process may be writing. An input Error for what is wrong in it; an environment
// Error if it cannot be opened.
JournalContents read_journal(const std::string& path);

struct JournalOptions {
  std::string path;
  std::string command;      // "search": who holds the lock, for those who find it held
  std::string space_xxh3;   // a journal of another space is an input Error
  bool reset = false;       // keep the file as PATH.old and start anew
  int64_t now_unix_ns = 0;  // for the lock file and the age in its message
};

// The journal, locked for this process. Not thread-safe.
class Journal {
 public:
  // Locks PATH.lock without waiting (an environment Error that names who holds it), reads, repairs. `notice`
  // is told of repairs.
  Journal(const JournalOptions& options, const std::function<void(const std::string&)>& notice);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // What was in it when it was opened, after repair.
  const JournalContents& before() const { return before_; }
  // The last run had no end: its process was killed.
  bool was_cut() const { return was_cut_; }
  // Lines with their line ends, in one write, on disk when it returns if `sync`. An environment Error:
  // nothing of it was kept.
  void append(std::string_view lines, bool sync);
  const std::string& path() const { return path_; }

 private:
  void lock(const JournalOptions& options);
  void repair(const std::function<void(const std::string&)>& notice);

  std::string path_;
  int lock_ = -1;
  int file_ = -1;
  JournalContents before_;
  bool was_cut_ = false;
};

}  // namespace mlq::tune
