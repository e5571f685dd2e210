// Outcomes of tests on their way to `test` records and a verdict. Inside lib/arrival only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/records/trace.h"
#include "lib/stats/gof.h"

namespace mlq::arrival {

// Collects tests, then judges them together. Not thread-safe.
class Findings {
 public:
  // A test with a p-value; of NaN: skipped, as the sample is too small for it.
  void add(std::string name, const stats::TestResult& result, std::string note = "");
  // A test that holds or not, without a p-value: the statistic may be `limit` at most.
  void add_exact(std::string name, double statistic, double limit, uint64_t n, std::string note);
  void skip(std::string name, std::string why, uint64_t n = 0);
  // Something worth seeing that no verdict rests on.
  void show(std::string name, double statistic, uint64_t n, std::string note);

  // Holm's rule over all p-values at `alpha`; `against` is what the verdict's note says.
  records::Verdict judge(double alpha, const std::string& against);
  // After judge().
  const std::vector<records::Test>& tests() const { return tests_; }

 private:
  std::vector<records::Test> tests_;
};

}  // namespace mlq::arrival
