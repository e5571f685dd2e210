#include "lib/serve/gateway/cache.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace mlq::serve {
namespace {

constexpr uint64_t kOverhead = 256;  // entry, place in the map, shared pointer
constexpr uint8_t kMostUses = 3;
constexpr size_t kLeastGhosts = 64;

}  // namespace

CacheHash cache_hash(std::string_view key) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return {hash.low64, hash.high64};
}

ReplyCache::ReplyCache(uint64_t budget_bytes, CachePolicy policy, int64_t ttl_ns)
    : budget_bytes_(budget_bytes), policy_(policy), ttl_ns_(ttl_ns) {}

std::shared_ptr<const CachedReply> ReplyCache::find(int64_t now_ns, std::string_view key,
                                                    const CacheHash& hash) {
  const auto found = where_.find(hash);
  if (found == where_.end()) return nullptr;
  Entry& entry = entries_[found->second];
  if (entry.key != key) return nullptr;
  if (entry.expires_ns <= now_ns) {
    erase(found->second);
    return nullptr;
  }
  entry.uses = std::min<uint8_t>(kMostUses, entry.uses + 1);
  return entry.reply;
}

void ReplyCache::store(int64_t now_ns, std::string_view key, const CacheHash& hash, CachedReply reply) {
  const uint64_t bytes = key.size() + reply.content_type.size() + reply.body.size() + kOverhead;
  if (const auto old = where_.find(hash); old != where_.end()) erase(old->second);
  if (bytes > budget_bytes_) return;
  Index index;
  if (unused_.empty()) {
    index = static_cast<Index>(entries_.size());
    entries_.emplace_back();
  } else {
    index = unused_.back();
    unused_.pop_back();
  }
  Entry& entry = entries_[index];
  entry.hash = hash;
  entry.key = key;
  entry.reply = std::make_shared<const CachedReply>(std::move(reply));
  entry.bytes = bytes;
  entry.expires_ns = now_ns > INT64_MAX - ttl_ns_ ? INT64_MAX : now_ns + ttl_ns_;
  entry.uses = 0;
  where_.emplace(hash, index);
  bytes_ += bytes;
  append(index, policy_ == CachePolicy::s3fifo && !take_ghost(hash));
  make_room();
}

void ReplyCache::append(Index index, bool small) {
  Entry& entry = entries_[index];
  entry.small = small;
  Queue& queue = queue_of(entry);
  entry.older = queue.newest;
  entry.newer = kNone;
  (queue.newest == kNone ? queue.oldest : entries_[queue.newest].newer) = index;
  queue.newest = index;
  queue.bytes += entry.bytes;
}

void ReplyCache::unlink(Index index) {
  const Entry& entry = entries_[index];
  Queue& queue = queue_of(entry);
  (entry.older == kNone ? queue.oldest : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNone ? queue.newest : entries_[entry.newer].older) = entry.older;
  queue.bytes -= entry.bytes;
}

void ReplyCache::erase(Index index) {
  unlink(index);
  Entry& entry = entries_[index];
  bytes_ -= entry.bytes;
  where_.erase(entry.hash);
  entry = Entry();
  unused_.push_back(index);
}

void ReplyCache::make_room() {
  while (bytes_ > budget_bytes_) {
    if (small_.oldest != kNone && (small_.bytes > budget_bytes_ / 10 || main_.oldest == kNone)) {
      evict_small();
    } else {
      evict_main();
    }
  }
}

// The oldest leaves, or goes round once more if it was used.
void ReplyCache::evict_main() {
  const Index index = main_.oldest;
  Entry& entry = entries_[index];
  if (entry.uses == 0) {
    erase(index);
    return;
  }
  entry.uses = policy_ == CachePolicy::clock ? 0 : static_cast<uint8_t>(entry.uses - 1);
  unlink(index);
  append(index, false);
}

void ReplyCache::evict_small() {
  const Index index = small_.oldest;
  Entry& entry = entries_[index];
  if (entry.uses == 0) {
    remember(entry.hash);
    erase(index);
    return;
  }
  entry.uses = 0;
  unlink(index);
  append(index, false);
}

void ReplyCache::remember(const CacheHash& hash) {
  ghosts_.emplace_back(hash, ++turns_);
  ghost_turn_[hash] = turns_;
  while (ghosts_.size() > std::max(kLeastGhosts, where_.size())) {
    const auto [oldest, turn] = ghosts_.front();
    ghosts_.pop_front();
    const auto found = ghost_turn_.find(oldest);
    if (found != ghost_turn_.end() && found->second == turn) ghost_turn_.erase(found);
  }
}

bool ReplyCache::take_ghost(const CacheHash& hash) { return ghost_turn_.erase(hash) > 0; }

void ReplyCache::clear() { *this = ReplyCache(budget_bytes_, policy_, ttl_ns_); }

void ReplyCache::configure(uint64_t budget_bytes, CachePolicy policy, int64_t ttl_ns) {
  budget_bytes_ = budget_bytes;
  ttl_ns_ = ttl_ns;
  if (policy != policy_) {
    policy_ = policy;
    while (small_.oldest != kNone) {
      const Index index = small_.oldest;
      unlink(index);
      append(index, false);
    }
    ghosts_.clear();
    ghost_turn_.clear();
  }
  make_room();
}

}  // namespace mlq::serve
