// Equal requests in flight share one upstream call: the first leads, the others follow. When the leader is
// answered, so are its followers; when it fails, each follower makes its own call; when it is cancelled or
// shed, the next follower leads. Equal means equal bytes: of two keys with one hash, the second goes on its
// own.
//
// At most kMostFollowers wait in all; a request beyond goes on its own. Bytes are counted and return to 0
// when all flights are over. Pure but for memory; not thread-safe: one owner.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/serve/gateway/cache.h"

namespace mlq::serve {

class SingleFlight {
 public:
  static constexpr size_t kMostFollowers = 65536;
  enum class Role : uint8_t {
    leader,    // make the call; then end() or hand_over()
    follower,  // wait
    alone,     // make the call; nobody follows, and there is nothing to end
  };

  Role join(std::string_view key, const CacheHash& hash, uint64_t token);
  Role join(std::string_view key, uint64_t token) { return join(key, cache_hash(key), token); }

  // The leader was answered, or failed: appends its followers in the order they came. The flight is over.
  void end(std::string_view key, const CacheHash& hash, std::vector<uint64_t>& followers);
  void end(std::string_view key, std::vector<uint64_t>& followers) { end(key, cache_hash(key), followers); }
  // The leader was cancelled or shed: the follower that leads now. None: the flight is over.
  std::optional<uint64_t> hand_over(std::string_view key, const CacheHash& hash);
  std::optional<uint64_t> hand_over(std::string_view key) { return hand_over(key, cache_hash(key)); }
  // A follower has gone. False: it does not follow there.
  bool leave(std::string_view key, const CacheHash& hash, uint64_t token);
  bool leave(std::string_view key, uint64_t token) { return leave(key, cache_hash(key), token); }

  size_t flights() const { return flights_.size(); }
  size_t followers() const { return followers_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Flight {
    std::string key;
    std::deque<uint64_t> followers;
  };
  using Flights = std::unordered_map<CacheHash, Flight, CacheHashOf>;
  Flights::iterator find(std::string_view key, const CacheHash& hash);
  void over(Flights::iterator flight);

  Flights flights_;
  size_t followers_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace mlq::serve
