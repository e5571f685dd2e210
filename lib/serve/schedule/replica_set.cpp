#include "lib/serve/schedule/replica_set.h"

#include <algorithm>
#include <array>

namespace mlq::serve {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint32_t kDownAfter = 3, kUpAfter = 2, kWarmAfter = 3;
constexpr uint32_t kFailures = 5;
constexpr double kSlowFactor = 3, kRatioShare = 1.0 / 8;
constexpr uint32_t kRatiosNeeded = 8;
constexpr size_t kPeers = 3;
constexpr int64_t kEjectionNs = 5 * kSecond, kLongestEjectionNs = 60 * kSecond;
constexpr int64_t kForgiveNs = 60 * kSecond;
constexpr int64_t kSlowStartNs = 10 * kSecond;
constexpr double kLeastWeight = 0.1;
constexpr double kMostRetries = 100;
constexpr size_t kMostChanges = 1024;
constexpr std::array<std::string_view, 6> kStateNames{"up",       "down",  "ejected",
                                                      "draining", "added", "removed"};

}  // namespace

std::string_view replica_state_name(ReplicaState state) { return kStateNames[static_cast<size_t>(state)]; }

ReplicaSet::ReplicaSet(uint64_t seed, double retry_share)
    : random_(seed, Purpose::service), retry_share_(retry_share) {}

const ReplicaSet::Replica* ReplicaSet::find(ReplicaId id) const {
  for (const Replica& replica : replicas_)
    if (replica.id == id) return &replica;
  return nullptr;
}
ReplicaSet::Replica* ReplicaSet::find(ReplicaId id) {
  return const_cast<Replica*>(static_cast<const ReplicaSet*>(this)->find(id));
}

void ReplicaSet::report(const Replica& replica, ReplicaState state, std::string_view reason) {
  if (changes_.size() == kMostChanges) changes_.erase(changes_.begin());
  changes_.push_back({replica.id, state, reason});
}

void ReplicaSet::take_changes(std::vector<ReplicaChange>& into) {
  into.insert(into.end(), changes_.begin(), changes_.end());
  changes_.clear();
}

void ReplicaSet::add(int64_t, ReplicaId id, bool ready) {
  if (find(id) != nullptr) return;
  Replica& replica = replicas_.emplace_back();
  replica.id = id;
  replica.up = replica.warm = ready;
  report(replica, ready ? ReplicaState::up : ReplicaState::added, ready ? "configured" : "warming up");
}

void ReplicaSet::remove(int64_t, ReplicaId id) {
  if (const Replica* replica = find(id)) report(*replica, ReplicaState::removed, "removed");
  std::erase_if(replicas_, [&](const Replica& replica) { return replica.id == id; });
}

void ReplicaSet::drain(int64_t, ReplicaId id) {
  Replica* replica = find(id);
  if (replica == nullptr || replica->draining) return;
  replica->draining = true;
  report(*replica, ReplicaState::draining, "asked to");
}

void ReplicaSet::undrain(int64_t now_ns, ReplicaId id) {
  Replica* replica = find(id);
  if (replica == nullptr || !replica->draining) return;
  replica->draining = false;
  if (serves(*replica)) {
    come_up(now_ns, *replica, "undrained");
  } else {
    report(*replica, state(id), "undrained");
  }
}

// Starts anew: slowly, and with no memory of what was before.
void ReplicaSet::come_up(int64_t now_ns, Replica& replica, std::string_view reason) {
  replica.up = true;
  replica.failures = 0;
  replica.ratio = 1;
  replica.ratios = 0;
  replica.slow_from_ns = now_ns;
  if (serves(replica)) report(replica, ReplicaState::up, reason);
}

void ReplicaSet::health(int64_t now_ns, ReplicaId id, bool good) {
  Replica* replica = find(id);
  if (replica == nullptr) return;
  replica->good_checks = good ? replica->good_checks + 1 : 0;
  replica->bad_checks = good ? 0 : replica->bad_checks + 1;
  if (!replica->warm) {
    replica->ready = good;
    return;
  }
  if (replica->up && replica->bad_checks >= kDownAfter) {
    replica->up = false;
    report(*replica, ReplicaState::down, "health");
  } else if (!replica->up && replica->good_checks >= kUpAfter) {
    come_up(now_ns, *replica, "health");
  }
}

bool ReplicaSet::wants_warm(ReplicaId id) const {
  const Replica* replica = find(id);
  return replica != nullptr && !replica->warm && replica->ready;
}

void ReplicaSet::warm_answer(int64_t now_ns, ReplicaId id, bool good) {
  Replica* replica = find(id);
  if (replica == nullptr || replica->warm) return;
  replica->warm_answers = good ? replica->warm_answers + 1 : 0;
  if (replica->warm_answers < kWarmAfter) return;
  replica->warm = true;
  come_up(now_ns, *replica, "warm");
}

bool ReplicaSet::may_eject(const Replica& replica) const {
  if (!serves(replica)) return false;
  size_t ejected = 0;
  for (const Replica& other : replicas_) ejected += other.ejected_until_ns != 0 ? 1 : 0;
  return 2 * (ejected + 1) <= replicas_.size() && serving_count() > 1;
}

