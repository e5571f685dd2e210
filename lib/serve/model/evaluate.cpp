#include "lib/serve/model/evaluate.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::serve::model {
namespace {

constexpr size_t kMostRows = size_t{1} << 20;
constexpr size_t kBatchRows = 256;  // of count_correct
constexpr size_t kFewestBatches = 3;
constexpr size_t kMostBatches = 1000;

Answer answered(Model& model, RowPool& pool, const Rows& rows, const Conditions& conditions) {
  Answer answer = model.predict(rows, conditions, pool);
  if (!answer.error.empty()) throw environment_error("the model failed: {}", answer.error);
  return answer;
}

// What row `i` is taken for.
int64_t label_of(const ModelInfo& info, const Answer& answer, size_t i) {
  for (size_t k = 0; k < info.outputs.size(); ++k)
    if (info.outputs[k].name == "label") return static_cast<int64_t>(answer.outputs[k][i]);
  const size_t width = info.outputs[0].width;
  return static_cast<int64_t>(argmax(std::span(answer.outputs[0]).subspan(i * width, width)));
}

}  // namespace

Samples read_samples(records::Reader& reader, size_t features) {
  Samples samples;
  samples.width = features;
  while (reader.next()) {
    if (reader.type() != records::Schema<records::Sample>::type) {
      reader.pass_over();
      continue;
    }
    const auto sample = reader.as<records::Sample>();
    if (samples.width == 0) samples.width = sample.row.size();
    if (sample.row.size() != samples.width || samples.width == 0) {
      throw input_error("{}: field \"row\" has {} values; the model takes {}", reader.where(),
                        sample.row.size(), samples.width);
    }
    if (samples.labels.size() == kMostRows)
      throw input_error("{}: more than {} rows", reader.where(), kMostRows);
    samples.values.insert(samples.values.end(), sample.row.begin(), sample.row.end());
    samples.labels.push_back(sample.label);
  }
  reader.finish();
  if (samples.labels.empty()) throw input_error("{}: there is no sample record in it", reader.name());
  return samples;
}

uint64_t count_correct(Model& model, RowPool& pool, const Samples& samples, const Conditions& conditions) {
  uint64_t correct = 0;
  for (size_t first = 0; first < samples.labels.size(); first += kBatchRows) {
    const size_t count = std::min(kBatchRows, samples.labels.size() - first);
    const Rows rows{std::span(samples.values).subspan(first * samples.width, count * samples.width), count};
    const Answer answer = answered(model, pool, rows, conditions);
    for (size_t i = 0; i < count; ++i)
      correct += label_of(model.info(), answer, i) == samples.labels[first + i];
  }
  return correct;
}

records::Speed measure_speed(Model& model, RowPool& pool, const Samples& samples, size_t size,
                             const Conditions& conditions, int64_t budget_ns, const Clock& clock,
                             const StopFlag& stop) {
  std::vector<double> values;
  for (size_t i = 0; i < size; ++i) {
    const size_t from = i % samples.labels.size() * samples.width;
    for (size_t j = 0; j < samples.width; ++j) values.push_back(samples.values[from + j]);
  }
  std::vector<int64_t> times;
  const int64_t start_ns = clock.now_ns();
  int64_t now_ns = start_ns;
  while (!stop && times.size() < kMostBatches &&
         (times.size() < kFewestBatches || now_ns - start_ns < budget_ns)) {
    answered(model, pool, {values, size}, conditions);
    const int64_t done_ns = clock.now_ns();
    times.push_back(done_ns - now_ns);
    now_ns = done_ns;
  }
  records::Speed speed{.rows = size, .batches = times.size()};
  if (times.empty()) return speed;
  const auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  speed.latency_ns = *middle;
  speed.rows_per_s = static_cast<double>(size * times.size()) * 1e9 /
                     static_cast<double>(std::max<int64_t>(now_ns - start_ns, 1));
  return speed;
}

}  // namespace mlq::serve::model
