// What mlq-serve emits. Of batch records the sums in windows are exact (windows.h); window records are drawn
// as they stand, thinned beyond some thousand (thinned.h); quantiles of request records are those of
// metric.h. Models are told apart, up to 8 of them.
#include <map>

#include "lib/plot/ccdf.h"
#include "lib/plot/collector.h"
#include "lib/plot/metric.h"
#include "lib/plot/rows.h"
#include "lib/plot/thinned.h"
#include "lib/plot/windows.h"
#include "lib/records/serve_schema.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostModels = 8;

struct MeanCell {
  double sum = 0;
  uint64_t count = 0;
  int64_t highest = 0;
  void add(double value, int64_t high) {
    sum += value;
    ++count;
    highest = std::max(highest, high);
  }
  void merge(const MeanCell& other) {
    sum += other.sum;
    count += other.count;
    highest = std::max(highest, other.highest);
  }
};

struct Model {
  Windows<MeanCell> batches;  // rows, and the longest wait in the queue
  uint64_t batch_count = 0;
  Thinned rows, target, p50, p99, queue, rate, good, shed, failed, fixed, per_row;
  Metric latency;  // of requests
};

class ServeCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void end(const records::Reader&) override {
    for (auto& [name, m] : models_) {
      m.latency.settle();
      m.batches.limit(windows_for(m.batch_count));
    }
  }
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  Model* model(const std::string& name);
  void window(const records::ServeWindow& w);
  void request(const records::Reader& at);
  void controller(const records::ControllerChange& c);
  void fault(const records::ServeFault& f);
  void draw_faults(const std::string& prefix, Picture& into) const;

  std::map<std::string, Model> models_;
  std::map<std::string, uint64_t> faults_;  // by what they are, up to 32
};

Model* ServeCollector::model(const std::string& name) {
  if (!models_.contains(name) && models_.size() == kMostModels) return nullptr;
  return &models_[name];
}

void ServeCollector::window(const records::ServeWindow& w) {
  Model* m = model(w.model);
  if (m == nullptr) return;
  const double t = static_cast<double>(w.t_ns) / 1e9;
  const double length = static_cast<double>(w.window_ns) / 1e9;
  const auto seconds = [](const std::optional<int64_t>& ns) {
    return ns ? static_cast<double>(*ns) / 1e9 : kNone;
  };
  m->rows.add({t, w.batch_rows_mean.value_or(kNone)});
  m->target.add({t, static_cast<double>(w.target_rows)});
  m->p50.add({t, seconds(w.latency_p50_ns)});
  m->p99.add({t, seconds(w.latency_p99_ns)});
  m->queue.add({t, seconds(w.queue_p99_ns)});
  m->rate.add({t, w.rate_per_s});
  m->good.add({t, w.good_per_s});
  if (length <= 0) return;
  m->shed.add({t, static_cast<double>(w.shed) / length});
  m->failed.add({t, static_cast<double>(w.failed) / length});
}

void ServeCollector::request(const records::Reader& at) {
  const auto r = at.as<records::ServedRequest>();
  if (r.latency_ns < 0)
    throw input_error("{}: request: latency_ns is {}; it must not be negative", at.where(), r.latency_ns);
  if (Model* m = model(r.model)) m->latency.add(r.t_ns, r.latency_ns);
}

void ServeCollector::controller(const records::ControllerChange& c) {
  Model* m = model(c.model);
  if (m == nullptr) return;
  const double t = static_cast<double>(c.t_ns) / 1e9;
  m->fixed.add({t, c.beta_ns / 1e9});
  m->per_row.add({t, c.alpha_ns_per_row / 1e9});
}

void ServeCollector::fault(const records::ServeFault& f) {
  constexpr size_t kMostFaults = 32;
  if (faults_.contains(f.fault) || faults_.size() < kMostFaults) ++faults_[f.fault];
}

bool ServeCollector::take(const records::Reader& at) {
  if (at.type() == "request") return request(at), true;
  if (at.type() == "controller") return controller(at.as<records::ControllerChange>()), true;
  if (at.type() == "fault") return fault(at.as<records::ServeFault>()), true;
  if (at.type() == "serve_window") return window(at.as<records::ServeWindow>()), true;
  if (at.type() != "batch") return false;
  const auto b = at.as<records::ServedBatch>();
  if (Model* m = model(b.model)) {
    m->batches.at(b.t_ns).add(b.rows, b.queue_max_ns);
    ++m->batch_count;
  }
  return true;
}