void ReplicaSet::eject(int64_t now_ns, Replica& replica, std::string_view reason) {
  if (!may_eject(replica)) return;
  const auto quiet = static_cast<uint32_t>(
      replica.ejections == 0 ? 0 : std::min<int64_t>((now_ns - replica.back_ns) / kForgiveNs, UINT32_MAX));
  replica.ejections -= std::min(replica.ejections, quiet);
  const int64_t length_ns = std::min(kEjectionNs << std::min(replica.ejections, 8u), kLongestEjectionNs);
  ++replica.ejections;
  replica.ejected_until_ns = now_ns + length_ns;
  report(replica, ReplicaState::ejected, reason);
}

bool ReplicaSet::too_slow(const Replica& replica) const {
  if (replica.ratios < kRatiosNeeded) return false;
  std::vector<double> peers;
  for (const Replica& other : replicas_)
    if (other.id != replica.id && serves(other) && other.ratios >= kRatiosNeeded)
      peers.push_back(other.ratio);
  if (peers.size() < kPeers) return false;
  const auto middle = peers.begin() + static_cast<std::ptrdiff_t>(peers.size() / 2);
  std::nth_element(peers.begin(), middle, peers.end());
  return replica.ratio > kSlowFactor * *middle;
}

void ReplicaSet::batch_ended(int64_t now_ns, ReplicaId id, BatchOutcome outcome, double ratio) {
  Replica* replica = find(id);
  if (replica == nullptr || outcome == BatchOutcome::abandoned) return;
  if (outcome == BatchOutcome::failed) {
    if (++replica->failures >= kFailures) eject(now_ns, *replica, "failures");
    return;
  }
  replica->failures = 0;
  if (outcome != BatchOutcome::clean) return;
  replica->ratio += (replica->ratios == 0 ? 1 : kRatioShare) * (ratio - replica->ratio);
  ++replica->ratios;
  if (too_slow(*replica)) eject(now_ns, *replica, "slow");
}

void ReplicaSet::advance(int64_t now_ns) {
  for (Replica& replica : replicas_) {
    if (replica.ejected_until_ns == 0 || replica.ejected_until_ns > now_ns) continue;
    replica.ejected_until_ns = 0;
    replica.back_ns = now_ns;
    if (replica.up) come_up(now_ns, replica, "ejection over");
  }
}

std::optional<int64_t> ReplicaSet::next_change_ns() const {
  std::optional<int64_t> next;
  for (const Replica& replica : replicas_)
    if (replica.ejected_until_ns != 0) next = std::min(next.value_or(INT64_MAX), replica.ejected_until_ns);
  return next;
}

bool ReplicaSet::serving(ReplicaId id) const {
  const Replica* replica = find(id);
  return replica != nullptr && serves(*replica);
}

uint32_t ReplicaSet::serving_count() const {
  return static_cast<uint32_t>(std::count_if(replicas_.begin(), replicas_.end(), serves));
}

double ReplicaSet::weight(int64_t now_ns, ReplicaId id) const {
  const Replica* replica = find(id);
  if (replica == nullptr || !serves(*replica)) return 0;
  const auto share = [&](const Replica& r) {
    if (r.slow_from_ns == INT64_MIN) return 1.0;
    return std::clamp(static_cast<double>(now_ns - r.slow_from_ns) / double{kSlowStartNs}, kLeastWeight, 1.0);
  };
  // A slow start is for those who have others to take the rest.
  double most = kLeastWeight;
  for (const Replica& other : replicas_)
    if (serves(other)) most = std::max(most, share(other));
  return share(*replica) / most;
}

ReplicaState ReplicaSet::state(ReplicaId id) const {
  const Replica* replica = find(id);
  if (replica == nullptr) return ReplicaState::removed;
  if (!replica->warm) return ReplicaState::added;
  if (replica->draining) return ReplicaState::draining;
  if (!replica->up) return ReplicaState::down;
  return replica->ejected_until_ns != 0 ? ReplicaState::ejected : ReplicaState::up;
}

std::vector<ReplicaId> ReplicaSet::ids() const {
  std::vector<ReplicaId> ids;
  for (const Replica& replica : replicas_) ids.push_back(replica.id);
  return ids;
}

size_t ReplicaSet::choose(int64_t now_ns, std::span<const ReplicaCandidate> candidates) {
  const size_t n = candidates.size();
  if (n == 1) return 0;
  const UniformPair u = random_.uniforms(draws_++);
  const auto a = std::min(n - 1, static_cast<size_t>(u.a * static_cast<double>(n)));
  // Another one: one of the n - 1 that follow a, around the circle.
  const size_t b = (a + 1 + std::min(n - 2, static_cast<size_t>(u.b * static_cast<double>(n - 1)))) % n;
  const auto cost = [&](size_t k) {
    return candidates[k].finish_ns / std::max(weight(now_ns, candidates[k].replica), kLeastWeight);
  };
  return cost(a) <= cost(b) ? a : b;
}

void ReplicaSet::request_seen() { retries_ = std::min(kMostRetries, retries_ + retry_share_); }

bool ReplicaSet::take_retry() {
  if (retries_ < 1 || retry_share_ <= 0) return false;
  retries_ -= 1;
  return true;
}

}  // namespace mlq::serve
