// What mlq-loadgen check found: p-values of its tests, up to 400 (rows.h).
#include <algorithm>
#include <map>

#include "lib/plot/collector.h"
#include "lib/plot/rows.h"
#include "lib/records/trace.h"

namespace mlq::plot {
namespace {

// Where smaller p-values are drawn: they are all the same to whoever decides.
constexpr double kSmallest = 1e-6;

class CheckCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  Rows limits_;
  std::map<std::string, Rows> tests_;  // by verdict
};

bool CheckCollector::take(const records::Reader& at) {
  const auto t = at.as<records::Test>();
  if (!t.p_value) return false;
  tests_[t.verdict == "pass" ? "pass" : "fail"].add(t.name, {std::max(*t.p_value, kSmallest), 0});
  if (t.limit) limits_.add(t.name, {*t.limit, 0});
  return true;
}

void CheckCollector::draw(std::string_view, const std::string& prefix, Picture& into) const {
  into.title = "p-value of each test";
  into.x = {.label = "p-value, 1e-6 for all below", .logarithmic = true};
  limits_.draw(prefix + "level", into);
  for (const auto& [verdict, rows] : tests_) rows.draw(prefix + verdict, into);
}

}  // namespace

Kind check_kind() {
  return {"check",
          "tests of mlq-loadgen check",
          {"test"},
          {{"tests", "p-value of each test, and the level below which it fails"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<CheckCollector>()); }};
}

}  // namespace mlq::plot
