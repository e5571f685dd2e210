#include "lib/arrival/check/findings.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mlq::arrival {

void Findings::add(std::string name, const stats::TestResult& result, std::string note) {
  if (std::isnan(result.p_value)) {
    skip(std::move(name), "too few values for this test", result.n);
    return;
  }
  records::Test test;
  test.name = std::move(name);
  test.statistic = result.statistic;
  test.p_value = result.p_value;
  if (result.df > 0) test.df = result.df;
  test.n = result.n;
  if (!note.empty()) test.note = std::move(note);
  tests_.push_back(std::move(test));
}

void Findings::add_exact(std::string name, double statistic, double limit, uint64_t n, std::string note) {
  records::Test test;
  test.name = std::move(name);
  test.statistic = statistic;
  test.n = n;
  test.verdict = statistic <= limit ? "pass" : "fail";
  test.note = std::move(note);
  tests_.push_back(std::move(test));
}

void Findings::skip(std::string name, std::string why, uint64_t n) {
  records::Test test;
  test.name = std::move(name);
  test.n = n;
  test.verdict = "skip";
  test.note = std::move(why);
  tests_.push_back(std::move(test));
}

void Findings::show(std::string name, double statistic, uint64_t n, std::string note) {
  skip(std::move(name), std::move(note), n);
  if (!std::isnan(statistic)) tests_.back().statistic = statistic;
}

records::Verdict Findings::judge(double alpha, const std::string& against) {
  std::vector<size_t> ranked;
  for (size_t k = 0; k < tests_.size(); ++k) {
    if (tests_[k].p_value) ranked.push_back(k);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](size_t a, size_t b) { return *tests_[a].p_value < *tests_[b].p_value; });
  std::vector<double> p_values;
  for (const size_t k : ranked) p_values.push_back(*tests_[k].p_value);
  const stats::HolmResult judged = stats::holm(p_values, alpha);
  for (size_t rank = 0; rank < ranked.size(); ++rank) {
    records::Test& test = tests_[ranked[rank]];
    test.limit = alpha / static_cast<double>(ranked.size() - rank);
    test.verdict = judged.failed[rank] ? "fail" : "pass";
  }
  records::Verdict verdict;
  verdict.alpha = alpha;
  std::string failed;
  for (const records::Test& test : tests_) {
    if (test.verdict == "skip") continue;
    ++verdict.tests;
    if (test.verdict == "fail") failed += (failed.empty() ? "" : ",") + test.name;
  }
  verdict.pass = failed.empty() && verdict.tests > 0;
  if (!failed.empty()) verdict.failed = failed;
  verdict.note = "against " + against;
  if (verdict.tests == 0) *verdict.note += "; no test could be made";
  return verdict;
}

}  // namespace mlq::arrival
