// A model as its operator sees it: knobs, facts, metrics, windows.
#include <algorithm>

#include <fmt/format.h>

#include "lib/serve/gateway/served_model_impl.h"

namespace mlq::serve {

void ServedModel::tell_knob(size_t k, const KnobValue& value, const KnobValue& before, std::string_view by) {
  const auto json = [](const KnobValue& v) {
    jsonl::Buffer out;
    write_knob_value(v, out);
    return records::RawJson{std::string(out.view())};
  };
  records::KnobChange change;
  change.t_ns = t_ns();
  change.model = config_.name;
  change.gen = gen_;
  change.knob = knobs().rows()[k].name;
  change.value = json(value);
  change.value_before = json(before);
  change.by = by;
  host_.emitter().emit(change);
}

void ServedModel::apply(const std::vector<KnobValue>& values, std::string_view by) {
  host_.keep_knobs(config_.name, values);
  ++gen_;
  for (size_t k = 0; k < values.size(); ++k)
    if (values[k] != values_[k]) tell_knob(k, values[k], values_[k], by);
  values_ = values;
  knobs_ = model_knob_table().options(values_);
  scheduler_.set_knobs(knobs_);
  cache_.configure(knobs_.cache_bytes, knobs_.cache_policy, knobs_.cache_ttl_ns);
  publish();
  pump_soon();
}

// Until 32 batches have been seen at the present rate.
int64_t ServedModel::settle_ns() const {
  const SchedulerFigures f = figures();
  const double rows = std::max<double>(1, std::min<double>(f.target_rows, f.arrival_rows_per_s * 0.01));
  const double batches_per_s = f.arrival_rows_per_s / rows;
  if (batches_per_s <= 0.01) return 1'000'000'000;
  return static_cast<int64_t>(std::clamp(32 / batches_per_s, 0.1, 60.0) * 1e9);
}

SchedulerFigures ServedModel::figures() const { return scheduler_.figures(now_ns()); }

void ServedModel::describe(jsonl::Buffer& out) const {
  const SchedulerFigures f = figures();
  const auto text = [&](std::string_view key, std::string_view value) {
    out.raw(key);
    out.string(value);
  };
  const auto number = [&](std::string_view key, auto value) {
    out.raw(key);
    out.integer(value);
  };
  const auto real = [&](std::string_view key, double value) {
    out.raw(key);
    out.number(value);
  };
  text(R"(,"dialect":)", dialect_name(config_.dialect));
  out.raw(R"(,"batchable":)");
  out.boolean(batchable_);
  if (!batchable_) text(R"(,"note":)", why_alone_);
  number(R"(,"queue":{"requests":)", f.queued_requests);
  number(R"(,"rows":)", f.queued_rows);
  number(R"(,"bytes":)", f.queued_bytes);
  text(R"(},"controller":{"name":)", knob_text(values_[0]));
  number(R"(,"target_rows":)", f.target_rows);
  real(R"(,"alpha_ns_per_row":)", f.alpha_ns_per_row);
  real(R"(,"beta_ns":)", f.beta_ns);
  real(R"(,"share_over":)", f.share_over);
  real(R"(},"arrival_rows_per_s":)", f.arrival_rows_per_s);
  number(R"(,"inflight":)", f.batches_in_flight);
  number(R"(,"slots":)", f.slots);
  out.raw(R"(,"replicas":[)");
  for (size_t k = 0; k < links_.size(); ++k) {
    const ReplicaFigures r = scheduler_.replica_figures(links_[k]->id);
    number(k == 0 ? R"({"replica":)" : R"(,{"replica":)", links_[k]->id);
    text(R"(,"url":)", links_[k]->url);
    text(R"(,"state":)", replica_state_name(scheduler_.replicas().state(links_[k]->id)));
    number(R"(,"inflight":)", r.batches_in_flight);
    number(R"(,"target_rows":)", r.target_rows);
    out.raw('}');
  }
  out.raw(']');
}

std::vector<ReplicaFacts> ServedModel::replica_facts() const {
  std::vector<ReplicaFacts> out;
  for (const auto& link : links_)
    out.push_back({link->id, scheduler_.replicas().state(link->id), scheduler_.replicas().serving(link->id),
                   scheduler_.replica_figures(link->id).batches_in_flight});
  return out;
}

void ServedModel::emit_window(int64_t at_ns, int64_t window_ns) {
  records::ServeWindow window = stats_.take_window(at_ns, window_ns);
  const SchedulerFigures f = figures();
  window.model = config_.name;
  window.gen = gen_;
  window.target_rows = f.target_rows;
  window.inflight = f.batches_in_flight;
  host_.emitter().emit(window);
}

}  // namespace mlq::serve
