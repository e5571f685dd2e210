// Requests in their order of service, with the sum of rows and the earliest deadline of any range that starts
// at the front: a treap (Seidel and Aragon, Randomized Search Trees, Algorithmica 16, 1996) in one vector of
// nodes, shared by all trees of a pool. Every operation is O(log n) expected; memory is used again and only
// grows with the largest number that ever waited. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/serve/schedule/request.h"

namespace mlq::serve {

class RequestTrees {
 public:
  using Node = uint32_t;
  static constexpr Node kNone = UINT32_MAX;

  // A tree is its root; an empty one is kNone.
  Node insert(Node& root, const Request& request);  // after all that it does not go before
  void erase(Node& root, Node node);                // `node` is in the tree
  Node first(Node root) const;                      // kNone of an empty tree
  // Some request whose deadline is the earliest, whatever its place. The tree is not empty.
  Node earliest(Node root) const;
  // Rows of the requests that go before `request`, or are its equals: they came earlier.
  uint64_t rows_before(Node root, const Request& request) const;
  uint64_t rows(Node root) const { return root == kNone ? 0 : nodes_[root].rows; }
  int64_t earliest_deadline(Node root) const {
    return root == kNone ? kNoDeadline : nodes_[root].earliest_ns;
  }
  const Request& at(Node node) const { return nodes_[node].request; }

 private:
  struct Entry {
    Request request;
    uint64_t sequence = 0;  // breaks ties: first come, first served
    uint64_t rows = 0;      // of the subtree
    int64_t earliest_ns = kNoDeadline;
    uint32_t priority = 0;
    Node left = kNone, right = kNone;
  };
  Node make(const Request& request);
  bool before(Node a, Node b) const;
  void refresh(Node node);
  Node merge(Node left, Node right);
  void split(Node tree, Node pivot, Node& left, Node& right);  // left: what goes before the pivot
  Node without(Node tree, Node node);

  std::vector<Entry> nodes_;
  std::vector<Node> unused_;
  uint64_t sequence_ = 0;
};

}  // namespace mlq::serve
