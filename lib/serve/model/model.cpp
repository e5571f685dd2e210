#include "lib/serve/model/model.h"

#include <algorithm>

#include "lib/serve/model/row_pool.h"

namespace mlq::serve::model {

size_t ModelInfo::features() const {
  if (row_shape.empty()) return 0;
  size_t product = 1;
  for (const size_t dimension : row_shape) product *= dimension;
  return product;
}

Answer RowModel::predict(const Rows& rows, const Conditions& conditions, RowPool& pool, const StopFlag*) {
  Answer made;
  for (const OutputInfo& output : info().outputs) made.outputs.emplace_back(rows.count * output.width);
  pool.run(rows.count, conditions.threads,
           [&](size_t begin, size_t end) { answer(rows, begin, end, made.outputs); });
  return made;
}

std::vector<OutputInfo> classifier_outputs(size_t classes, bool scores) {
  std::vector<OutputInfo> outputs{{"label", Datatype::int64, 1, true}};
  if (scores) outputs.push_back({"scores", Datatype::fp64, classes, false});
  return outputs;
}

size_t argmax(std::span<const double> scores) {
  return static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace mlq::serve::model
