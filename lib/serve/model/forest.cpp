#include <algorithm>

#include "lib/serve/model/json_models.h"
#include "lib/serve/model/model_file.h"

namespace mlq::serve::model {
namespace {

struct Node {
  int32_t feature = -1;  // -1: a leaf, and left is its row of the values
  uint32_t left = 0;
  uint32_t right = 0;
  double threshold = 0;  // x <= threshold goes left
};

struct Tree {
  std::vector<Node> nodes;  // children stand behind their parents, so that every way ends
  Matrix values;            // a row a leaf, a column a class
};

struct ForestFile {
  size_t features = 0;
  bool mean = true;
  std::vector<int64_t> classes;
  std::vector<Tree> trees;
};

constexpr int64_t kMostNodes = int64_t{1} << 30;

// The node that `key` of node `i` names.
uint32_t child(const ModelFields& file, std::string_view key, const std::vector<int64_t>& children,
               size_t i) {
  const int64_t to = children[i];
  if (to <= static_cast<int64_t>(i) || to >= static_cast<int64_t>(children.size()))
    file.refuse(key, "node {} leads to {}; it must lead to a later one of the {}", i, to, children.size());
  return static_cast<uint32_t>(to);
}

Tree read_tree(const ModelFields& file, const ForestFile& forest) {
  Tree tree;
  const std::vector<int64_t> feature = file.integers("feature");
  const size_t n = feature.size();
  if (n == 0 || n > static_cast<size_t>(kMostNodes))
    file.refuse("feature", "a tree has from 1 to 2^30 nodes");
  const std::vector<double> threshold = file.numbers("threshold", n);
  const std::vector<int64_t> left = file.integers("left", n);
  const std::vector<int64_t> right = file.integers("right", n);
  tree.values = file.matrix("value");
  if (tree.values.columns != forest.classes.size())
    file.refuse("value", "it has {} columns for {} classes", tree.values.columns, forest.classes.size());
  for (size_t i = 0; i < n; ++i) {
    Node& node = tree.nodes.emplace_back();
    if (feature[i] == -1) {
      if (left[i] < 0 || static_cast<uint64_t>(left[i]) >= tree.values.rows)
        file.refuse("left", "leaf {} has row {} of {} values", i, left[i], tree.values.rows);
      node.left = static_cast<uint32_t>(left[i]);
      continue;
    }
    if (feature[i] < 0 || static_cast<uint64_t>(feature[i]) >= forest.features)
      file.refuse("feature", "node {} asks for feature {} of {}", i, feature[i], forest.features);
    node = {static_cast<int32_t>(feature[i]), child(file, "left", left, i), child(file, "right", right, i),
            threshold[i]};
  }
  return tree;
}

ForestFile read(const std::string& name, std::string_view text) {
  const ModelFile file(name, text, "mlq-forest", {"features", "combine", "classes", "trees"});
  ForestFile forest;
  forest.features = static_cast<size_t>(file.integer("features", 1, 1 << 30));
  forest.mean = file.word("combine", {"mean", "sum"}) == "mean";
  forest.classes = read_classes(file);
  constexpr std::string_view kKnown[] = {"feature", "threshold", "left", "right", "value"};
  for (std::vector<jsonl::Member>& members : file.objects("trees")) {
    const std::string where = fmt::format("{}: tree {}", name, forest.trees.size());
    forest.trees.push_back(read_tree(ModelFields(where, std::move(members), kKnown), forest));
  }
  if (forest.trees.empty()) file.refuse("trees", "there is none");
  return forest;
}

class Forest final : public RowModel {
 public:
  explicit Forest(ForestFile file)
      : RowModel({.platform = "mlq_forest",
                  .row_shape = {file.features},
                  .outputs = classifier_outputs(file.classes.size())}),
        file_(std::move(file)) {}

 protected:
  void answer(const Rows& rows, size_t begin, size_t end,
              std::span<std::vector<double>> outputs) const override {
    const size_t k = file_.classes.size();
    for (size_t i = begin; i < end; ++i) {
      const std::span scores(outputs[1].data() + i * k, k);
      for (const Tree& tree : file_.trees) {
        const double* const leaf = find_leaf(tree, rows.row(i));
        for (size_t c = 0; c < k; ++c) scores[c] += leaf[c];
      }
      if (file_.mean)
        for (double& score : scores) score /= static_cast<double>(file_.trees.size());
      outputs[0][i] = static_cast<double>(file_.classes[argmax(scores)]);
    }
  }

 private:
  static const double* find_leaf(const Tree& tree, const double* x) {
    const Node* node = tree.nodes.data();
    while (node->feature >= 0)
      node = tree.nodes.data() + (x[node->feature] <= node->threshold ? node->left : node->right);
    return tree.values.row(node->left);
  }

  const ForestFile file_;
};

}  // namespace

std::unique_ptr<Model> read_forest(const std::string& name, std::string_view text) {
  return std::make_unique<Forest>(read(name, text));
}

}  // namespace mlq::serve::model
