#include "lib/arrival/process/process.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/arrival/path/paths.h"
#include "lib/arrival/process/matrices.h"
#include "lib/arrival/process/rate_file.h"
#include "lib/arrival/process/sequential.h"
#include "lib/arrival/text/numbers_file.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

constexpr std::string_view kEngineSettings[] = {"law", "start", "batch", "duration", "count", "episode"};

const ProcessInfo& info_of(std::string_view name) {
  const auto& infos = process_infos();
  const auto at =
      std::find_if(infos.begin(), infos.end(), [&](const ProcessInfo& info) { return info.name == name; });
  if (at != infos.end()) return *at;
  std::string known;
  for (const ProcessInfo& info : infos) known += (known.empty() ? "" : ", ") + std::string(info.name);
  throw usage_error("there is no process \"{}\"; there are {}", name, known);
}

std::vector<std::string_view> allowed_settings(const ProcessInfo& info) {
  std::vector<std::string_view> names = info.settings;
  const bool own_engine =
      info.name == "deterministic" || info.name == "map" || info.name == "bmap" || info.name == "superpose";
  if (!own_engine) {
    for (const std::string_view name : kEngineSettings) {
      if (name != "law" || !is_renewal(info.name)) names.push_back(name);
    }
  }
  if (info.name != "superpose") names.insert(names.end(), mark_settings().begin(), mark_settings().end());
  return names;
}

Settings checked(const ProcessSpec& spec) {
  const ProcessInfo& info = info_of(spec.process);
  if (info.argument.empty() && !spec.argument.empty()) {
    throw usage_error("{} takes no argument; \"{}\" is one too many", spec.process, spec.argument);
  }
  if (!info.argument.empty() && spec.argument.empty()) {
    throw usage_error("{} needs its {}, as in: {} {}", spec.process, info.argument, spec.process,
                      info.argument);
  }
  return {spec, allowed_settings(info)};
}

Limits read_limits(const Settings& s) {
  Limits limits;
  limits.duration_ns = s.duration("duration");
  if (const auto text = s.text("count"); text && *text != "inf") limits.count = *s.count("count");
  limits.count_given = limits.count != std::numeric_limits<uint64_t>::max();
  return limits;
}

Start read_start(const Settings& s, Start fallback) {
  const auto text = s.text("start");
  if (!text) return fallback;
  if (*text == "stationary") return Start::stationary;
  if (*text == "event") return Start::event;
  if (*text == "zero") return Start::zero;
  throw usage_error("--start: \"{}\" must be stationary, event or zero", *text);
}

LawPtr renewal_law(const Settings& s) {
  const std::string& name = s.process();
  if (name == "poisson") return exponential_law();
  if (name == "pareto" && s.has("alpha")) {
    if (s.has("cv")) throw usage_error("--cv and --alpha: give one of the two");
    return pareto_law_of_alpha(s.need_number("alpha"));
  }
  if (name == "erlang" && s.has("k")) {
    if (s.has("cv")) throw usage_error("--cv and --k: give one of the two");
    return erlang_law(static_cast<uint32_t>(std::min<uint64_t>(*s.count("k"), 1u << 20)));
  }
  if (name == "erlang") return parse_law("erlang:cv=" + s.need("cv"), LawUse::gap);
  const double cv = s.need_number("cv");
  if (name == "gamma") return gamma_law(cv);
  if (name == "weibull") return weibull_law(cv);
  if (name == "lognormal") return lognormal_law(cv);
  if (name == "pareto") return pareto_law(cv);
  if (name == "lomax") return lomax_law(cv);
  return h2_law(cv);
}

LawPtr gap_law(const Settings& s) {
  if (is_renewal(s.process())) return renewal_law(s);
  const LawPtr law = s.law("law", LawUse::gap);
  return law ? law : exponential_law();
}

