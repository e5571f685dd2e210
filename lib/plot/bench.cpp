// Figures of benchmarks, as tests/bench prints them: up to 400 names, each with the median, the least and the
// most over the rounds, of which 64 are kept. They are no records of mlq: fields are looked for, not
// demanded.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "lib/plot/collector.h"
#include "lib/plot/rows.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostRounds = 64;

class Figures {
 public:
  void add(const std::string& name, double value) {
    auto found = values_.find(name);
    if (found == values_.end()) {
      if (names_.size() == Rows::kMost) return;
      found = values_.emplace(name, std::vector<double>()).first;
      names_.push_back(name);
    }
    if (found->second.size() < kMostRounds) found->second.push_back(value);
  }
  void draw(const std::string& label, Picture& into) const;

 private:
  std::vector<std::string> names_;  // as they came
  std::map<std::string, std::vector<double>> values_;
};

void Figures::draw(const std::string& label, Picture& into) const {
  Rows rows;
  for (const std::string& name : names_) {
    std::vector<double> sorted = values_.at(name);
    std::sort(sorted.begin(), sorted.end());
    const bool several = sorted.size() > 1;
    rows.add(name, {sorted[sorted.size() / 2], 0, several ? sorted.front() : kNone,
                    several ? sorted.back() : kNone});
  }
  rows.draw(label, into);
}

class BenchCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  Figures figures_, ratios_;
};

std::optional<double> number(const records::Reader& at, std::string_view key) {
  for (const jsonl::Member& member : at.members()) {
    if (member.key == key) return member.value.as_double();
  }
  return std::nullopt;
}

std::string text(const records::Reader& at, std::string_view key) {
  for (const jsonl::Member& member : at.members()) {
    if (member.key == key && member.value.kind == jsonl::Kind::string) return std::string(member.value.text);
  }
  return "";
}

bool BenchCollector::take(const records::Reader& at) {
  const std::string name = text(at, "name"), unit = text(at, "unit");
  if (name.empty()) return false;  // of mlq-quant bench (quant.cpp)
  bool taken = false;
  for (const std::string_view key : {"ratio", "median", "least", "largest"}) {
    const std::optional<double> ratio = number(at, key);
    if (ratio) ratios_.add(name, *ratio);
    taken = taken || ratio;
  }
  const std::pair<std::string_view, std::string> keys[] = {
      {"per_s", unit + "/s"}, {"value", unit}, {"p50_us", "us"}};
  for (const auto& [key, what] : keys) {
    const std::optional<double> value = number(at, key);
    if (!value) continue;
    figures_.add(name + (what.empty() ? "" : ", " + what), *value);
    return true;
  }
  return taken;
}

void BenchCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  into.x = {.label = "median of the rounds, least and most", .logarithmic = true};
  if (picture == "figures") {
    into.title = "Figures of benchmarks";
    figures_.draw(prefix + "figure", into);
  } else {
    into.title = "Ratios of benchmarks";
    ratios_.draw(prefix + "ratio", into);
  }
}

}  // namespace

Kind bench_kind() {
  return {"bench",
          "figures that mlq's own benchmarks print",
          {"bench", "ratio"},
          {{"figures", "each figure, in its own unit"}, {"ratios", "ratios to a rival or a limit"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<BenchCollector>()); }};
}

}  // namespace mlq::plot
