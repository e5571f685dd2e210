#include "lib/tune/measure/measure_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/http/curl_engine.h"
#include "lib/http/url.h"
#include "lib/jsonl/object.h"
#include "lib/tune/measure/machine.h"
#include "lib/tune/measure/prometheus_source.h"
#include "lib/tune/measure/record_source.h"

namespace mlq::tune {
namespace {

using Source = MeasureSpec::Source;

constexpr int64_t kFetchTimeout = 5'000'000'000;
constexpr int64_t kLeastScrape = 100'000'000;

enum Use : uint8_t { kBoth = 0, kPrometheus = 1, kRecords = 2 };
struct Key {
  std::string_view name;
  Use use;
};
constexpr Key kKeys[] = {
    {"source", kBoth},          {"url", kPrometheus},  {"latency", kPrometheus},  {"count", kPrometheus},
    {"errors", kPrometheus},    {"cpu", kPrometheus},  {"inflight", kPrometheus}, {"labels", kBoth},
    {"gen_label", kPrometheus}, {"unit", kPrometheus}, {"scrape", kPrometheus},   {"headers", kPrometheus},
    {"path", kRecords},         {"follow", kRecords},  {"gen_header", kBoth},
};

// Levenshtein's distance.
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row.back();
}

std::string_view nearest_key(std::string_view name) {
  return std::min_element(
             std::begin(kKeys), std::end(kKeys),
             [&](const Key& a, const Key& b) { return edits(name, a.name) < edits(name, b.name); })
      ->name;
}

// Reads the values of one object; errors name it and the key.
class SpecReader {
 public:
  explicit SpecReader(std::string_view where) : where_(where) {}
  MeasureSpec read(const jsonl::ObjectParser& json);

 private:
  std::string text(const jsonl::Member& m) const;
  void labels(const jsonl::Member& m);
  void member(const jsonl::Member& m);
  void unit(std::string_view word);
  void finish(const jsonl::ObjectParser& json);
  [[noreturn]] void refuse(std::string_view key, const std::string& why) const {
    throw input_error("{}.{}: {}", where_, key, why);
  }

  std::string_view where_;
  MeasureSpec spec_;
  std::string unit_;
};

std::string SpecReader::text(const jsonl::Member& m) const {
  if (m.value.kind != jsonl::Kind::string || m.value.text.empty()) refuse(m.key, "is no text");
  return std::string(m.value.text);
}

void SpecReader::labels(const jsonl::Member& m) {
  std::vector<jsonl::Member> members;
  if (m.value.kind != jsonl::Kind::object || !jsonl::read_members(m.value, members))
    refuse(m.key, "is no object of texts, as in {\"model\":\"digits\"}");
  for (const jsonl::Member& label : members) {
    if (label.value.kind != jsonl::Kind::string) refuse(fmt::format("{}.{}", m.key, label.key), "is no text");
    spec_.query.labels[std::string(label.key)] = label.value.text;
  }
}

void SpecReader::unit(std::string_view word) {
  constexpr std::pair<std::string_view, double> units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
  for (const auto& [name, ns] : units) {
    if (word == name) {
      spec_.query.unit_ns = ns;
      return;
    }
  }
  refuse("unit", fmt::format("\"{}\" is none; it is s, ms, us or ns", word));
}

// By the ends that names have, as Prometheus' naming advises.
double unit_by_name(std::string_view name) {
  constexpr std::string_view total = "_total";
  if (name.ends_with(total)) name.remove_suffix(total.size());
  constexpr std::pair<std::string_view, double> ends[] = {{"_milliseconds", 1e6}, {"_ms", 1e6},
                                                          {"_microseconds", 1e3}, {"_us", 1e3},
                                                          {"_nanoseconds", 1},    {"_ns", 1}};
  for (const auto& [end, ns] : ends) {
    if (name.ends_with(end)) return ns;
  }
  return 1e9;
}

void SpecReader::member(const jsonl::Member& m) {
  const auto known =
      std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& key) { return key.name == m.key; });
  if (known == std::end(kKeys))
    refuse(m.key, fmt::format("there is no such key; is it \"{}\"?", nearest_key(m.key)));
  MetricQuery& q = spec_.query;
  const std::pair<std::string_view, std::string*> texts[] = {{"url", &spec_.url},
                                                             {"latency", &q.latency},
                                                             {"count", &q.count},
                                                             {"errors", &q.errors},
                                                             {"cpu", &q.cpu},
                                                             {"inflight", &q.inflight},
                                                             {"path", &spec_.path},
                                                             {"gen_label", &q.gen_label},
                                                             {"gen_header", &spec_.gen_header},
                                                             {"unit", &unit_}};
  for (const auto& [name, target] : texts) {
    if (m.key == name) *target = text(m);
  }
  if (m.key == "labels") labels(m);
  if (m.key == "scrape") {
    try {
      spec_.scrape_ns = parse_duration(text(m));
    } catch (const Error& error) {
      refuse(m.key, error.what());
    }
    if (spec_.scrape_ns < kLeastScrape)
      refuse(m.key, "is shorter than 100ms, which would be load of its own");
  }
  if (m.key == "headers" &&
      !(m.value.kind == jsonl::Kind::array && jsonl::read_string_array(m.value, spec_.headers)))
    refuse(m.key, "is no list of texts, as in [\"Authorization: Bearer @env:TOKEN\"]");
  if (m.key == "follow") {
    if (m.value.kind != jsonl::Kind::boolean) refuse(m.key, "is neither true nor false");
    spec_.follow = m.value.boolean;
  }
  if (m.key == "source") {
    const std::string word = text(m);
    if (word != "prometheus" && word != "records")
      refuse(m.key, fmt::format("\"{}\" is none; it is prometheus or records", word));
    spec_.source = word == "records" ? Source::records : Source::prometheus;
  }
}