RatePathPtr sinusoid_path(const Settings& s) {
  Wave wave;
  wave.base_per_s = s.need_rate().per_s();
  constexpr double kTurn = 6.283185307179586;
  if (s.has("amplitude")) {
    s.need("period");
    wave.terms.push_back({s.need_number("amplitude"), s.seconds_or("period", 0),
                          kTurn * std::fmod(s.number_or("phase", 0), 1)});
  }
  for (const std::string& text : s.all("harmonic")) {
    const size_t at = text.find('@');
    if (at == text.npos)
      throw usage_error("--harmonic: \"{}\" must be AMPLITUDE@PERIOD or AMPLITUDE@PERIOD@TURN", text);
    const size_t second = text.find('@', at + 1);
    const std::string period = text.substr(at + 1, second == text.npos ? text.npos : second - at - 1);
    try {
      const double turn = second == text.npos ? 0 : parse_double(text.substr(second + 1));
      wave.terms.push_back({parse_double(text.substr(0, at)),
                            static_cast<double>(parse_duration(period)) / 1e9, kTurn * std::fmod(turn, 1)});
    } catch (const Error& error) {
      throw usage_error("--harmonic: {}", error.what());
    }
  }
  return wave_path(std::move(wave));
}

RatePathPtr points_path(const Settings& s) {
  std::vector<RateKnot> knots;
  for (const NumberPair& pair : read_number_pairs(s.need("points")))
    knots.push_back({pair.first, pair.second});
  return knots_path(knots);
}

RatePathPtr formula_path(const Settings& s) {
  std::optional<double> duration;
  if (const auto ns = s.duration("duration")) duration = static_cast<double>(*ns) / 1e9;
  const double step = s.seconds_or("expr-step", duration ? std::clamp(*duration / 1e5, 1e-3, 1.0) : 1.0);
  if (!(step > 0)) throw usage_error("--expr-step must be positive");
  return expression_path(s.argument(), step, duration);
}

RatePathPtr make_path(const Settings& s, const BuildContext& context);

RatePathPtr shape_path(const Settings& s, const BuildContext& context) {
  static const std::vector<std::pair<std::string_view, Shape::Kind>> kinds = {
      {"ramp", Shape::Kind::ramp},         {"step", Shape::Kind::step},
      {"spike", Shape::Kind::spike},       {"square", Shape::Kind::square},
      {"sawtooth", Shape::Kind::sawtooth}, {"flash-crowd", Shape::Kind::flash_crowd}};
  Shape shape;
  for (const auto& [name, kind] : kinds) {
    if (name == s.process()) shape.kind = kind;
  }
  const bool crowd = shape.kind == Shape::Kind::flash_crowd;
  shape.onset_s = s.seconds_or("onset", 0);
  shape.ramp_s = s.seconds_or("ramp", crowd || shape.kind == Shape::Kind::ramp ? 60 : 0);
  shape.sustain_s = s.seconds_or("sustain", crowd ? 300 : 0);
  shape.decay_s = s.seconds_or("decay", crowd ? 600 : 0);
  shape.period_s = s.seconds_or("period", 60);
  shape.duty = s.number_or("duty", 0.5);
  const std::string level = s.text("level").value_or("5x");
  shape.additive = !level.ends_with("x");
  try {
    shape.level =
        shape.additive ? parse_rate(level).per_s() : parse_double(level.substr(0, level.size() - 1));
  } catch (const Error& error) {
    throw usage_error("--level: {}; or write a factor, as in 5x", error.what());
  }
  if (const auto text = s.text("base")) {
    if (s.rate()) throw usage_error("--base and --rate: give one of the two");
    const ProcessSpec base = expand_preset(parse_spec(*text), context.data_dir);
    const auto belongs_outside = [](const std::string& name) {
      const auto& marks = mark_settings();
      return std::find(std::begin(kEngineSettings), std::end(kEngineSettings), name) !=
                 std::end(kEngineSettings) ||
             std::find(marks.begin(), marks.end(), name) != marks.end();
    };
    for (const auto& [name, value] : base.settings) {
      if (belongs_outside(name)) throw usage_error("--base: only the rate is taken; give --{} outside", name);
    }
    RatePathPtr path = make_path(checked(base), context);
    if (!path) throw usage_error("--base: {} has no rate path", base.process);
    return shaped_path(std::move(path), shape);
  }
  return shaped_path(constant_path(s.need_rate()), shape);
}

RatePathPtr markov_path(const Settings& s, RandomStream random, uint32_t stream) {
  const std::vector<double> rates = state_rates(s);
  return mmpp_path(rates, mmpp_generator(s, rates.size()), random, stream);
}

