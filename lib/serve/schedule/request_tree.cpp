#include "lib/serve/schedule/request_tree.h"

#include <algorithm>

#include "lib/base/random.h"

namespace mlq::serve {

RequestTrees::Node RequestTrees::make(const Request& request) {
  Node node;
  if (unused_.empty()) {
    node = static_cast<Node>(nodes_.size());
    nodes_.emplace_back();
  } else {
    node = unused_.back();
    unused_.pop_back();
  }
  nodes_[node] = {.request = request,
                  .sequence = sequence_,
                  .rows = request.rows,
                  .earliest_ns = request.deadline_ns,
                  .priority = static_cast<uint32_t>(mix64(sequence_ + 1)),
                  .left = kNone,
                  .right = kNone};
  ++sequence_;
  return node;
}

bool RequestTrees::before(Node a, Node b) const {
  const Entry &x = nodes_[a], &y = nodes_[b];
  if (goes_before(x.request, y.request)) return true;
  return !goes_before(y.request, x.request) && x.sequence < y.sequence;
}

void RequestTrees::refresh(Node node) {
  Entry& entry = nodes_[node];
  entry.rows = entry.request.rows + rows(entry.left) + rows(entry.right);
  entry.earliest_ns =
      std::min({entry.request.deadline_ns, earliest_deadline(entry.left), earliest_deadline(entry.right)});
}

RequestTrees::Node RequestTrees::merge(Node left, Node right) {
  if (left == kNone) return right;
  if (right == kNone) return left;
  if (nodes_[left].priority > nodes_[right].priority) {
    nodes_[left].right = merge(nodes_[left].right, right);
    refresh(left);
    return left;
  }
  nodes_[right].left = merge(left, nodes_[right].left);
  refresh(right);
  return right;
}

void RequestTrees::split(Node tree, Node pivot, Node& left, Node& right) {
  if (tree == kNone) {
    left = right = kNone;
    return;
  }
  if (before(tree, pivot)) {
    split(nodes_[tree].right, pivot, nodes_[tree].right, right);
    left = tree;
  } else {
    split(nodes_[tree].left, pivot, left, nodes_[tree].left);
    right = tree;
  }
  refresh(tree);
}

RequestTrees::Node RequestTrees::insert(Node& root, const Request& request) {
  const Node node = make(request);
  Node left = kNone, right = kNone;
  split(root, node, left, right);
  root = merge(merge(left, node), right);
  return node;
}

RequestTrees::Node RequestTrees::without(Node tree, Node node) {
  if (tree == node) return merge(nodes_[tree].left, nodes_[tree].right);
  if (before(node, tree)) {
    nodes_[tree].left = without(nodes_[tree].left, node);
  } else {
    nodes_[tree].right = without(nodes_[tree].right, node);
  }
  refresh(tree);
  return tree;
}

void RequestTrees::erase(Node& root, Node node) {
  root = without(root, node);
  unused_.push_back(node);
}

RequestTrees::Node RequestTrees::first(Node root) const {
  if (root == kNone) return kNone;
  while (nodes_[root].left != kNone) root = nodes_[root].left;
  return root;
}

RequestTrees::Node RequestTrees::earliest(Node root) const {
  const int64_t deadline_ns = nodes_[root].earliest_ns;
  while (nodes_[root].request.deadline_ns != deadline_ns) {
    const Node left = nodes_[root].left;
    root = left != kNone && nodes_[left].earliest_ns == deadline_ns ? left : nodes_[root].right;
  }
  return root;
}

uint64_t RequestTrees::rows_before(Node root, const Request& request) const {
  uint64_t sum = 0;
  while (root != kNone) {
    const Entry& entry = nodes_[root];
    if (goes_before(request, entry.request)) {
      root = entry.left;
    } else {
      sum += rows(entry.left) + entry.request.rows;
      root = entry.right;
    }
  }
  return sum;
}

}  // namespace mlq::serve
