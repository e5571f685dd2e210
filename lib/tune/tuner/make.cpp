#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {
namespace {

struct Maker {
  TunerInfo info;
  std::unique_ptr<Tuner> (*make)(const TunerOptions&, const Space&);
};

const std::vector<Maker>& makers() {
  static const std::vector<Maker> all = {
      {{"rrl-a", "regions of adaptive size, a forest, a Gaussian process"}, make_rrl_adaptive},
      {{"rrl", "RRL as published: a region of the table follows a neural network"}, make_rrl_table},
      {{"rrl-region", "a plain table: a region follows what was observed"}, make_rrl_table},
      {{"noregion", "the same table without regions"}, make_rrl_table},
      {{"random", "valid points in random order"}, make_random},
      {{"grid", "valid points row by row"}, make_grid},
      {{"hill", "hill climbing, like Model Analyzer's quick search"}, make_hill},
      {{"tpe", "tree-structured Parzen estimators, like Optuna"}, make_tpe},
      {{"tpe:multivariate", "the same over all knobs together"}, make_tpe},
      {{"gp-ei", "a Gaussian process with expected improvement, like CherryPick"}, make_gp_ei},
      {{"gp-ei:stop", "the same with its stopping rule"}, make_gp_ei},
      {{"forest-ei", "a random forest with expected improvement, like SMAC"}, make_forest_ei},
      {{"capes-like", "deep Q-learning of single steps, like CAPES", {0.0003, 0.001, 0.003}},
       make_capes_like},
      {{"capes-like:paper", "the same with the schedule of its paper", {0.0003, 0.001, 0.003}},
       make_capes_like},
      {{"deeprm-like", "policy gradient, like DeepRM", {0.0003, 0.001, 0.01}}, make_deeprm_like},
      {{"deeprm-like:warm", "the same after imitating hill", {0.0003, 0.001, 0.01}}, make_deeprm_like},
      {{"aimd", "additive increase, multiplicative decrease of the batch size, like Clipper"}, make_aimd},
  };
  return all;
}

}  // namespace

const std::vector<TunerInfo>& tuner_infos() {
  static const std::vector<TunerInfo> infos = [] {
    std::vector<TunerInfo> out;
    for (const Maker& maker : makers()) out.push_back(maker.info);
    return out;
  }();
  return infos;
}

std::unique_ptr<Tuner> make_tuner(const TunerOptions& options, const Space& space) {
  std::string names;
  for (const Maker& maker : makers()) {
    if (maker.info.name == options.name) return maker.make(options, space);
    names += (names.empty() ? "" : ", ") + std::string(maker.info.name);
  }
  throw usage_error("\"{}\" is no tuner; there are {}", options.name, names);
}

}  // namespace mlq::tune
