// What mlq-model check found: accuracies, up to 400 (rows.h), and speeds (thinned.h).
#include "lib/records/model.h"

#include "lib/plot/collector.h"
#include "lib/plot/rows.h"
#include "lib/plot/thinned.h"

namespace mlq::plot {
namespace {

class ModelCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  Rows accuracies_, asked_;
  Thinned rates_, latencies_;
};

bool ModelCollector::take(const records::Reader& at) {
  if (at.type() == "accuracy") {
    const auto a = at.as<records::Accuracy>();
    const std::string name = a.backend + " " + a.model;
    accuracies_.add(name, {a.accuracy, 0});
    if (a.at_least) asked_.add(name, {*a.at_least, 0});
  } else {
    const auto s = at.as<records::Speed>();
    rates_.add({static_cast<double>(s.rows), s.rows_per_s});
    latencies_.add({static_cast<double>(s.rows), static_cast<double>(s.latency_ns) / 1e9});
  }
  return true;
}

void ModelCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "accuracy") {
    into.title = "Rows answered rightly";
    into.x = {.label = "share", .quantity = Quantity::share};
    accuracies_.draw(prefix + "right", into);
    asked_.draw(prefix + "asked for", into);
    return;
  }
  into.x = {.label = "rows a batch", .logarithmic = true};
  if (picture == "speed") {
    into.title = "Speed, by size of the batch";
    into.y = {.label = "rows/s", .logarithmic = true};
    add_series(rates_, Shape::line, prefix + "rows/s", into);
  } else {
    into.title = "Time of a batch, by its size";
    into.y = {.label = "median latency", .quantity = Quantity::time, .logarithmic = true};
    add_series(latencies_, Shape::line, prefix + "latency", into);
  }
}

}  // namespace

Kind model_kind() {
  return {"model",
          "what mlq-model check found",
          {"accuracy", "speed"},
          {{"speed", "rows a second by size of the batch"},
           {"latency", "time of a batch by its size"},
           {"accuracy", "share of the rows answered rightly"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<ModelCollector>()); }};
}

}  // namespace mlq::plot
