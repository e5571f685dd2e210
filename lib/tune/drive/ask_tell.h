// A search whose trials somebody else runs: a shell loop, make, a scheduler. One configuration out, one
// result in, everything else in the journal.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/load.h"
#include "lib/tune/journal/journal.h"
#include "lib/tune/learn/history.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// The row that a result stands for. An input Error that begins with `where` if it holds no figure that the
// objective can use, or one that no window has (a latency that is not above 0).
Observation told_row(const records::Tell& tell, const Objective& objective, const std::string& where);

// Not thread-safe. `space` and `objective` must outlive it.
class AskTell {
 public:
  // Takes in what the journal knows.
  AskTell(const TunerOptions& tuner, const Space& space, const Objective& objective, PointId start,
          const JournalContents& journal);

  // The ask that has not been told yet, if there is one.
  std::optional<records::Ask> pending() const;
  // The next configuration; none if `budget` trials were told, or the tuner has ended.
  std::optional<records::Ask> ask(const std::string& level, uint64_t budget);
  // Takes a result in. False if the very same was told before. An input Error for an unknown `i`, for a
  // `config` that is not that of its `i`, for another result of one that was told, and as told_row.
  bool tell(records::Tell& tell, const std::string& where);

  const History& history() const { return history_; }
  Tuner& tuner() { return *tuner_; }
  uint64_t told() const { return told_.size(); }
  std::optional<PointId> best(LevelId level) { return tuner_->recommend(history_, level); }

 private:
  struct Asked {
    records::Ask ask;
    PointId point = 0;
    bool told = false;
  };
  bool take(records::Tell& tell, const std::string& where, bool from_journal);
  bool told_before(const records::Tell& tell, const std::string& where) const;
  Asked* find(const records::Tell& tell);
  void learn(const records::Tell& tell, PointId point, const std::string& level, const std::string& where);

  const Space& space_;
  const Objective& objective_;
  History history_;
  std::unique_ptr<Tuner> tuner_;
  std::vector<Asked> asked_;
  std::vector<records::Tell> told_;
  uint64_t next_i_ = 0;
};

// What a run of mlq-replay says of a configuration.
records::Tell tell_of(const records::Summary& summary);

}  // namespace mlq::tune
