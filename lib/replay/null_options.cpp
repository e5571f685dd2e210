#include "lib/replay/null_options.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::replay {
namespace {

// Their product fits into 63 bits.
constexpr int64_t kLongestNs = 86'400'000'000'000;
constexpr uint64_t kMostAtOnce = 65'536;

// One key of a `k=v,...` text, and what takes its value.
struct Key {
  std::string_view name;
  std::function<void(std::string_view)> set;
};

std::string names_of(const std::vector<Key>& keys) {
  std::string names;
  for (const Key& key : keys) names += (names.empty() ? "" : ", ") + std::string(key.name) + "=";
  return names;
}

// Every key at most once, in any order; returns those that were there.
std::set<std::string_view> read_keys(std::string_view text, const std::vector<Key>& keys) {
  std::set<std::string_view> seen;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    const size_t equals = item.find('=');
    if (equals == item.npos)
      throw usage_error("\"{}\": \"{}\" must be KEY=VALUE, with a key of {}", text, item, names_of(keys));
    const std::string_view name = item.substr(0, equals);
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
    if (key == keys.end())
      throw usage_error("\"{}\": there is no \"{}\" here; there are {}", text, name, names_of(keys));
    if (!seen.insert(name).second) throw usage_error("\"{}\": {} is given twice", text, name);
    try {
      key->set(item.substr(equals + 1));
    } catch (const Error& error) {
      throw usage_error("\"{}\": {}=: {}", text, name, error.what());
    }
  }
  return seen;
}

void need(std::string_view text, const std::set<std::string_view>& seen, std::string_view key) {
  if (!seen.contains(key)) throw usage_error("\"{}\": {}= is needed", text, key);
}

Key duration_key(std::string_view name, int64_t& target) {
  return {name, [&target](std::string_view value) {
            target = parse_duration(value);
            if (target > kLongestNs) throw usage_error("\"{}\" is more than a day", value);
          }};
}

Key count_key(std::string_view name, uint32_t& target) {
  return {name, [&target](std::string_view value) {
            const uint64_t count = parse_count(value);
            if (count == 0 || count > kMostAtOnce)
              throw usage_error("\"{}\" must be from 1 to {}", value, kMostAtOnce);
            target = static_cast<uint32_t>(count);
          }};
}

double parse_chance(std::string_view text) {
  const double p = parse_double(text);
  if (!(p >= 0 && p <= 1)) throw usage_error("\"{}\" must be from 0 to 1", text);
  return p;
}

uint32_t parse_error_status(std::string_view text) {
  const uint64_t status = parse_count(text);
  if (status < 400 || status > 599) throw usage_error("\"{}\" must be from 400 to 599", text);
  return static_cast<uint32_t>(status);
}

}  // namespace

arrival::LawPtr parse_service(std::string_view text) {
  std::string law(text);
  const size_t mark = law.find_first_of(",:");
  if (mark != law.npos && law[mark] == ',') law[mark] = ':';
  return arrival::parse_law(law, arrival::LawUse::sojourn);
}

BatchRule parse_batch(std::string_view text) {
  BatchRule rule;
  read_keys(text, {count_key("max", rule.max), duration_key("delay", rule.delay_ns),
                   duration_key("base", rule.base_ns), duration_key("per", rule.per_ns)});
  return rule;
}

SseRule parse_sse(std::string_view text) {
  SseRule rule;
  read_keys(text, {duration_key("ttft", rule.ttft_ns), duration_key("itl", rule.itl_ns),
                   count_key("chunk", rule.chunk)});
  return rule;
}

StallRule parse_stall(std::string_view text) {
  StallRule rule;
  need(text, read_keys(text, {duration_key("at", rule.at_ns), duration_key("for", rule.for_ns)}), "for");
  return rule;
}

ErrorRule parse_error_rule(std::string_view text) {
  ErrorRule rule;
  const auto set_p = [&rule](std::string_view value) { rule.p = parse_chance(value); };
  const auto set_status = [&rule](std::string_view value) { rule.status = parse_error_status(value); };
  need(text, read_keys(text, {{"p", set_p}, {"status", set_status}}), "p");
  return rule;
}

double parse_reset(std::string_view text) {
  return parse_chance(text.starts_with("p=") ? text.substr(2) : text);
}

uint64_t parse_byte_rate(std::string_view text) {
  const std::string_view size = text.ends_with("/s") ? text.substr(0, text.size() - 2) : text;
  const uint64_t rate = parse_size(size);
  if (rate == 0) throw usage_error("\"{}\" must be more than 0 bytes a second", text);
  return rate;
}

const std::vector<NullApiInfo>& null_api_infos() {
  static const std::vector<NullApiInfo> infos = {
      {"auto", NullApi::automatic, "By the path of each request; any other path is raw."},
      {"kserve-v2", NullApi::kserve_v2, "/v2: health, metadata and infer."},
      {"openai-chat", NullApi::openai_chat, "/v1: models, chat/completions and completions."},
      {"tf-serving", NullApi::tf_serving, "/v1/models/M: status, metadata and predict."},
      {"raw", NullApi::raw, "Every path answers 200 and --body-bytes."},
  };
  return infos;
}

NullApi parse_null_api(std::string_view text) {
  std::string names;
  for (const NullApiInfo& info : null_api_infos()) {
    if (info.name == text) return info.api;
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  throw usage_error("\"{}\": there is no such api; there are {}", text, names);
}

}  // namespace mlq::replay
