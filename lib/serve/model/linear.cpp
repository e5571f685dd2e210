// W x + b, by softmax or argmax.
#include <algorithm>

#include "lib/base/fmath.h"
#include "lib/serve/model/json_models.h"
#include "lib/serve/model/model_file.h"

namespace mlq::serve::model {
namespace {

struct LinearFile {
  bool softmax = true;
  std::vector<int64_t> classes;
  Matrix weights;  // a row a class
  std::vector<double> bias;
};

LinearFile read(const std::string& name, std::string_view text) {
  const ModelFile file(name, text, "mlq-linear", {"output", "classes", "weights", "bias"});
  LinearFile model;
  model.softmax = file.word("output", {"softmax", "argmax"}) == "softmax";
  model.classes = read_classes(file);
  model.weights = file.matrix("weights");
  if (model.weights.rows != model.classes.size())
    file.refuse("weights", "it has {} rows for {} classes", model.weights.rows, model.classes.size());
  model.bias = file.numbers("bias", model.classes.size());
  return model;
}

// In place; the largest is taken off first, so that nothing overflows.
void softmax(std::span<double> z) {
  const double largest = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (double& value : z) sum += value = fmath::exp(value - largest);
  for (double& value : z) value /= sum;
}

class Linear final : public RowModel {
 public:
  explicit Linear(LinearFile file)
      : RowModel({.platform = "mlq_linear",
                  .row_shape = {file.weights.columns},
                  .outputs = classifier_outputs(file.classes.size(), file.softmax)}),
        file_(std::move(file)) {}

 protected:
  void answer(const Rows& rows, size_t begin, size_t end,
              std::span<std::vector<double>> outputs) const override {
    const Matrix& weights = file_.weights;
    std::vector<double> z(weights.rows);
    for (size_t i = begin; i < end; ++i) {
      const double* x = rows.row(i);
      for (size_t k = 0; k < weights.rows; ++k) {
        double sum = file_.bias[k];
        for (size_t j = 0; j < weights.columns; ++j) sum += weights.row(k)[j] * x[j];
        z[k] = sum;
      }
      outputs[0][i] = static_cast<double>(file_.classes[argmax(z)]);
      if (!file_.softmax) continue;
      softmax(z);
      std::copy(z.begin(), z.end(), outputs[1].begin() + static_cast<ptrdiff_t>(i * z.size()));
    }
  }

 private:
  const LinearFile file_;
};

}  // namespace

std::unique_ptr<Model> read_linear(const std::string& name, std::string_view text) {
  return std::make_unique<Linear>(read(name, text));
}

}  // namespace mlq::serve::model
