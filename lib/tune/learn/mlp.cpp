#include "lib/tune/learn/mlp.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath_block.h"
#include "lib/tune/learn/mlp_kernels.h"

namespace mlq::tune {
namespace {

template <class Real>
void activate(Activation activation, std::vector<Real>& values) {
  if (activation == Activation::relu)
    for (Real& v : values) v = v > 0 ? v : 0;
  if (activation != Activation::tanh) return;
  // tanh x = 1 - 2 / (e^2x + 1); beyond +-20 it is 1 to the last bit.
  std::vector<double> x(values.size());
  for (size_t k = 0; k < x.size(); ++k)
    x[k] = 2 * std::min(std::max(static_cast<double>(values[k]), -20.0), 20.0);
  fmath::exp_block(x.data(), x.data(), x.size());
  for (size_t k = 0; k < x.size(); ++k) values[k] = static_cast<Real>(1 - 2 / (x[k] + 1));
}

// delta <- delta * f'(what went in), from what came out.
template <class Real>
void through_activation(Activation activation, const std::vector<Real>& out, std::vector<Real>& delta) {
  if (activation == Activation::relu)
    for (size_t k = 0; k < out.size(); ++k) delta[k] = out[k] > 0 ? delta[k] : 0;
  if (activation == Activation::tanh)
    for (size_t k = 0; k < out.size(); ++k) delta[k] *= 1 - out[k] * out[k];
}

}  // namespace

template <class Real>
Mlp<Real>::Mlp(size_t inputs, std::vector<DenseLayer> layers) : inputs_(inputs), x_(inputs * kBatch) {
  size_t size = 0;
  for (const DenseLayer& shape : layers) {
    Layer layer;
    layer.units = shape.units;
    layer.inputs = inputs;
    layer.row = mlp_padded<Real>(inputs);
    layer.activation = shape.activation;
    layer.weights = size;
    layer.biases = size + layer.units * layer.row;
    variables_.push_back({layer.weights, layer.units * layer.row});
    variables_.push_back({layer.biases, layer.units});
    size = layer.biases + mlp_padded<Real>(layer.units);
    layer.out.resize(layer.units * kBatch);
    layer.delta.resize(layer.units * kBatch);
    layer.in_rows.resize(kBatch * layer.row);
    inputs = shape.units;
    layers_.push_back(std::move(layer));
  }
  parameters_.resize(size);
  gradients_.resize(size);
  out_.resize(kBatch * outputs());
}

template <class Real>
size_t Mlp<Real>::weight_at(size_t layer, size_t unit, size_t input) const {
  return layers_[layer].weights + unit * layers_[layer].row + input;
}

template <class Real>
size_t Mlp<Real>::bias_at(size_t layer, size_t unit) const {
  return layers_[layer].biases + unit;
}

template <class Real>
void Mlp<Real>::init_xavier(const RandomStream& random, uint64_t index) {
  std::fill(parameters_.begin(), parameters_.end(), Real{0});
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const double most = std::sqrt(6.0 / static_cast<double>(layer.inputs + layer.units));
    UniformPair pair{};
    uint32_t draw = 0;
    for (size_t u = 0; u < layer.units; ++u)
      for (size_t i = 0; i < layer.inputs; ++i, ++draw) {
        if (draw % 2 == 0) pair = random.uniforms(index, draw / 2, static_cast<uint32_t>(l));
        const double uniform = draw % 2 == 0 ? pair.a : pair.b;
        parameters_[weight_at(l, u, i)] = static_cast<Real>(most * (2 * uniform - 1));
      }
  }
}

template <class Real>
std::span<const Real> Mlp<Real>::forward(const Real* x, size_t rows) {
  rows_ = rows;
  std::fill(x_.begin(), x_.end(), Real{0});
  for (size_t r = 0; r < rows; ++r)
    for (size_t i = 0; i < inputs_; ++i) x_[i * kBatch + r] = x[r * inputs_ + i];
  const Real* in = x_.data();
  for (Layer& layer : layers_) {
    forward_layer(layer, in);
    in = layer.out.data();
  }
  for (size_t r = 0; r < rows; ++r)
    for (size_t u = 0; u < outputs(); ++u) out_[r * outputs() + u] = in[u * kBatch + r];
  return std::span<const Real>(out_).first(rows * outputs());
}

template <class Real>
void Mlp<Real>::forward_layer(Layer& layer, const Real* in) {
  for (size_t u = 0; u < layer.units; ++u)
    std::fill_n(layer.out.begin() + static_cast<std::ptrdiff_t>(u * kBatch), kBatch,
                parameters_[layer.biases + u]);
  multiply_add<Real>({parameters_.data() + layer.weights, layer.row, 1}, in, kBatch, layer.out.data(), kBatch,
                     layer.units, layer.inputs, kBatch);
  activate(layer.activation, layer.out);
  for (size_t i = 0; i < layer.inputs; ++i)
    for (size_t r = 0; r < kBatch; ++r) layer.in_rows[r * layer.row + i] = in[i * kBatch + r];
}

template <class Real>
void Mlp<Real>::zero_gradients() {
  std::fill(gradients_.begin(), gradients_.end(), Real{0});
}

template <class Real>
void Mlp<Real>::backward(const Real* d) {
  Layer& last = layers_.back();
  std::fill(last.delta.begin(), last.delta.end(), Real{0});
  for (size_t r = 0; r < rows_; ++r)
    for (size_t u = 0; u < last.units; ++u) last.delta[u * kBatch + r] = d[r * last.units + u];
  for (size_t l = layers_.size(); l-- > 0;)
    backward_layer(layers_[l], l > 0 ? layers_[l - 1].delta.data() : nullptr);
}

template <class Real>
void Mlp<Real>::backward_layer(Layer& layer, Real* delta_before) {
  through_activation(layer.activation, layer.out, layer.delta);
  multiply_add<Real>({layer.delta.data(), kBatch, 1}, layer.in_rows.data(), layer.row,
                     gradients_.data() + layer.weights, layer.row, layer.units, rows_, layer.row);
  for (size_t u = 0; u < layer.units; ++u) {
    Real sum = 0;
    for (size_t r = 0; r < rows_; ++r) sum += layer.delta[u * kBatch + r];
    gradients_[layer.biases + u] += sum;
  }
  if (delta_before == nullptr) return;
  std::fill_n(delta_before, layer.inputs * kBatch, Real{0});
  multiply_add<Real>({parameters_.data() + layer.weights, 1, layer.row}, layer.delta.data(), kBatch,
                     delta_before, kBatch, layer.inputs, layer.units, kBatch);
}

template class Mlp<float>;
template class Mlp<double>;

}  // namespace mlq::tune