void SpecReader::finish(const jsonl::ObjectParser& json) {
  if (spec_.source == Source::none && !spec_.url.empty()) spec_.source = Source::prometheus;
  if (spec_.source == Source::none && !spec_.path.empty()) spec_.source = Source::records;
  const bool prometheus = spec_.source == Source::prometheus;
  for (const jsonl::Member& m : json.members()) {
    for (const Key& key : kKeys) {
      if (key.name != m.key || key.use == kBoth || key.use == (prometheus ? kPrometheus : kRecords)) continue;
      refuse(m.key, fmt::format("is of no use with the source {}", prometheus ? "prometheus"
                                                                   : spec_.source == Source::records
                                                                       ? "records"
                                                                       : "that is not named"));
    }
  }
  if (prometheus && spec_.url.empty()) refuse("url", "is missing: where are the metrics?");
  if (prometheus && spec_.query.latency.empty())
    refuse("latency", "is missing: which metric has the latency of requests?");
  if (spec_.source == Source::records && spec_.path.empty())
    refuse("path", "is missing: which file has the records? - is standard input");
  spec_.query.unit_ns = unit_by_name(spec_.query.latency);
  if (!unit_.empty()) unit(unit_);
}

MeasureSpec SpecReader::read(const jsonl::ObjectParser& json) {
  std::vector<std::string_view> seen;
  for (const jsonl::Member& m : json.members()) {
    if (std::find(seen.begin(), seen.end(), m.key) != seen.end()) refuse(m.key, "is there twice");
    seen.push_back(m.key);
    member(m);
  }
  finish(json);
  return std::move(spec_);
}

// Sleeps on the steady clock, which `clock` is on a real machine.
PrometheusSource::WaitUntil sleeper(const Clock& clock) {
  return [&clock](int64_t ns) {
    const int64_t left = ns - clock.now_ns();
    if (left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
  };
}

std::unique_ptr<WindowSource> prometheus(const MeasureSpec& spec, const Objective& objective,
                                         const Clock& clock,
                                         const std::function<std::string(const std::string&)>& reveal) {
  http::ClientConfig client;
  client.url = http::parse_url(reveal(spec.url));
  for (const std::string& header : spec.headers) client.headers.push_back(reveal(header));
  PrometheusOptions options;
  options.where = client.url.redacted();
  options.query = spec.query;
  options.scrape_ns = spec.scrape_ns;
  const bool here = client.url.host == "127.0.0.1" || client.url.host == "localhost" ||
                    client.url.host == "::1" || !client.url.unix_path.empty();
  if (here) options.pressure = [] { return cpu_pressure(); };
  const auto fetch = [client]() -> std::optional<std::string> {
    http::ClientRequest request;
    request.target = client.url.target;
    http::FetchedReply reply = http::fetch(client, request, kFetchTimeout);
    if (reply.status != 200) return std::nullopt;
    return std::move(reply.body);
  };
  return std::make_unique<PrometheusSource>(options, objective, clock, fetch, sleeper(clock));
}

}  // namespace

MeasureSpec parse_measure(std::string_view json, std::string_view where) {
  jsonl::ObjectParser parser;
  if (!parser.parse_copy(json)) throw input_error("{}: {}", where, parser.error());
  return SpecReader(where).read(parser);
}

std::unique_ptr<WindowSource> make_measure_source(
    std::string_view json, std::string_view where, const Objective& objective, const Clock& clock,
    const std::function<std::string(const std::string&)>& reveal, const StopFlag& stop) {
  const MeasureSpec spec = parse_measure(json, where);
  switch (spec.source) {
    case Source::prometheus:
      return prometheus(spec, objective, clock, reveal);
    case Source::records: {
      RecordOptions options;
      options.where = spec.path == "-" ? "standard input" : spec.path;
      options.labels = spec.query.labels;
      return std::make_unique<RecordSource>(options, objective,
                                            open_lines(spec.path, spec.follow && spec.path != "-", stop));
    }
    case Source::none:
      break;
  }
  throw input_error("{}: names no source; say \"source\":\"prometheus\" or \"records\", or give --trace",
                    where);
}

}  // namespace mlq::tune
