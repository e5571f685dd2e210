// What the tests of models have in common.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/base/io.h"
#include "lib/jsonl/object.h"
#include "lib/serve/model/load.h"
#include "lib/serve/model/row_pool.h"

namespace mlq::test {

inline const std::string kSmallModels = MLQ_SOURCE_DIR "/tests/serve/models/";
inline const std::string kDigits = MLQ_SOURCE_DIR "/data/digits/";
inline const std::string kProgram = MLQ_BIN_DIR "/mlq-model";

inline serve::model::ModelSource small_model(serve::model::Backend backend, const std::string& file) {
  return serve::model::read_source(backend, kSmallModels + file, false);
}

// Answers rows of equal width; fails the test if the model does.
inline serve::model::Answer predict(serve::model::Model& model, const std::vector<std::vector<double>>& rows,
                                    const serve::model::Conditions& conditions = {}) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  serve::model::RowPool pool;
  return model.predict({values, rows.size()}, conditions, pool);
}

// What scikit-learn says of the rows (scripts/train-digits.py).
class Answers {
 public:
  Answers() : parsed_(read_file(kSmallModels + "answers.json")) {}
  std::vector<std::vector<double>> matrix(std::string_view key) {
    std::vector<std::vector<double>> out;
    EXPECT_TRUE(jsonl::read_matrix(*parsed_.parser().find(key), out)) << key;
    return out;
  }
  std::vector<double> numbers(std::string_view key) {
    std::vector<double> out;
    EXPECT_TRUE(jsonl::read_double_array(*parsed_.parser().find(key), out)) << key;
    return out;
  }

 private:
  jsonl::OwnedObject parsed_;
};

// A matrix of answers, as an output holds it.
inline void expect_near(const std::vector<double>& got, const std::vector<std::vector<double>>& wanted,
                        double tolerance) {
  size_t k = 0;
  for (const auto& row : wanted)
    for (const double value : row) {
      ASSERT_NEAR(got.at(k), value, tolerance) << "value " << k;
      ++k;
    }
  EXPECT_EQ(got.size(), wanted.size() * wanted.at(0).size());
}

}  // namespace mlq::test
