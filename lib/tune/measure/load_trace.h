// A trace held in memory and walked round and round, so that windows can be cut from it one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/units.h"
#include "lib/records/arrival.h"
#include "lib/records/reader.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

// Arrivals are numbered through all rounds: k = round * size() + place. Times are on the wall (trace time
// over speed), of all rounds too. Immutable after construction; any thread. Memory: the text of the arrivals
// and 24 bytes each.
class LoadTrace {
 public:
  static constexpr size_t kMostBytes = size_t{4} << 30;

  // Reads to the end, and sorts what is out of order. Input Errors: no arrival, a negative time, more than
  // kMostBytes of text, and what Reader::finish() says.
  LoadTrace(records::Reader& reader, const Ratio& speed);

  size_t size() const { return places_.size(); }
  int64_t round_ns() const { return round_ns_; }  // > 0
  int64_t due_ns(uint64_t k) const {
    return static_cast<int64_t>(k / size()) * round_ns_ + places_[k % size()].due_ns;
  }
  // The first arrival that is due at `t_ns` >= 0 or later.
  uint64_t first_from(int64_t t_ns) const;
  records::Arrival arrival(uint64_t k) const;
  std::string segment(uint64_t k) const;  // empty: the trace names none
  // Every arrival says which episode it belongs to.
  bool has_episodes() const { return has_episodes_; }
  // The arrival behind the last of k's episode.
  uint64_t episode_end(uint64_t k) const;

  // Rate and burstiness of what is due in [from_ns, to_ns).
  WindowSource::Upcoming describe(int64_t from_ns, int64_t to_ns) const;

 private:
  struct Place {
    int64_t due_ns;
    uint64_t text;  // where it begins in text_
    uint32_t episode, segment;
  };
  records::Arrival parse(const Place& place) const;

  std::string text_;  // a line each
  std::vector<Place> places_;
  int64_t round_ns_ = 0;
  bool has_episodes_ = true;
};

}  // namespace mlq::tune
