#include <algorithm>
#include <numeric>

#include "lib/base/fmath_block.h"
#include "lib/serve/model/json_models.h"
#include "lib/serve/model/model_file.h"

namespace mlq::serve::model {
namespace {

struct SvmFile {
  double gamma = 0;
  std::vector<int64_t> classes;
  std::vector<size_t> first;  // support vectors of class k: [first[k], first[k + 1])
  Matrix vectors;             // transposed: a row a feature, so that the sums of a row's vectors vectorise
  Matrix coefficients;        // libsvm's: row b - 1 for the vectors of a < b against b, row a for those of b
  std::vector<double> intercepts;  // pairs (0,1), (0,2), ... (1,2), ...
};

Matrix transposed(const Matrix& from, double scale) {
  Matrix to{from.columns, from.rows, std::vector<double>(from.values.size())};
  for (size_t i = 0; i < from.rows; ++i)
    for (size_t j = 0; j < from.columns; ++j) to.values[j * to.columns + i] = from.row(i)[j] * scale;
  return to;
}

// Where the vectors of each class begin, and the end.
std::vector<size_t> read_first(const ModelFields& file, size_t classes, size_t vectors) {
  std::vector<size_t> first{0};
  for (const int64_t count : file.integers("per_class", classes)) {
    if (count < 0 || static_cast<uint64_t>(count) > vectors - first.back())
      file.refuse("per_class", "it does not add up to the {} vectors", vectors);
    first.push_back(first.back() + static_cast<size_t>(count));
  }
  if (first.back() != vectors) file.refuse("per_class", "it does not add up to the {} vectors", vectors);
  return first;
}

SvmFile read(const std::string& name, std::string_view text) {
  const ModelFile file(
      name, text, "mlq-kernel-svm",
      {"gamma", "classes", "per_class", "vector_scale", "vectors", "coefficients", "intercepts"});
  SvmFile model;
  model.gamma = file.number("gamma");
  if (!(model.gamma > 0)) file.refuse("gamma", "it must be above 0");
  model.classes = read_classes(file);
  const size_t k = model.classes.size();
  const Matrix vectors = file.matrix("vectors");
  model.vectors = transposed(vectors, file.number("vector_scale"));
  model.first = read_first(file, k, vectors.rows);
  model.coefficients = file.matrix("coefficients");
  if (model.coefficients.rows != k - 1 || model.coefficients.columns != vectors.rows) {
    file.refuse("coefficients", "it has {} x {} values, not {} x {}", model.coefficients.rows,
                model.coefficients.columns, k - 1, vectors.rows);
  }
  model.intercepts = file.numbers("intercepts", k * (k - 1) / 2);
  return model;
}

class KernelSvm final : public RowModel {
 public:
  explicit KernelSvm(SvmFile file)
      : RowModel({.platform = "mlq_kernel_svm",
                  .row_shape = {file.vectors.rows},
                  .outputs = classifier_outputs(file.classes.size())}),
        file_(std::move(file)) {}

 protected:
  void answer(const Rows& rows, size_t begin, size_t end,
              std::span<std::vector<double>> outputs) const override {
    std::vector<double> kernel(file_.vectors.columns);
    for (size_t i = begin; i < end; ++i) {
      fill_kernel(rows.row(i), kernel);
      const std::span votes(outputs[1].data() + i * file_.classes.size(), file_.classes.size());
      vote(kernel, votes);
      outputs[0][i] = static_cast<double>(file_.classes[argmax(votes)]);
    }
  }

 private:
  // exp(-gamma |x - s|^2) of each vector s.
  void fill_kernel(const double* x, std::vector<double>& kernel) const {
    const size_t n = kernel.size();
    std::fill(kernel.begin(), kernel.end(), 0.0);
    double* const out = kernel.data();
    for (size_t j = 0; j < file_.vectors.rows; ++j) {
      const double* const s = file_.vectors.row(j);
      for (size_t v = 0; v < n; ++v) out[v] += (x[j] - s[v]) * (x[j] - s[v]);
    }
    for (double& value : kernel) value *= -file_.gamma;
    fmath::exp_block(out, out, n);
  }

  double part(const std::vector<double>& kernel, size_t coefficients, size_t klass) const {
    const double* const c = file_.coefficients.row(coefficients);
    double sum = 0;
    for (size_t v = file_.first[klass]; v < file_.first[klass + 1]; ++v) sum += c[v] * kernel[v];
    return sum;
  }

  void vote(const std::vector<double>& kernel, std::span<double> votes) const {
    size_t pair = 0;
    for (size_t a = 0; a < votes.size(); ++a) {
      for (size_t b = a + 1; b < votes.size(); ++b) {
        const double sum = part(kernel, b - 1, a) + part(kernel, a, b) + file_.intercepts[pair++];
        votes[sum > 0 ? a : b] += 1;
      }
    }
  }

  const SvmFile file_;
};

}  // namespace

std::unique_ptr<Model> read_kernel_svm(const std::string& name, std::string_view text) {
  return std::make_unique<KernelSvm>(read(name, text));
}

}  // namespace mlq::serve::model