LawPtr sojourn_law(const Settings& s, std::string_view name) {
  s.need(name);
  LawPtr law = s.law(name, LawUse::sojourn);
  if (!law->has_residual()) {
    throw usage_error("--{}: a stay cannot have this law; take one without mix, min=, max= and round=", name);
  }
  return law;
}

Stays read_stays(const Settings& s) {
  return read_start(s, Start::stationary) == Start::stationary ? Stays::residual : Stays::fresh;
}

// The path has its own limit; a number that it cannot be given is told as it is.
uint32_t sources_of(const Settings& s, uint32_t otherwise) {
  const uint64_t sources = s.count("sources").value_or(otherwise);
  if (sources > std::numeric_limits<uint32_t>::max())
    throw usage_error("--sources {} is out of range; it must be from 1 to 65535", sources);
  return static_cast<uint32_t>(sources);
}

RatePathPtr self_similar_path(const Settings& s, RandomStream random, uint32_t stream) {
  const double hurst = s.need_number("hurst");
  if (!(hurst > 0.5 && hurst < 1))
    throw usage_error("--hurst {} is out of range; it must be above 0.5 and below 1", hurst);
  const double rate = s.need_rate().per_s();
  const std::string by = s.text("by").value_or("onoff");
  const double on_s = s.seconds_or("mean-on", 1);
  const LawPtr pareto = pareto_law_of_alpha(3 - 2 * hurst);
  if (by == "onoff") {
    const auto sources = sources_of(s, 50);
    const double off_s = s.seconds_or("mean-off", on_s);
    if (sources == 0 || !(on_s > 0 && off_s > 0))
      throw usage_error("--sources, --mean-on and --mean-off must be positive");
    const double on_rate = rate / sources * (on_s + off_s) / on_s;
    return onoff_path(on_rate, scaled_law(pareto, on_s), scaled_law(pareto, off_s), sources, read_stays(s),
                      random, stream);
  }
  if (by == "mg-inf")
    return session_path(rate, s.number_or("sources", 50), scaled_law(pareto, on_s), read_stays(s), random,
                        stream);
  if (by != "fgn") throw usage_error("--by: \"{}\" must be onoff, mg-inf or fgn", by);
  const double step_s = s.seconds_or("step", 1);
  const auto duration = s.duration("duration");
  if (!duration) throw usage_error("self-similar by fgn needs --duration: its noise is made at once");
  constexpr double kMostSteps = 4194304;
  const double steps = std::ceil(static_cast<double>(*duration) / 1e9 / step_s);
  if (!(steps >= 1 && steps <= kMostSteps)) {
    throw usage_error("--duration / --step is {} steps; at most 4194304 can be made, so take a longer --step",
                      steps);
  }
  return fgn_path(rate, hurst, s.number_or("idc", 4), step_s, static_cast<size_t>(steps), random, stream);
}

// Null for processes without a path.
RatePathPtr make_path(const Settings& s, const BuildContext& context) {
  const std::string& name = s.process();
  const RandomStream random(context.seed, Purpose::modulator);
  if (is_renewal(name)) return constant_path(s.need_rate());
  if (name == "concat") return concat_path(s.all("segment"));
  if (name == "nhpp") return points_path(s);
  if (name == "rate-file") return rate_file_path(s);
  if (name == "sinusoid") return sinusoid_path(s);
  if (name == "expr") return formula_path(s);
  if (name == "mmpp") return markov_path(s, random, context.stream);
  if (name == "onoff") {
    const auto sources = sources_of(s, 1);
    s.need("on-rate");
    return onoff_path(s.rate("on-rate")->per_s(), sojourn_law(s, "on"), sojourn_law(s, "off"), sources,
                      read_stays(s), random, context.stream);
  }
  if (name == "cox") {
    return lognormal_path(s.need_rate().per_s(), s.need_number("rate-cv"), s.seconds_or("rate-step", 1),
                          s.number_or("rate-ar", 0), random, context.stream);
  }
  if (name == "self-similar") return self_similar_path(s, random, context.stream);
  if (name == "deterministic" || name == "map" || name == "bmap" || name == "superpose") return nullptr;
  return shape_path(s, context);
}

bool keeps_counts(const Settings& s) {
  return s.process() == "rate-file" && s.text("counts").value_or("resample") == "keep";
}

