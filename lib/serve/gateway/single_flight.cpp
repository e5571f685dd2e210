#include "lib/serve/gateway/single_flight.h"

#include <algorithm>

namespace mlq::serve {
namespace {

constexpr uint64_t kFlightOverhead = 192, kFollowerBytes = sizeof(uint64_t);

}  // namespace

SingleFlight::Flights::iterator SingleFlight::find(std::string_view key, const CacheHash& hash) {
  const auto found = flights_.find(hash);
  return found != flights_.end() && found->second.key == key ? found : flights_.end();
}

SingleFlight::Role SingleFlight::join(std::string_view key, const CacheHash& hash, uint64_t token) {
  const auto [flight, is_new] = flights_.try_emplace(hash);
  if (is_new) {
    flight->second.key = key;
    bytes_ += key.size() + kFlightOverhead;
    return Role::leader;
  }
  if (flight->second.key != key || followers_ == kMostFollowers) return Role::alone;
  flight->second.followers.push_back(token);
  ++followers_;
  bytes_ += kFollowerBytes;
  return Role::follower;
}

void SingleFlight::over(Flights::iterator flight) {
  const size_t waiting = flight->second.followers.size();
  followers_ -= waiting;
  bytes_ -= flight->second.key.size() + kFlightOverhead + waiting * kFollowerBytes;
  flights_.erase(flight);
}

void SingleFlight::end(std::string_view key, const CacheHash& hash, std::vector<uint64_t>& followers) {
  const auto flight = find(key, hash);
  if (flight == flights_.end()) return;
  followers.insert(followers.end(), flight->second.followers.begin(), flight->second.followers.end());
  over(flight);
}

std::optional<uint64_t> SingleFlight::hand_over(std::string_view key, const CacheHash& hash) {
  const auto flight = find(key, hash);
  if (flight == flights_.end()) return std::nullopt;
  if (flight->second.followers.empty()) {
    over(flight);
    return std::nullopt;
  }
  const uint64_t next = flight->second.followers.front();
  flight->second.followers.pop_front();
  --followers_;
  bytes_ -= kFollowerBytes;
  return next;
}

bool SingleFlight::leave(std::string_view key, const CacheHash& hash, uint64_t token) {
  const auto flight = find(key, hash);
  if (flight == flights_.end()) return false;
  auto& followers = flight->second.followers;
  const auto place = std::find(followers.begin(), followers.end(), token);
  if (place == followers.end()) return false;
  followers.erase(place);
  --followers_;
  bytes_ -= kFollowerBytes;
  return true;
}

}  // namespace mlq::serve
