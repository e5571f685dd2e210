#include "lib/tune/compare/trial_record.h"

namespace mlq::tune {

records::Trial trial_record(const VirtualTrial& trial, const Surface& surface, const std::string& tuner) {
  const Space& space = surface.space();
  const Level& level = surface.levels()[trial.level];
  const Config config = space.config(trial.choice.point);
  records::Trial record;
  static_cast<records::WindowStats&>(record) = trial.window;
  record.t_ns = trial.t_ns;
  record.i = trial.i;
  record.phase = "replay";
  record.tuner = tuner;
  record.level = level.name;
  if (level.rate_per_s > 0) record.rate_per_s = level.rate_per_s;
  record.config = records::RawJson{config_json(config)};
  record.config_id = config_id(config);
  if (trial.apply_ns > 0) {
    record.apply_class = std::string(apply_class_name(trial.apply_class));
    record.apply_ns = trial.apply_ns;
  }
  if (trial.value.cost) {
    record.cost = trial.value.cost;
    record.y = trial.value.y;
    record.feasible = trial.value.feasible;
  }
  const Choice& choice = trial.choice;
  if (!choice.set.empty()) record.set = choice.set;
  if (!choice.estimator.empty()) record.estimator = choice.estimator;
  if (!choice.why.empty()) record.why = choice.why;
  record.pred_y = choice.pred_y;
  record.pred_sd = choice.pred_sd;
  record.acquisition = choice.acquisition;
  record.radius = choice.radius;
  if (trial.incumbent) record.incumbent = config_id(space.config(*trial.incumbent));
  record.incumbent_y = trial.incumbent_y;
  record.decide_ns = trial.decide_ns;
  return record;
}

}  // namespace mlq::tune
