// Answers of one model, by what was asked. A miss costs one hash and one probe; an entry found by its hash
// counts only if the stored key has the same bytes. The budget counts key, answer and overhead of every
// entry.
//
//   clock   second chance in order of insertion: a hit sets a mark and moves nothing (Corbato, 1968).
//   s3fifo  a small queue of a tenth of the budget in front of the main one, and the hashes of what left the
//   small
//           one unused (Yang et al., FIFO queues are all you need for cache eviction, SOSP'23): what is asked
//           for once does not displace what is asked for often.
//
// Pure but for memory; times are steady nanoseconds given by the caller. Not thread-safe: one owner.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/serve/gateway/model_knobs.h"

namespace mlq::serve {

struct CacheHash {
  uint64_t lo = 0, hi = 0;
  bool operator==(const CacheHash&) const = default;
};
struct CacheHashOf {
  size_t operator()(const CacheHash& hash) const { return hash.lo; }
};
// XXH3-128 of the key's bytes.
CacheHash cache_hash(std::string_view key);

// What is stored: enough to answer again. A reply of v2 is kept without its id.
struct CachedReply {
  std::string content_type;
  std::optional<uint64_t> json_bytes;  // Inference-Header-Content-Length
  std::string body;
};

class ReplyCache {
 public:
  // Of 0 bytes: stores nothing.
  explicit ReplyCache(uint64_t budget_bytes = 0, CachePolicy policy = CachePolicy::clock,
                      int64_t ttl_ns = 60'000'000'000);

  // The answer, if it is there and not older than the time to live; it stays good after it left the cache.
  std::shared_ptr<const CachedReply> find(int64_t now_ns, std::string_view key) {
    return find(now_ns, key, cache_hash(key));
  }
  std::shared_ptr<const CachedReply> find(int64_t now_ns, std::string_view key, const CacheHash& hash);

  // Stores an answer, in place of one of the same hash. One that is larger than the budget is not stored.
  void store(int64_t now_ns, std::string_view key, CachedReply reply) {
    store(now_ns, key, cache_hash(key), std::move(reply));
  }
  void store(int64_t now_ns, std::string_view key, const CacheHash& hash, CachedReply reply);

  void clear();
  // Takes effect at once: what is beyond a smaller budget leaves. Entries keep the time to live they came
  // with.
  void configure(uint64_t budget_bytes, CachePolicy policy, int64_t ttl_ns);

  uint64_t bytes() const { return bytes_; }
  size_t size() const { return where_.size(); }

 private:
  using Index = uint32_t;
  static constexpr Index kNone = UINT32_MAX;
  struct Entry {
    CacheHash hash;
    std::string key;
    std::shared_ptr<const CachedReply> reply;
    uint64_t bytes = 0;
    int64_t expires_ns = 0;
    uint8_t uses = 0;  // since it came or had its last chance; 3 at most
    bool small = false;
    Index newer = kNone, older = kNone;
  };
  // Oldest and newest of a queue, and the bytes in it.
  struct Queue {
    Index oldest = kNone, newest = kNone;
    uint64_t bytes = 0;
  };

  Queue& queue_of(const Entry& entry) { return entry.small ? small_ : main_; }
  void append(Index index, bool small);
  void unlink(Index index);
  void erase(Index index);
  void make_room();
  void evict_main();
  void evict_small();
  void remember(const CacheHash& hash);
  bool take_ghost(const CacheHash& hash);

  uint64_t budget_bytes_;
  CachePolicy policy_;
  int64_t ttl_ns_;
  std::unordered_map<CacheHash, Index, CacheHashOf> where_;
  std::vector<Entry> entries_;
  std::vector<Index> unused_;
  Queue small_, main_;
  // Hashes of what left the small queue unused, the oldest in front; each with the number of its turn, since
  // one that came back leaves only the map. As many as there are entries at most, 64 at least.
  std::deque<std::pair<CacheHash, uint64_t>> ghosts_;
  std::unordered_map<CacheHash, uint64_t, CacheHashOf> ghost_turn_;
  uint64_t turns_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace mlq::serve
