#include "lib/serve/schedule/edf_queue.h"

#include <algorithm>

namespace mlq::serve {

EdfQueue::EdfQueue() { keys_.reserve(kMaxLiveKeys + 1); }

EdfQueue::Key* EdfQueue::find(uint64_t id, bool alone, bool group) {
  for (Key& key : keys_)
    if (key.id == id && key.alone == alone && key.group == group) return &key;
  return nullptr;
}

EdfQueue::Key& EdfQueue::find_or_add(uint64_t id, bool alone, bool group) {
  if (Key* key = find(id, alone, group)) return *key;
  if (!alone && !group) ++own_keys_;
  keys_.push_back({.id = id, .alone = alone, .group = group, .avoid = {}});
  return keys_.back();
}

void EdfQueue::put(Key& key, const Request& request) {
  const RequestTrees::Node node = trees_.insert(key.root, request);
  if (key.head == RequestTrees::kNone || goes_before(request, trees_.at(key.head))) key.head = node;
  ++key.requests;
  places_[request.token] = {.node = node, .key = key.id, .alone = key.alone, .group = key.group};
  rows_ += request.rows;
  bytes_ += request.bytes;
}

bool EdfQueue::push(const Request& request) {
  const bool alone =
      request.solo || (own_keys_ >= kMaxLiveKeys && find(request.key, false, false) == nullptr);
  put(find_or_add(alone ? 0 : request.key, alone, false), request);
  return alone;
}

void EdfQueue::push_again(uint64_t group, const Request& request, std::optional<uint32_t> avoid) {
  Key& key = find_or_add(group, false, true);
  key.avoid = avoid;
  put(key, request);
}

EdfQueue::Popped EdfQueue::take(size_t position, RequestTrees::Node node) {
  Key& key = keys_[position];
  Popped popped{.request = trees_.at(node)};
  trees_.erase(key.root, node);
  places_.erase(popped.request.token);
  rows_ -= popped.request.rows;
  bytes_ -= popped.request.bytes;
  if (--key.requests > 0) {
    if (key.head == node) key.head = trees_.first(key.root);
    return popped;
  }
  if (!key.alone && !key.group) --own_keys_;
  key = keys_.back();
  keys_.pop_back();
  popped.gone = true;
  return popped;
}

std::optional<Request> EdfQueue::cancel(uint64_t token) {
  const auto found = places_.find(token);
  if (found == places_.end()) return std::nullopt;
  const Place place = found->second;
  const Key* key = find(place.key, place.alone, place.group);
  return take(static_cast<size_t>(key - keys_.data()), place.node).request;
}

uint64_t EdfQueue::rows_due_from(const Key& key, int64_t from_ns) const {
  const Request from{.arrived_ns = INT64_MIN, .deadline_ns = from_ns, .level = head(key).level};
  return rows(key) - trees_.rows_before(key.root, from);
}

EdfQueue::Popped EdfQueue::pop(size_t key) { return take(key, keys_[key].head); }

int64_t EdfQueue::earliest_deadline() const {
  int64_t earliest_ns = kNoDeadline;
  for (const Key& key : keys_) earliest_ns = std::min(earliest_ns, trees_.earliest_deadline(key.root));
  return earliest_ns;
}

std::optional<Request> EdfQueue::pop_expired(int64_t now_ns) {
  for (size_t k = 0; k < keys_.size(); ++k)
    if (trees_.earliest_deadline(keys_[k].root) < now_ns)
      return take(k, trees_.earliest(keys_[k].root)).request;
  return std::nullopt;
}

uint64_t EdfQueue::rows_before(const Request& request) const {
  uint64_t sum = 0;
  for (const Key& key : keys_) sum += trees_.rows_before(key.root, request);
  return sum;
}

}  // namespace mlq::serve
