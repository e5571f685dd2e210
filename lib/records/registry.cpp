#include "lib/records/registry.h"

#include <array>
#include <tuple>

#include "lib/records/arrival.h"
#include "lib/records/gather_schema.h"
#include "lib/records/load_schema.h"
#include "lib/records/model.h"
#include "lib/records/quant_schema.h"
#include "lib/records/serve_schema.h"
#include "lib/records/simigrad_schema.h"
#include "lib/records/stream.h"
#include "lib/records/suite.h"
#include "lib/records/trace.h"
#include "lib/records/tune_schema.h"

namespace mlq::records {
namespace {

template <class T>
TypeInfo describe() {
  TypeInfo info{Schema<T>::type, Schema<T>::summary, {}};
  const auto add = [&]<class F>(const F& f) {
    info.fields.push_back({F::name, type_name<typename F::Value>(), f.unit, F::required, f.text});
  };
  std::apply([&](const auto&... fields) { (add(fields), ...); }, Schema<T>::fields);
  return info;
}

}  // namespace

const std::vector<TypeInfo>& registry() {
  static const std::vector<TypeInfo> types = {
      describe<Run>(),
      describe<End>(),
      describe<Arrival>(),
      describe<Bin>(),
      describe<RatePoint>(),
      describe<TraceStat>(),
      describe<Idc>(),
      describe<Acf>(),
      describe<Qq>(),
      describe<Hist>(),
      describe<Test>(),
      describe<Verdict>(),
      describe<Expected>(),
      describe<Result>(),
      describe<LoadWindow>(),
      describe<Summary>(),
      describe<OutcomeCount>(),
      describe<Listen>(),
      describe<ServedModel>(),
      describe<Replica>(),
      describe<KnobChange>(),
      describe<ServeWindow>(),
      describe<ServedBatch>(),
      describe<ServedRequest>(),
      describe<ControllerChange>(),
      describe<ServeFault>(),
      describe<Lost>(),
      describe<Sample>(),
      describe<Accuracy>(),
      describe<Speed>(),
      describe<Trial>(),
      describe<Decision>(),
      describe<TuneEvent>(),
      describe<TuneLevel>(),
      describe<Policy>(),
      describe<Ask>(),
      describe<Tell>(),
      describe<Measurement>(),
      describe<Duet>(),
      describe<SurfaceRow>(),
      describe<Score>(),
      describe<SuiteScore>(),
      describe<SuiteRatio>(),
      describe<Effect>(),
      describe<Flip>(),
      describe<CheckStep>(),
      describe<Tensor>(),
      describe<TensorStat>(),
      describe<ShardFile>(),
      describe<QuantPlan>(),
      describe<Importance>(),
      describe<Certificate>(),
      describe<QuantSummary>(),
      describe<QuantBench>(),
      describe<TensorDelta>(),
      describe<Patch>(),
      describe<ChainLink>(),
      describe<GatherStep>(),
      describe<SimulatedGather>(),
      describe<Gram>(),
      describe<GramTensor>(),
      describe<Estimate>(),
      describe<BatchSize>(),
      describe<ScheduleSegment>(),
      describe<BatchSchedule>(),
      describe<Emission>(),
      describe<Pareto>(),
      describe<Dump>(),
      describe<DumpTensor>(),
      describe<MissingGroup>(),
      describe<Hello>(),
      describe<AdviceFault>(),
      describe<AdviceJournal>(),
  };
  return types;
}

}  // namespace mlq::records
