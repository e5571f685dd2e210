// The models of a command line.
#include <algorithm>

#include "lib/base/io.h"
#include "lib/stats/slo.h"
#include "tools/mlq-serve/commands.h"

namespace mlq::tools {
namespace {

// `p99<=20ms`: a quantile of the latency, or a limit for every request.
void set_objective(std::string_view text, std::vector<serve::ModelConfig>& models, size_t from) {
  const std::vector<stats::SloTerm> terms = stats::parse_slo(text);
  const bool fits = terms.size() == 1 && terms[0].kind == stats::SloKind::quantile &&
                    terms[0].metric == stats::SloMetric::latency &&
                    (terms[0].op == stats::SloOp::le || terms[0].op == stats::SloOp::lt);
  if (!fits) throw usage_error("--slo: one quantile of the latency is wanted, as in 'p99<=20ms'");
  const double quantile =
      static_cast<double>(terms[0].quantile.num) / static_cast<double>(terms[0].quantile.den);
  if (quantile < 0.5 || quantile > 0.9999)
    throw usage_error("--slo: a quantile from p50 to p99.99 is wanted");
  if (from == models.size())
    throw usage_error("--slo is for models given by --model; those of --config have slo_ns and slo_quantile");
  for (size_t k = from; k < models.size(); ++k) {
    models[k].knobs["slo_ns"] = terms[0].limit_ns;
    models[k].knobs["slo_quantile"] = quantile;
  }
}

void set_knob(std::string_view text, std::vector<serve::ModelConfig>& models) {
  const size_t equals = text.find('=');
  if (equals == text.npos) throw usage_error("--set {}: it must be [MODEL.]KNOB=VALUE", text);
  std::string_view knob = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1);
  const size_t dot = knob.rfind('.');
  const std::string_view name = dot == knob.npos ? std::string_view() : knob.substr(0, dot);
  if (dot != knob.npos) knob.remove_prefix(dot + 1);
  bool found = false;
  for (serve::ModelConfig& model : models) {
    if (!name.empty() && model.name != name) continue;
    found = true;
    std::vector<serve::KnobValue> values = serve::knob_values(model);
    if (const auto refusal = serve::model_knob_rows().set(knob, value, values))
      throw usage_error("--set {}: {}", text, refusal->message);
    const auto rows = serve::model_knob_rows().rows();
    const auto row = std::ranges::find(rows, knob, &serve::Knob::name);
    model.knobs[std::string(knob)] = values[static_cast<size_t>(row - rows.begin())];
  }
  if (!found) throw usage_error("--set {}: there is no model \"{}\"", text, name);
}

}  // namespace

void add_models(cli::Command& command, ModelArguments& a) {
  command.add(
      "Models",
      {cli::text("config", "FILE", "Models, replicas and knobs, as JSON; read again at SIGHUP.",
                 a.config_file)
           .file(),
       cli::text("model", "NAME=URL[,URL..]",
                 "A model of the Open Inference Protocol v2 and where its replicas are.", a.models),
       cli::text("slo", "TERM",
                 "Objective of the models given by --model, as in 'p99<=20ms', from a request's first "
                 "byte.",
                 a.slo)
           .shown_default("none"),
       cli::text("set", "[MODEL.]KNOB=VALUE",
                 "A knob of one model or of all, as in max_rows=64; see KNOBS in mlq-serve(1).",
                 a.settings)});
}

serve::ServeConfig read_models(const ModelArguments& a) {
  serve::ServeConfig config;
  if (!a.config_file.empty()) config = serve::parse_config(read_file(a.config_file), a.config_file);
  const size_t from = config.models.size();
  for (const std::string& text : a.models) {
    try {
      config.models.push_back(serve::parse_model_option(text));
    } catch (const Error& error) {
      throw usage_error("--model {}: {}", text, error.what());
    }
    for (size_t k = 0; k + 1 < config.models.size(); ++k)
      if (config.models[k].name == config.models.back().name)
        throw usage_error("--model {}: that name is there twice", config.models.back().name);
  }
  if (config.models.empty())
    throw usage_error("there is no model to serve; say --model NAME=URL or --config FILE");
  if (!a.slo.empty()) set_objective(a.slo, config.models, from);
  for (const std::string& text : a.settings) set_knob(text, config.models);
  return config;
}

}  // namespace mlq::tools
