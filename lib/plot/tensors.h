// Tensors of a model, put together by layer or by what they are in every layer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/plot/picture.h"

namespace mlq::plot {

// The first part of a dotted name that is a number: 12 of `model.layers.12.mlp.up_proj.weight`; none of
// `lm_head.weight`.
std::optional<uint64_t> layer_of(std::string_view name);
// The name with `*` for each part that is a number: what its twins in other layers have as well.
std::string family_of(std::string_view name);

// Means by layer, of layers up to 4,095; exact. Not thread-safe.
class LayerMeans {
 public:
  // Passes over a tensor that is in no layer.
  void add(std::string_view tensor, double value, double weight);
  // Adds a curve over the layers, if there are any.
  void draw(const std::string& label, Picture& into) const;

 private:
  struct Sum {
    double value = 0;
    double weight = 0;
  };
  std::map<uint64_t, Sum> layers_;
};

// Sums by family, of up to 4,096 families; exact. Not thread-safe.
class FamilySums {
 public:
  static constexpr size_t kRows = 24;

  void add(std::string_view tensor, double value);
  bool empty() const { return sums_.empty(); }
  double total() const { return total_; }
  // Adds a curve of rows, the largest first, if there are any; what goes beyond kRows is one row. Values are
  // times `factor`.
  void draw(const std::string& label, double factor, Picture& into) const;

 private:
  std::map<std::string, double> sums_;
  double total_ = 0;
};

}  // namespace mlq::plot