// A point in the middle of each window.
template <class Value>
std::vector<Point> in_windows(const Windows<MeanCell>& windows, Value value) {
  std::vector<Point> out;
  for (const auto& [index, cell] : windows.cells())
    out.push_back(
        {(static_cast<double>(index) + 0.5) * static_cast<double>(windows.width_ns()) / 1e9, value(cell)});
  return out;
}

void draw_batch(const Model& m, const std::string& prefix, Picture& into) {
  if (m.rows.count() > 0) {
    add_series(m.rows, Shape::line, prefix + "mean", into);
  } else if (!m.batches.cells().empty()) {
    into.curves.push_back({prefix + "mean", Shape::line, in_windows(m.batches, [](const MeanCell& cell) {
                             return cell.sum / static_cast<double>(cell.count);
                           })});
  }
  add_series(m.target, Shape::steps, prefix + "target", into);
}

void draw_queue(const Model& m, const std::string& prefix, Picture& into) {
  if (m.queue.count() > 0) {
    add_series(m.queue, Shape::line, prefix + "p99", into);
  } else if (!m.batches.cells().empty()) {
    into.curves.push_back({prefix + "longest", Shape::line, in_windows(m.batches, [](const MeanCell& cell) {
                             return static_cast<double>(cell.highest) / 1e9;
                           })});
  }
}

void draw_latency(const Model& m, const std::string& prefix, Picture& into) {
  if (m.p50.count() + m.p99.count() == 0) return m.latency.draw_quantiles(prefix, into);
  add_series(m.p50, Shape::line, prefix + "p50", into);
  add_series(m.p99, Shape::line, prefix + "p99", into);
}

void ServeCollector::draw_faults(const std::string& prefix, Picture& into) const {
  into.title = "Faults, by what they are";
  into.x = {.label = "faults", .logarithmic = true};
  Rows rows;
  for (const auto& [name, count] : faults_) rows.add(name, {static_cast<double>(count), 0});
  rows.draw(prefix + "faults", into);
}

void ServeCollector::draw(std::string_view picture, const std::string& given, Picture& into) const {
  if (picture == "faults") return draw_faults(given, into);
  into.x = {.label = "time", .quantity = Quantity::time};
  const bool in_time = picture == "latency" || picture == "queue";
  into.y = {.label = "requests/s", .from_zero = true};
  if (in_time)
    into.y = {
        .label = picture == "queue" ? "wait" : "latency", .quantity = Quantity::time, .from_zero = true};
  if (picture == "batch") into.y.label = "rows a batch";
  if (picture == "fit") into.y = {.label = "time", .quantity = Quantity::time, .logarithmic = true};
  if (picture == "ccdf") ccdf_axes("latency", into);
  into.title = picture == "batch"     ? "Batch size"
               : picture == "queue"   ? "Wait in the queue"
               : picture == "latency" ? "Latency in the server"
               : picture == "ccdf"    ? "Latency in the server, CCDF"
               : picture == "fit"     ? "Time of a batch as the controller sees it"
               : picture == "shed"    ? "Requests shed and failed"
                                      : "Requests, and those answered within the SLO";
  for (const auto& [name, m] : models_) {
    const std::string prefix = models_.size() > 1 ? given + name + " " : given;
    if (picture == "batch") draw_batch(m, prefix, into);
    if (picture == "queue") draw_queue(m, prefix, into);
    if (picture == "latency") draw_latency(m, prefix, into);
    if (picture == "ccdf") m.latency.draw_distribution(prefix + "latency", into);
    if (picture == "fit") {
      add_series(m.fixed, Shape::steps, prefix + "fixed", into);
      add_series(m.per_row, Shape::steps, prefix + "a row", into);
    }
    if (picture == "shed") {
      add_series(m.shed, Shape::line, prefix + "shed", into);
      add_series(m.failed, Shape::line, prefix + "failed", into);
    }
    if (picture == "rate") {
      add_series(m.rate, Shape::line, prefix + "requests", into);
      add_series(m.good, Shape::line, prefix + "good", into);
    }
  }
}

}  // namespace

Kind serve_kind() {
  return {"serve",
          "windows, batches and requests of mlq-serve",
          {"serve_window", "batch", "request", "controller", "fault"},
          {{"batch", "rows a batch over time, and the target"},
           {"queue", "wait in the queue over time"},
           {"latency", "quantiles of latency over time"},
           {"shed", "requests shed and failed over time"},
           {"rate", "requests a second, and those within the SLO"},
           {"ccdf", "distribution of latency on log scales (from request records)"},
           {"fit", "what the controller takes a batch to cost, over time"},
           {"faults", "faults by what they are"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<ServeCollector>()); }};
}

}  // namespace mlq::plot