// True if the process ends by itself.
bool ends_itself(const Settings& s) {
  static const std::vector<std::string_view> names = {"concat", "nhpp", "rate-file"};
  return std::find(names.begin(), names.end(), s.process()) != names.end();
}

void require_end(const Settings& s) {
  if (s.has("duration") || s.has("count") || ends_itself(s)) return;
  throw usage_error("{} needs --duration or --count (--count inf for no end)", s.process());
}

bool has_exponential_gaps(const Settings& s) {
  return s.process() == "poisson" || (!is_renewal(s.process()) && s.text("law").value_or("exp") == "exp");
}

EngineParts parts_of(const Settings& s, const BuildContext& context) {
  EngineParts parts;
  if (keeps_counts(s)) {
    for (const std::string_view name : {"law", "start", "batch", "interp"}) {
      if (s.has(name)) throw usage_error("--counts keep and --{}: the counts fix the arrivals", name);
    }
    return parts;
  }
  parts.path = make_path(s, context);
  if (!parts.path) return parts;
  parts.law = gap_law(s);
  parts.batch = s.law("batch", LawUse::count);
  if (parts.batch && parts.batch->cdf(0) > 0.999)
    throw usage_error("--batch: its arrivals are nearly always 0");
  parts.start = read_start(s, Start::stationary);
  parts.has_segments = s.process() == "concat";
  parts.emit_path = context.emit_path;
  return parts;
}

std::unique_ptr<TimeSource> deterministic(const Settings& s, const BuildContext& context) {
  double jitter = 0;
  if (const auto text = s.text("jitter")) {
    constexpr std::string_view kPrefix = "uniform:";
    if (!text->starts_with(kPrefix))
      throw usage_error("--jitter: \"{}\" must be uniform:SHARE, as in uniform:5%", *text);
    try {
      jitter = parse_double(std::string_view(*text).substr(kPrefix.size()));
    } catch (const Error& error) {
      throw usage_error("--jitter: {}", error.what());
    }
  }
  return deterministic_times(s.need_rate(), jitter, read_start(s, Start::zero), read_limits(s), context.seed,
                             context.stream);
}

Process superposition(const Settings& s, const BuildContext& context) {
  const std::vector<std::string> texts = s.all("source");
  if (texts.empty()) throw usage_error("superpose needs --source, as in --source 'poisson --rate 10/s'");
  constexpr size_t kMostSources = 10000;
  if (texts.size() > kMostSources) throw usage_error("superpose takes at most {} sources", kMostSources);
  std::vector<std::string> weights;
  uint64_t total = 0;
  const auto rate = s.rate();
  if (rate.has_value() != s.has("weights"))
    throw usage_error("--rate and --weights belong together: the rate is shared out");
  if (rate) {
    weights = split_list(s.need("weights"));
    if (weights.size() != texts.size()) {
      throw usage_error("--weights: {} weights for {} sources", weights.size(), texts.size());
    }
    for (const std::string& w : weights) {
      const uint64_t weight = parse_count(w);
      if (weight < 1 || weight > 1'000'000'000) {
        throw usage_error("--weights: {} is out of range; a weight is from 1 to 10^9", weight);
      }
      total += weight;
    }
  }
  Process process;
  std::vector<std::unique_ptr<TimeSource>> sources;
  for (size_t k = 0; k < texts.size(); ++k) {
    ProcessSpec spec = parse_spec(texts[k]);
    if (spec.process == "superpose") throw usage_error("--source: superpose cannot stand in superpose");
    const auto gives = [&spec](std::string_view name) {
      return std::any_of(spec.settings.begin(), spec.settings.end(),
                         [name](const auto& p) { return p.first == name; });
    };
    if (const auto value = s.text("duration"); value && !gives("duration"))
      spec.settings.emplace_back("duration", *value);
    if (rate) {
      const double share =
          rate->per_s() * static_cast<double>(parse_count(weights[k])) / static_cast<double>(total);
      spec.settings.emplace_back("rate", fmt::format("{}/s", share));
    }
    if (!gives("duration") && !gives("count")) spec.settings.emplace_back("count", "inf");
    BuildContext inner = context;
    inner.stream = static_cast<uint32_t>(k) << 16;
    inner.emit_path = false;
    Process part = make_process(spec, inner);
    sources.push_back(std::move(part.times));
    process.marks.push_back(std::move(part.marks.front()));
  }
  process.times = superposed_times(std::move(sources), read_limits(s));
  return process;
}

}  // namespace

