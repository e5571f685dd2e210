#include "lib/arrival/check/claim.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

std::optional<std::string> setting(const ProcessSpec& spec, std::string_view name) {
  const auto at = std::find_if(spec.settings.begin(), spec.settings.end(),
                               [&](const auto& s) { return s.first == name; });
  return at == spec.settings.end() ? std::nullopt : std::optional(at->second);
}

// The common length of the segments of a concat, if there is one.
std::optional<int64_t> segment_length(const ProcessSpec& spec) {
  std::optional<int64_t> common;
  for (const auto& [name, value] : spec.settings) {
    if (name != "segment") continue;
    const size_t at = value.find('@');
    if (value.starts_with("n=") || at == std::string::npos) return std::nullopt;
    const int64_t length = parse_duration(value.substr(0, at));
    if (common && *common != length) return std::nullopt;
    common = length;
  }
  return common;
}

Claim::Spacing spacing_of(const ProcessSpec& spec) {
  const auto rate_text = setting(spec, "rate");
  const auto gap_text = setting(spec, "gap");
  if (!rate_text && !gap_text) throw usage_error("deterministic needs --rate or --gap");
  const Rate rate = rate_text ? parse_rate(*rate_text) : parse_gap(*gap_text);
  // Times are rounded down, and each may move by the jitter's share of a gap either way.
  Claim::Spacing spacing{rate, 1};
  if (const auto jitter = setting(spec, "jitter")) {
    const double share =
        parse_double(jitter->substr(std::min(jitter->size(), std::string("uniform:").size())));
    spacing.slack_ns += 2 * share * 1e9 / rate.per_s();
  }
  return spacing;
}

Claim claim_of_spec(const std::string& text, const records::Run& about, const std::string& data_dir) {
  if (about.shards > 1u) {
    throw input_error("the trace is shard {} of {}; a claim is about the whole, so merge the shards first",
                      about.shard.value_or(0), *about.shards);
  }
  Claim claim;
  claim.text = text;
  claim.spec = expand_preset(parse_spec(text), data_dir);
  BuildContext context;
  context.data_dir = data_dir;
  EngineParts parts = make_engine_parts(*claim.spec, context);
  claim.law = parts.law;
  claim.batches = parts.batch != nullptr;
  claim.random_path = has_random_path(*claim.spec, data_dir);
  if (!claim.random_path) claim.path = std::move(parts.path);
  claim.fixed_count = setting(*claim.spec, "duration") && setting(*claim.spec, "count");
  if (claim.spec->process == "deterministic") {
    claim.spacing = spacing_of(*claim.spec);
  } else if (!claim.law || claim.random_path) {
    claim.expected = expected(*claim.spec, context);
  }
  claim.seam_ns = segment_length(*claim.spec);
  return claim;
}

}  // namespace

Claim make_claim(const std::string& against, const records::Run& about, const std::string& data_dir) {
  if (against == "poisson" || (against.empty() && !about.spec)) {
    Claim claim;
    claim.text = "a Poisson process of any constant rate";
    claim.free_rate = true;
    return claim;
  }
  if (!against.empty() && against != "self") return claim_of_spec(against, about, data_dir);
  if (!about.spec) {
    throw input_error(
        "the trace has no spec in its run record to be checked against; name one, or `poisson`");
  }
  return claim_of_spec(*about.spec, about, data_dir);
}

}  // namespace mlq::arrival
