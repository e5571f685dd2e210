// Small dense networks: forward, backward, one flat row of parameters for whatever optimises them.
// The same bits on any machine. Real is float or double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/random.h"

namespace mlq::tune {

enum class Activation : uint8_t { linear, relu, tanh };

struct DenseLayer {
  size_t units = 0;
  Activation activation = Activation::linear;
};

// Not thread-safe.
template <class Real>
class Mlp {
 public:
  // Rows that are taken at once.
  static constexpr size_t kBatch = 32;

  // All parameters are 0.
  Mlp(size_t inputs, std::vector<DenseLayer> layers);

  // Weights uniform in +-sqrt(6 / (inputs + units)) (Glorot and Bengio 2010), biases 0. Weight [u][i] of
  // layer l is made of draw u * inputs + i of stream l.
  void init_xavier(const RandomStream& random, uint64_t index);

  size_t inputs() const { return inputs_; }
  size_t outputs() const { return layers_.back().units; }

  // x has rows x inputs() numbers, at most kBatch rows. The result has rows x outputs() and holds until the
  // next call.
  std::span<const Real> forward(const Real* x, size_t rows);
  // After forward(): adds the gradients of the loss, whose derivatives by the outputs are `d`
  // (rows x outputs()).
  void backward(const Real* d);
  void zero_gradients();

  // All parameters and their gradients, padded with zeros that stay zeros.
  std::span<Real> parameters() { return parameters_; }
  std::span<const Real> parameters() const { return parameters_; }
  std::span<Real> gradients() { return gradients_; }
  // Where a variable (the weights of a layer, or its biases) lies in them.
  struct Variable {
    size_t begin, size;
  };
  const std::vector<Variable>& variables() const { return variables_; }
  // Of the weight [u][i] and the bias of u, in parameters().
  size_t weight_at(size_t layer, size_t unit, size_t input) const;
  size_t bias_at(size_t layer, size_t unit) const;

 private:
  struct Layer {
    size_t units, inputs, row;  // row: inputs, padded
    size_t weights, biases;     // where they begin
    Activation activation;
    std::vector<Real> out, delta;  // [unit][row of the batch]
    std::vector<Real> in_rows;     // what came in, [row of the batch][input]
  };
  void forward_layer(Layer& layer, const Real* in);
  void backward_layer(Layer& layer, Real* delta_before);

  size_t inputs_;
  std::vector<Layer> layers_;
  std::vector<Variable> variables_;
  std::vector<Real> parameters_, gradients_;
  std::vector<Real> x_;    // [input][row of the batch]
  std::vector<Real> out_;  // [row][output]
  size_t rows_ = 0;
};

extern template class Mlp<float>;
extern template class Mlp<double>;

}  // namespace mlq::tune
