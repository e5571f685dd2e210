#include "lib/simigrad/control/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/base/units.h"

namespace mlq::simigrad {
namespace {

constexpr std::array kControllers = {
    std::pair{Controller::simigrad, std::string_view("simigrad")},
    std::pair{Controller::ratio, std::string_view("ratio")},
    std::pair{Controller::sqrt_noise, std::string_view("sqrt-noise")},
    std::pair{Controller::normtest, std::string_view("normtest")},
    std::pair{Controller::static_batch, std::string_view("static")},
};
constexpr size_t kLadderFile = size_t{1} << 20;

Ladder read_ladder(const std::string& path) {
  Ladder ladder;
  ladder.kind = Ladder::Kind::list;
  const std::string text = read_file(path, kLadderFile);
  uint64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    line = line.substr(0, line.find('#'));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t'))
      line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    ++number;
    at = end + 1;
    if (line.empty()) continue;
    uint64_t batch = 0;
    try {
      batch = parse_count(line);
    } catch (const Error& error) {
      throw input_error("{}:{}: {}", path, number, error.what());
    }
    if (batch == 0 || (!ladder.batches.empty() && batch <= ladder.batches.back()))
      throw input_error("{}:{}: {} must be above {}; a batch size a line, rising", path, number, batch,
                        ladder.batches.empty() ? 0 : ladder.batches.back());
    ladder.batches.push_back(batch);
  }
  if (ladder.batches.empty()) throw input_error("{}: there is no batch size in it", path);
  return ladder;
}

std::string ladder_text(const Ladder& ladder) {
  switch (ladder.kind) {
    case Ladder::Kind::none:
      return "none";
    case Ladder::Kind::pow2:
      return "pow2";
    case Ladder::Kind::integer_factor:
      return "integer-factor";
    default:
      return fmt::format("{}", fmt::join(ladder.batches, ","));
  }
}

std::string smoothing_text(const Smoothing& s) {
  switch (s.kind) {
    case Smoothing::Kind::ema:
      return fmt::format("ema:{}", s.ema);
    case Smoothing::Kind::halflife:
      return fmt::format("halflife:{}", s.halflife);
    default:
      return fmt::format("window:{}", s.steps);
  }
}

std::string_view lr_text(LrRule rule) {
  switch (rule) {
    case LrRule::sqrt:
      return "sqrt";
    case LrRule::linear:
      return "linear";
    case LrRule::gain:
      return "gain";
    default:
      return "none";
  }
}

std::string optional_text(const std::optional<uint64_t>& value) {
  return value ? fmt::format("{}", *value) : "unset";
}

void validate_own(const ControlOptions& o) {
  if (has_target(o.controller) && !o.target)
    throw usage_error("--target is missing: {} steers to a cosine; --theta and --kappa say the same",
                      name_of(o.controller));
  if (o.controller == Controller::sqrt_noise && !(o.step_cost > 0))
    throw usage_error("--step-cost is missing: what a step costs beside its samples, in samples");
  if (o.controller == Controller::static_batch && o.batch == 0)
    throw usage_error("--batch is missing: the batch that static keeps");
}

void validate_granule(const ControlOptions& o) {
  if (o.micro.has_value() != o.workers.has_value())
    throw usage_error("{} is missing: a batch is micro-batch x workers x accumulation",
                      o.micro ? "--dp" : "--micro");
  if (o.max_micro && !o.micro) throw usage_error("--max-micro: needs --micro and --dp");
  if (o.max_micro && *o.max_micro < *o.micro)
    throw usage_error("--max-micro: {} is below --micro {}", *o.max_micro, *o.micro);
  if (o.micro && o.multiple != 1)
    throw usage_error("--multiple: --micro and --dp say it already; give one of them");
}

}  // namespace

std::string_view name_of(Controller controller) {
  for (const auto& [known, name] : kControllers)
    if (known == controller) return name;
  return {};
}

Controller parse_controller(std::string_view text) {
  for (const auto& [controller, name] : kControllers)
    if (name == text) return controller;
  throw usage_error("\"{}\" is none of simigrad, ratio, sqrt-noise, normtest, static", text);
}

bool has_target(Controller controller) {
  return controller != Controller::sqrt_noise && controller != Controller::static_batch;
}

Ladder parse_ladder(std::string_view text) {
  if (text == "pow2") return {Ladder::Kind::pow2, {}};
  if (text == "integer-factor") return {Ladder::Kind::integer_factor, {}};
  return read_ladder(std::string(text));
}

void validate(const ControlOptions& o) {
  validate_own(o);
  validate_granule(o);
  if (o.min == 0) throw usage_error("--min: must be at least 1");
  if (o.max && *o.max < o.min) throw usage_error("--max: {} is below --min {}", *o.max, o.min);
  if (o.interval == 0) throw usage_error("--interval: must be at least 1");
  if (!(o.max_step >= 1)) throw usage_error("--max-step: {} must be at least 1", o.max_step);
  if (!(o.lr_damp >= 0 && o.lr_damp <= 1)) throw usage_error("--lr-damp: {} must be from 0 to 1", o.lr_damp);
  if (!(o.gain > 0 && o.gain < 1)) throw usage_error("--gain: {} must be above 0 and below 1", o.gain);
  if (!(o.estimating.confidence > 0 && o.estimating.confidence < 1))
    throw usage_error("--confidence: {} must be above 0 and below 1", o.estimating.confidence);
}

std::string canonical(const ControlOptions& o) {
  return fmt::format(
      "controller={} gamma={} halves={} population={} smoothing={} confidence={} base-batch={} min={} max={} "
      "multiple={} "
      "micro={} dp={} max-micro={} ladder={} monotone={} warmup-steps={} interval={} cooldown={} max-step={} "
      "deadband={} "
      "lr-rule={} lr-damp={} smooth={} gain={} step-cost={} unbiased={} batch={}",
      name_of(o.controller),
      has_target(o.controller) && o.target ? fmt::format("{}", o.target->gamma()) : "unset",
      o.estimating.observation.halves == Halves::parity ? "parity" : "split",
      o.estimating.observation.population, smoothing_text(o.estimating.smoothing), o.estimating.confidence,
      optional_text(o.base_batch), o.min, optional_text(o.max), o.multiple, optional_text(o.micro),
      optional_text(o.workers), optional_text(o.max_micro), ladder_text(o.ladder), o.monotone, o.warmup_steps,
      o.interval, o.cooldown, o.max_step, o.deadband ? "ci" : "off", lr_text(o.lr_rule), o.lr_damp, o.smooth,
      o.gain, o.step_cost, o.unbiased, o.batch);
}

std::string first_difference(std::string_view here, std::string_view there) {
  while (!here.empty() || !there.empty()) {
    const std::string_view a = here.substr(0, here.find(' '));
    const std::string_view b = there.substr(0, there.find(' '));
    if (a != b) {
      const std::string_view name = (a.empty() ? b : a).substr(0, (a.empty() ? b : a).find('='));
      const auto value = [](std::string_view text) {
        return text.substr(std::min(text.find('=') + 1, text.size()));
      };
      return fmt::format("{}: {} here, {} there", name, value(a), value(b));
    }
    here.remove_prefix(std::min(a.size() + 1, here.size()));
    there.remove_prefix(std::min(b.size() + 1, there.size()));
  }
  return {};
}

}  // namespace mlq::simigrad
