// A model against rows whose answers are known, and its speed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/records/model.h"
#include "lib/records/reader.h"
#include "lib/serve/model/model.h"
#include "lib/serve/model/row_pool.h"

namespace mlq::serve::model {

struct Samples {
  size_t width = 0;
  std::vector<double> values;  // row by row
  std::vector<int64_t> labels;
};

// All `sample` records; what else there is is passed over. An input Error names the line where a row has not
// `features` values (0: as many as the first), and the stream if there is no row at all. At most 2^20 rows.
Samples read_samples(records::Reader& reader, size_t features);

// Predicts all rows. What a row is taken for is the output `label`, or else the place of the largest value of
// the first output. An environment Error if the model fails.
uint64_t count_correct(Model& model, RowPool& pool, const Samples& samples, const Conditions& conditions);

// Times batches of `size` rows, which are taken from the samples in turn, for `budget_ns`, at least 3 of
// them and at most 1000.
records::Speed measure_speed(Model& model, RowPool& pool, const Samples& samples, size_t size,
                             const Conditions& conditions, int64_t budget_ns, const Clock& clock,
                             const StopFlag& stop);

}  // namespace mlq::serve::model
