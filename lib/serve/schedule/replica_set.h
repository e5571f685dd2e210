// Which replicas of a model may take work, and which of them takes the next batch: health, ejection,
// draining, warm-up, slow start and the retry budget. Pure: no clock, no I/O; every event brings its time,
// steady nanoseconds that never go back. Not thread-safe: one owner.
//
// A replica takes work when it is up, not ejected and not draining.
//   Active health: up, 3 failed checks in a row -> down, 2 good ones in a row -> up.
//   Passive: 5 failed batches in a row, or batches that take more than 3 times the median of the peers (at
//   least 3 peers) -> ejected for 5 s x 2^k, 60 s at most; k grows with every ejection and falls by one for
//   every minute without. At most half of the replicas are out by ejection at a time, and never the last one
//   that works. Slow start: over the first 10 s after it came up or back, its weight rises from 0.1 to 1 of
//   that of the others. The choice: two replicas drawn at random, the lower predicted finish wins
//   (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, IEEE TPDS 12(10), 2001). Retry
//   budget: every request adds `retry_share` of a retry, an upstream call that is made again takes one; 10 at
//   the start, 100 at most.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/random.h"

namespace mlq::serve {

using ReplicaId = uint32_t;

enum class ReplicaState : uint8_t { up, down, ejected, draining, added, removed };
std::string_view replica_state_name(ReplicaState state);

// A change to report.
struct ReplicaChange {
  ReplicaId replica = 0;
  ReplicaState state = ReplicaState::up;
  std::string_view reason;  // a literal
};

// How a batch ended, as the replica's health sees it.
enum class BatchOutcome : uint8_t {
  clean,      // every row answered; the only one a latency model learns from
  rejected,   // the replica answered, but with a client's error (4xx) or a reply that could not be split
  failed,     // refused, reset, timed out or 5xx
  abandoned,  // given up by us: says nothing about the replica
};

// What the choice weighs: a replica with a free slot and its predicted time to finish the batch.
struct ReplicaCandidate {
  ReplicaId replica = 0;
  double finish_ns = 0;  // remaining time of its flights + m(n)
};

class ReplicaSet {
 public:
  explicit ReplicaSet(uint64_t seed, double retry_share = 0.1);

  // A new replica. `ready`: takes work at once (a replica from the configuration, the instances of a model
  // server), at full weight. Otherwise it is `added` and takes work after one good health check and 3 warm
  // answers. Adding an id that is there does nothing.
  void add(int64_t now_ns, ReplicaId id, bool ready);
  void remove(int64_t now_ns, ReplicaId id);  // its flights may still end; their ends are ignored
  void drain(int64_t now_ns, ReplicaId id);   // takes no new work until undrain
  void undrain(int64_t now_ns, ReplicaId id);

  void health(int64_t now_ns, ReplicaId id, bool good);       // the answer to an active check
  void warm_answer(int64_t now_ns, ReplicaId id, bool good);  // a warm-up request of an added replica ended
  bool wants_warm(ReplicaId id) const;                        // ready by health, but not yet warm
  // A batch ended. `ratio` is its latency divided by what is usual for its size over all replicas, so that
  // batches of different sizes compare; only of clean batches.
  void batch_ended(int64_t now_ns, ReplicaId id, BatchOutcome outcome, double ratio);
  // Ends ejections that are over; call it when next_change_ns() has passed.
  void advance(int64_t now_ns);
  std::optional<int64_t> next_change_ns() const;

  bool known(ReplicaId id) const { return find(id) != nullptr; }
  bool serving(ReplicaId id) const;
  uint32_t serving_count() const;
  // 0.1 to 1: what share of its usual work it is to get. 0 when it does not serve or is not known.
  double weight(int64_t now_ns, ReplicaId id) const;
  ReplicaState state(ReplicaId id) const;  // `removed` if it is not known
  std::vector<ReplicaId> ids() const;

  // The index of the winner among candidates, at least one; finish times are divided by the weight.
  size_t choose(int64_t now_ns, std::span<const ReplicaCandidate> candidates);

  void set_retry_share(double share) { retry_share_ = share; }
  void request_seen();  // a request came in: adds to the budget
  bool take_retry();    // true: the budget has one, and it is taken
  double retries() const { return retries_; }

  // Changes since the last call, appended in order; at most 1024 are kept, the oldest give way.
  void take_changes(std::vector<ReplicaChange>& into);

 private:
  struct Replica {
    ReplicaId id = 0;
    bool up = false;
    bool warm = true;    // false: added, still to be warmed
    bool ready = false;  // by the last health check, while it is being warmed
    bool draining = false;
    uint32_t good_checks = 0, bad_checks = 0, warm_answers = 0;  // in a row
    uint32_t failures = 0;                                       // batches in a row
    uint32_t ejections = 0;                                      // the k of 5 s x 2^k
    int64_t ejected_until_ns = 0;                                // 0: not ejected
    int64_t back_ns = 0;                                         // when the last ejection ended
    int64_t slow_from_ns = INT64_MIN;                            // start of the slow start
    double ratio = 1;                                            // decayed mean over about 8 batches
    uint32_t ratios = 0;
  };

  const Replica* find(ReplicaId id) const;
  Replica* find(ReplicaId id);
  static bool serves(const Replica& replica) {
    return replica.up && replica.warm && !replica.draining && replica.ejected_until_ns == 0;
  }
  void come_up(int64_t now_ns, Replica& replica, std::string_view reason);
  bool too_slow(const Replica& replica) const;
  void eject(int64_t now_ns, Replica& replica, std::string_view reason);
  bool may_eject(const Replica& replica) const;
  void report(const Replica& replica, ReplicaState state, std::string_view reason);

  std::vector<Replica> replicas_;
  std::vector<ReplicaChange> changes_;
  RandomStream random_;
  uint64_t draws_ = 0;
  double retry_share_;
  double retries_ = 10;
};

}  // namespace mlq::serve
