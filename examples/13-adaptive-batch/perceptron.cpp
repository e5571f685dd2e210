#include "examples/13-adaptive-batch/perceptron.h"

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/tensorfile/source.h"

namespace digits {
namespace {

// Activity of the hidden units, and p of each digit. Rows of the hidden layer's weights belong to a point, so
// that inner loops run over hidden units.
void forward(const Parameters& w, const Picture& x, std::array<float, kHidden>& hidden,
             std::array<float, kClasses>& p) {
  const float* weight = &w[kTensors[0].offset];
  std::copy_n(&w[kTensors[1].offset], kHidden, hidden.begin());
  for (size_t i = 0; i < kPoints; ++i) {
    if (x.points[i] == 0) continue;
    for (size_t j = 0; j < kHidden; ++j) hidden[j] += x.points[i] * weight[i * kHidden + j];
  }
  for (float& h : hidden) h = std::max(h, 0.0f);
  const float* output = &w[kTensors[2].offset];
  std::array<float, kClasses> z;
  for (size_t k = 0; k < kClasses; ++k) {
    std::array<float, 8> sums{};
    for (size_t j = 0; j < kHidden; ++j) sums[j % 8] += hidden[j] * output[k * kHidden + j];
    z[k] = w[kTensors[3].offset + k];
    for (const float sum : sums) z[k] += sum;
  }
  const float largest = *std::max_element(z.begin(), z.end());
  double total = 0;
  for (size_t k = 0; k < kClasses; ++k) {
    const double e = mlq::fmath::exp(static_cast<double>(z[k] - largest));
    p[k] = static_cast<float>(e);
    total += e;
  }
  for (float& each : p) each = static_cast<float>(each / total);
}

double loss_of(float p) {
  constexpr double kLeast = 1e-30;  // what a float still holds to all its digits
  return -mlq::fmath::log(std::max(static_cast<double>(p), kLeast));
}

}  // namespace

std::vector<Picture> read_pictures(const std::string& path) {
  const mlq::tensorfile::Source source = mlq::tensorfile::open_source(path);
  const mlq::tensorfile::TensorInfo& tensor = source.tensors().at(0);
  if (tensor.shape.size() != 2 || tensor.shape[1] != kPoints + 1)
    throw mlq::Error(mlq::ExitKind::input, path + ": rows of 65 bytes are wanted: 64 points and the digit");
  std::vector<std::byte> bytes(tensor.shape[0] * tensor.shape[1]);
  source.read(0, 0, bytes);
  std::vector<Picture> pictures(tensor.shape[0]);
  for (size_t n = 0; n < pictures.size(); ++n) {
    const std::byte* row = &bytes[n * (kPoints + 1)];
    for (size_t i = 0; i < kPoints; ++i)
      pictures[n].points[i] = static_cast<float>(std::to_integer<int>(row[i])) / 16;
    pictures[n].digit = std::to_integer<uint8_t>(row[kPoints]);
    if (pictures[n].digit >= kClasses) throw mlq::Error(mlq::ExitKind::input, path + ": a digit is above 9");
  }
  return pictures;
}

Parameters initial(uint64_t seed) {
  Parameters w(kParameters, 0.0f);
  const mlq::RandomStream draws(seed, mlq::Purpose::design);
  for (const size_t t : {0, 2}) {
    const double spread = std::sqrt(2.0 / static_cast<double>(t == 0 ? kPoints : kHidden));
    for (size_t i = 0; i < kTensors[t].size(); ++i)
      w[kTensors[t].offset + i] = static_cast<float>(
          spread * mlq::fmath::normal_quantile(draws.uniform(i, 0, static_cast<uint32_t>(t))));
  }
  return w;
}

double loss(const Parameters& parameters, std::span<const Picture> pictures) {
  std::array<float, kHidden> hidden;
  std::array<float, kClasses> p;
  double sum = 0;
  for (const Picture& x : pictures) {
    forward(parameters, x, hidden, p);
    sum += loss_of(p[x.digit]);
  }
  return sum / static_cast<double>(pictures.size());
}

void passes(const Parameters& parameters, const Picture& picture, Passes& out) {
  forward(parameters, picture, out.hidden, out.output_back);
  out.output_back[picture.digit] -= 1;
  const float* output = &parameters[kTensors[2].offset];
  out.hidden_back.fill(0);
  for (size_t k = 0; k < kClasses; ++k)
    for (size_t j = 0; j < kHidden; ++j) out.hidden_back[j] += out.output_back[k] * output[k * kHidden + j];
  for (size_t j = 0; j < kHidden; ++j)
    if (out.hidden[j] <= 0) out.hidden_back[j] = 0;
}

void mean_gradient(const Parameters& parameters, std::span<const Picture> pictures,
                   std::span<const uint32_t> batch, Parameters& gradient) {
  gradient.assign(kParameters, 0.0f);
  float* hidden_weight = &gradient[kTensors[0].offset];
  float* hidden_bias = &gradient[kTensors[1].offset];
  float* output_weight = &gradient[kTensors[2].offset];
  float* output_bias = &gradient[kTensors[3].offset];
  Passes at;
  for (const uint32_t n : batch) {
    const Picture& x = pictures[n];
    passes(parameters, x, at);
    for (size_t k = 0; k < kClasses; ++k) {
      output_bias[k] += at.output_back[k];
      for (size_t j = 0; j < kHidden; ++j) output_weight[k * kHidden + j] += at.output_back[k] * at.hidden[j];
    }
    for (size_t j = 0; j < kHidden; ++j) hidden_bias[j] += at.hidden_back[j];
    for (size_t i = 0; i < kPoints; ++i) {
      if (x.points[i] == 0) continue;
      for (size_t j = 0; j < kHidden; ++j) hidden_weight[i * kHidden + j] += x.points[i] * at.hidden_back[j];
    }
  }
  const float share = 1.0f / static_cast<float>(batch.size());
  for (float& g : gradient) g *= share;
}

}  // namespace digits