bool is_renewal(std::string_view process) {
  static const std::vector<std::string_view> names = {"poisson", "gamma", "weibull", "lognormal",
                                                      "pareto",  "lomax", "erlang",  "h2"};
  return std::find(names.begin(), names.end(), process) != names.end();
}

ProcessSpec expand_preset(const ProcessSpec& spec, const std::string& data_dir) {
  if (spec.process != "preset") return spec;
  const auto& infos = preset_infos();
  const auto at =
      std::find_if(infos.begin(), infos.end(), [&](const PresetInfo& p) { return p.name == spec.argument; });
  if (at == infos.end()) {
    std::string known;
    for (const PresetInfo& info : infos) known += (known.empty() ? "" : ", ") + std::string(info.name);
    throw usage_error("there is no preset \"{}\"; there are {}", spec.argument, known);
  }
  ProcessSpec out = parse_spec(at->spec);
  constexpr std::string_view kData = "DATA/";
  if (out.argument.starts_with(kData)) out.argument = data_dir + "/" + out.argument.substr(kData.size());
  for (const auto& setting : spec.settings) {
    const bool repeats =
        setting.first == "segment" || setting.first == "harmonic" || setting.first == "source";
    // --rate and --gap are two words for one thing.
    const auto key = [](const std::string& name) { return name == "gap" ? std::string("rate") : name; };
    const auto same = std::find_if(out.settings.begin(), out.settings.end(), [&](const auto& s) {
      return key(s.first) == key(setting.first) && !repeats;
    });
    if (same != out.settings.end())
      *same = setting;
    else
      out.settings.push_back(setting);
  }
  return out;
}

EngineParts make_engine_parts(const ProcessSpec& spec, const BuildContext& context) {
  return parts_of(checked(expand_preset(spec, context.data_dir)), context);
}

bool has_random_path(const ProcessSpec& spec, const std::string& data_dir) {
  const ProcessSpec own = expand_preset(spec, data_dir);
  if (const auto base = std::find_if(own.settings.begin(), own.settings.end(),
                                     [](const auto& s) { return s.first == "base"; });
      base != own.settings.end()) {
    return has_random_path(parse_spec(base->second), data_dir);
  }
  return own.process == "mmpp" || own.process == "onoff" || own.process == "cox" ||
         own.process == "self-similar";
}

Process make_process(const ProcessSpec& given, const BuildContext& context) {
  const ProcessSpec spec = expand_preset(given, context.data_dir);
  const Settings s = checked(spec);
  require_end(s);
  Process process;
  const Limits limits = read_limits(s);
  if (spec.process == "superpose") {
    process = superposition(s, context);
  } else {
    process.marks.emplace_back(s, context.seed, context.stream);
    if (spec.process == "deterministic") {
      process.times = deterministic(s, context);
    } else if (spec.process == "map" || spec.process == "bmap") {
      process.times = map_times(read_map_matrices(s), limits, context.seed, context.stream);
    } else if (keeps_counts(s)) {
      parts_of(s, context);  // checks the settings
      process.times = counted_times(rate_file_bins(s), limits, context.seed, context.stream);
    } else {
      EngineParts parts = parts_of(s, context);
      RatePathPtr mass_path;
      if (limits.conditioned()) {
        // The law of a random path given a number of arrivals is another one.
        const bool exact = has_exponential_gaps(s) && !has_random_path(spec, context.data_dir);
        process.conditioned = exact ? "exact" : "rescaled";
        // A list of pieces is copied: its file may be a pipe that cannot be read again.
        const auto* list = dynamic_cast<const PieceList*>(parts.path.get());
        mass_path = list != nullptr ? std::make_unique<PieceList>(*list) : make_path(s, context);
      }
      process.times =
          make_engine(std::move(parts), limits, context.seed, context.stream, std::move(mass_path));
    }
  }
  process.episode = s.count("episode").value_or(0);
  return process;
}

}  // namespace mlq::arrival
