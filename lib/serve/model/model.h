// What mlq-model serves: a model takes a batch of rows and gives an answer for each.
//
// Numbers are doubles throughout, whatever the datatypes on the wire: tags up to 2^53 come back as they went
// in, and own back ends agree with scikit-learn to the last places.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/serve/protocol/datatype.h"

namespace mlq::serve::model {

class RowPool;

struct OutputInfo {
  std::string name;
  Datatype datatype = Datatype::fp64;
  size_t width = 1;     // values a row
  bool scalar = false;  // shape [-1] in place of [-1, width]
};

struct ModelInfo {
  std::string platform;  // "mlq_linear"
  std::string input = "input";
  Datatype input_type = Datatype::fp64;
  std::vector<size_t> row_shape = {};    // without the rows' dimension; empty: any number of values a row
  std::vector<OutputInfo> outputs = {};  // at least one

  // Values a row; 0: any number.
  size_t features() const;
};

// Rows of equal width, one behind the other.
struct Rows {
  std::span<const double> values;
  size_t count = 0;
  size_t width() const { return count == 0 ? 0 : values.size() / count; }
  const double* row(size_t i) const { return values.data() + i * width(); }
};

// How long the `sleep` back end takes for a batch of n rows: base + per_row n, times lognormal noise of mean
// 1.
struct SleepOptions {
  int64_t base_ns = 0;
  int64_t per_row_ns = 0;
  double noise = 0;        // standard deviation of the time's logarithm
  double stall_share = 0;  // of the batches, which take stall_ns more
  int64_t stall_ns = 0;
  uint64_t crash_after = 0;  // the process dies in place of answering this batch (from 1); 0: never
  bool burn = false;         // use CPU in place of a timer
};

// What a batch is answered under; plain data, since it also goes to child processes.
struct Conditions {
  uint64_t batch = 0;  // its number, from 0; keys the draws
  uint64_t seed = 1;
  uint32_t threads = 1;  // that may work at it
  SleepOptions sleep;
};

struct Answer {
  std::string error;                         // why there is none; empty if there is
  std::vector<std::vector<double>> outputs;  // as ModelInfo::outputs, rows x width each
};

// A loaded model. predict() may be called by several threads at once, each with a pool of its own, but for
// IsolatedModel (isolated.h).
class Model {
 public:
  explicit Model(ModelInfo info) : info_(std::move(info)) {}
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelInfo& info() const { return info_; }
  // `rows` has info().features() values a row. A failure is an Answer with an error; nothing is thrown. When
  // `give_up` is set, a model that only waits stops waiting.
  virtual Answer predict(const Rows& rows, const Conditions& conditions, RowPool& pool,
                         const StopFlag* give_up = nullptr) = 0;

 private:
  const ModelInfo info_;
};

// A model that answers each row alone, so that rows can be shared out over threads.
class RowModel : public Model {
 public:
  using Model::Model;
  Answer predict(const Rows& rows, const Conditions& conditions, RowPool& pool,
                 const StopFlag* give_up) final;

 protected:
  // Answers the rows [begin, end) into `outputs`, where the place of all rows is. Thread-safe.
  virtual void answer(const Rows& rows, size_t begin, size_t end,
                      std::span<std::vector<double>> outputs) const = 0;
};

// Outputs of a classifier: `label`, and `scores` with a value a class.
std::vector<OutputInfo> classifier_outputs(size_t classes, bool scores = true);
// The first of the largest of `scores`.
size_t argmax(std::span<const double> scores);

}  // namespace mlq::serve::model
