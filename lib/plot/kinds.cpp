#include "lib/plot/collector.h"

namespace mlq::plot {

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {trace_kind(), check_kind(),  replay_kind(),   serve_kind(),
                                        model_kind(), tune_kind(),   tuners_kind(),   quant_kind(),
                                        patch_kind(), gather_kind(), simigrad_kind(), bench_kind()};
  return all;
}

const Kind* kind_named(std::string_view name) {
  for (const Kind& kind : kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::span<const NotDrawn> not_drawn() {
  constexpr std::string_view kFrame = "says what made the stream";
  constexpr std::string_view kAnswer = "is a yes or a no";
  constexpr std::string_view kEvent = "is an event, to be read";
  constexpr std::string_view kTalk = "is said from program to program";
  constexpr std::string_view kList = "lists files and what is in them";
  static constexpr NotDrawn all[] = {
      {"run", kFrame},
      {"end", kFrame},
      {"verdict", kAnswer},
      {"certificate", kAnswer},
      {"listen", kEvent},
      {"model", kEvent},
      {"replica", kEvent},
      {"knob", kEvent},
      {"lost", kEvent},
      {"decision", kEvent},
      {"event", kEvent},
      {"missing", kEvent},
      {"ask", kTalk},
      {"hello", kTalk},
      {"simigrad_fault", kTalk},
      {"journal", kTalk},
      {"emission", kTalk},
      {"shard", kList},
      {"dump_tensor", kList},
      {"sample", "is what a model is given"},
      {"schedule", "sums up a schedule, whose segments are drawn"},
  };
  return all;
}

}  // namespace mlq::plot
