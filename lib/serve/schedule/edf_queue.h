// The requests of one model that wait, a queue for every batch key, each in the order (level, deadline,
// arrival). At most kMaxLiveKeys keys have a queue of their own; requests of further keys, and those that are
// `solo`, share one from which they leave one by one. Groups, which come again after a failure, are keys
// beside that bound: their number is bounded by the batches that were in flight. Rows and bytes are counted;
// whether there is room is the caller's question before push(). O(log n) an operation and O(keys) to find a
// head. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "lib/serve/schedule/request.h"
#include "lib/serve/schedule/request_tree.h"

namespace mlq::serve {

class EdfQueue {
 public:
  struct Key {
    uint64_t id = 0;
    bool alone = false;             // its requests leave one by one
    bool group = false;             // came again; `avoid` may be set
    std::optional<uint32_t> avoid;  // a replica not to send it to
    uint32_t requests = 0;
    RequestTrees::Node root = RequestTrees::kNone;
    RequestTrees::Node head = RequestTrees::kNone;
  };

  EdfQueue();

  // Takes a request in. True: it leaves alone, because it is solo or there are too many keys.
  bool push(const Request& request);
  // Takes in a request of a group.
  void push_again(uint64_t group, const Request& request, std::optional<uint32_t> avoid);
  // Takes the request out, if it waits.
  std::optional<Request> cancel(uint64_t token);

  // The keys that have requests, in no order; the position of a key is good until the next pop or cancel.
  const std::vector<Key>& keys() const { return keys_; }
  const Request& head(const Key& key) const { return trees_.at(key.head); }
  uint64_t rows(const Key& key) const { return trees_.rows(key.root); }
  // Rows of the key that are of a lower level than its head, or have a deadline not before `from_ns`.
  uint64_t rows_due_from(const Key& key, int64_t from_ns) const;
  // The head of the key at that position leaves. `gone`: it was the key's last, and the key is away.
  struct Popped {
    Request request;
    bool gone = false;
  };
  Popped pop(size_t key);
  // The request with the earliest deadline leaves if that is before `now_ns`.
  std::optional<Request> pop_expired(int64_t now_ns);
  int64_t earliest_deadline() const;  // of all; kNoDeadline if none has one

  // Rows that wait and go before it, over all keys.
  uint64_t rows_before(const Request& request) const;
  uint64_t rows() const { return rows_; }
  uint64_t bytes() const { return bytes_; }
  size_t size() const { return places_.size(); }

 private:
  struct Place {
    RequestTrees::Node node = RequestTrees::kNone;
    uint64_t key = 0;
    bool alone = false, group = false;
  };
  Key* find(uint64_t id, bool alone, bool group);
  Key& find_or_add(uint64_t id, bool alone, bool group);
  void put(Key& key, const Request& request);
  Popped take(size_t key, RequestTrees::Node node);

  RequestTrees trees_;
  std::vector<Key> keys_;
  size_t own_keys_ = 0;  // neither alone nor groups
  std::unordered_map<uint64_t, Place> places_;
  uint64_t rows_ = 0, bytes_ = 0;
};

}  // namespace mlq::serve
