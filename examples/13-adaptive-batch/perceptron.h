// A perceptron of one hidden layer on scikit-learn's digits: 64 points, 64 rectified units, softmax over 10.
// Sums have one order and logarithms one implementation, so a run has the same bits on every machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace digits {

inline constexpr size_t kPoints = 64, kHidden = 64, kClasses = 10;

struct Picture {
  std::array<float, kPoints> points;  // 0 to 1
  uint8_t digit;
};

// All pictures of an .npy file of bytes, 65 a picture: the points, 0 to 16, and the digit.
std::vector<Picture> read_pictures(const std::string& path);

// Parameters, or a gradient: a name, a shape and a place in one array for each tensor.
struct Tensor {
  const char* name;
  std::array<size_t, 2> shape;  // the second is 0 for a vector
  size_t offset;
  size_t size() const { return shape[1] == 0 ? shape[0] : shape[0] * shape[1]; }
};
inline constexpr std::array<Tensor, 4> kTensors = {{
    {"hidden.weight", {kPoints, kHidden}, 0},
    {"hidden.bias", {kHidden, 0}, kPoints* kHidden},
    {"output.weight", {kClasses, kHidden}, kPoints* kHidden + kHidden},
    {"output.bias", {kClasses, 0}, kPoints* kHidden + kHidden + kClasses* kHidden},
}};
inline constexpr size_t kParameters = kTensors[3].offset + kClasses;
using Parameters = std::vector<float>;  // kParameters

// Weights from N(0, 2 / inputs), biases 0 (He, Zhang, Ren, Sun, Delving Deep into Rectifiers, ICCV 2015).
Parameters initial(uint64_t seed);

// Mean of -ln p(digit) over all.
double loss(const Parameters& parameters, std::span<const Picture> pictures);

// Of one picture: the activity of the hidden units, and the derivatives of the loss by what goes into the
// units. Its gradient is their outer products: points x hidden_back, hidden_back, output_back x hidden,
// output_back.
struct Passes {
  std::array<float, kHidden> hidden, hidden_back;
  std::array<float, kClasses> output_back;
};

// Forward and back.
void passes(const Parameters& parameters, const Picture& picture, Passes& out);

// Mean gradient over pictures[k] for k in `batch`, into `gradient`.
void mean_gradient(const Parameters& parameters, std::span<const Picture> pictures,
                   std::span<const uint32_t> batch, Parameters& gradient);

}  // namespace digits
