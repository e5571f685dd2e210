#include "lib/tune/measure/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "lib/base/error.h"

namespace mlq::tune {
namespace {

bool is_name_char(char c, bool first) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
  return letter || (!first && c >= '0' && c <= '9');
}
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// One line, read from the left.
class LineScanner {
 public:
  explicit LineScanner(std::string_view line) : rest_(line) {}

  bool ended() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view name() {
    size_t n = 0;
    while (n < rest_.size() && is_name_char(rest_[n], n == 0)) ++n;
    return cut(n);
  }
  std::string_view word() {
    size_t n = 0;
    while (n < rest_.size() && !is_blank(rest_[n])) ++n;
    return cut(n);
  }
  // Behind the opening quote; false if it is not closed.
  bool quoted(std::string& out) {
    out.clear();
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (rest_.empty()) return false;
      const char escaped = rest_.front();
      rest_.remove_prefix(1);
      out += escaped == 'n' ? '\n' : escaped;
    }
    return false;
  }

 private:
  std::string_view cut(size_t n) {
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  std::string_view rest_;
};

bool read_number(std::string_view word, double& out) {
  if (!word.empty() && word.front() == '+') word.remove_prefix(1);
  if (word.empty() || word.front() == '+') return false;
  const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), out);
  return fault == std::errc{} && end == word.data() + word.size();
}

bool read_labels(LineScanner& line, MetricSample& out) {
  std::string value;
  while (true) {
    line.blanks();
    if (line.take('}')) return true;
    const std::string_view name = line.name();
    line.blanks();
    if (name.empty() || !line.take('=')) return false;
    line.blanks();
    if (!line.take('"') || !line.quoted(value)) return false;
    for (const auto& [known, ignored] : out.labels) {
      if (known == name) return false;
    }
    out.labels.emplace_back(name, value);
    line.blanks();
    if (!line.take(',') && line.peek() != '}') return false;
  }
}

bool read_sample(std::string_view text, MetricSample& out) {
  LineScanner line(text);
  line.blanks();
  out.labels.clear();
  out.name = line.name();
  if (out.name.empty()) return false;
  line.blanks();
  if (line.take('{') && !read_labels(line, out)) return false;
  line.blanks();
  if (!read_number(line.word(), out.value)) return false;
  line.blanks();
  if (line.ended() || line.peek() == '#') return true;  // an exemplar follows
  double stamp = 0;
  if (!read_number(line.word(), stamp)) return false;
  line.blanks();
  return line.ended() || line.peek() == '#';
}

// Sums of what a query asks for, from one text.
class Collector {
 public:
  Collector(std::string_view where, const MetricQuery& query, std::string_view gen)
      : where_(where), query_(query), gen_(gen) {}

  void add(const MetricSample& sample);
  void declare(std::string_view name, std::string_view type);
  MetricState finish();

 private:
  enum class Match { no, yes, other_generation };
  Match match(const MetricSample& sample) const;
  // Notes that a series was seen; an Error if it was already.
  void note_series(const MetricSample& sample);
  double counter_value(const MetricSample& sample) const;
  void add_bucket(const MetricSample& sample);
  void need(bool seen, std::string_view metric) const;

  std::string_view where_;
  const MetricQuery& query_;
  std::string_view gen_;
  MetricState state_;
  std::map<double, double> buckets_;
  std::set<std::string> series_;
  double histogram_count_ = 0, histogram_other_ = 0;
  bool sum_seen_ = false, plain_seen_ = false, count_seen_ = false, errors_seen_ = false, cpu_seen_ = false,
       inflight_seen_ = false, histogram_count_seen_ = false;
};

Collector::Match Collector::match(const MetricSample& sample) const {
  size_t found = 0;
  bool other = false;
  for (const auto& [name, value] : sample.labels) {
    const auto wanted = query_.labels.find(name);
    if (wanted != query_.labels.end()) {
      if (wanted->second != value) return Match::no;
      ++found;
    }
    if (!gen_.empty() && name == query_.gen_label && value != gen_) other = true;
  }
  if (found != query_.labels.size()) return Match::no;
  return other ? Match::other_generation : Match::yes;
}

void Collector::note_series(const MetricSample& sample) {
  auto labels = sample.labels;
  std::sort(labels.begin(), labels.end());
  std::string key(sample.name);
  for (const auto& [name, value] : labels) {
    key += '\0';
    key += name;
    key += '\0';
    key += value;
  }
  if (!series_.insert(std::move(key)).second) {
    throw input_error("{}: metric {}: the same series is there twice; is it the text of two servers?", where_,
                      sample.name);
  }
}

double Collector::counter_value(const MetricSample& sample) const {
  if (!(sample.value >= 0) || std::isinf(sample.value)) {
    throw input_error("{}: metric {} is {}; a counter is a number from 0 up", where_, sample.name,
                      sample.value);
  }
  return sample.value;
}

void Collector::add_bucket(const MetricSample& sample) {
  for (const auto& [name, value] : sample.labels) {
    if (name != "le") continue;
    double le = 0;
    if (!read_number(value, le) || std::isnan(le)) break;
    buckets_[le] += counter_value(sample);
    return;
  }
  throw input_error("{}: metric {}: a bucket has no le that is a number", where_, sample.name);
}

void Collector::add(const MetricSample& sample) {
  const std::string_view name = sample.name;
  const bool of_latency = name.substr(0, query_.latency.size()) == query_.latency;
  const std::string_view suffix = of_latency ? name.substr(query_.latency.size()) : std::string_view();
  const bool wanted =
      (of_latency && (suffix.empty() || suffix == "_bucket" || suffix == "_sum" || suffix == "_count")) ||
      name == query_.count || name == query_.errors || name == query_.cpu || name == query_.inflight;
  // The quantiles of a summary are those of its whole life, so they say nothing of a window.
  const auto is_quantile = [](const auto& label) { return label.first == "quantile"; };
  if (!wanted || std::any_of(sample.labels.begin(), sample.labels.end(), is_quantile)) return;
  if (of_latency) state_.empty_histogram = false;
  // The CPU time is of the process, which has no model.
  const Match matched = name == query_.cpu ? Match::yes : match(sample);
  if (matched == Match::no) return;
  note_series(sample);
  if (name == query_.cpu) {
    cpu_seen_ = true;
    state_.cpu_s += counter_value(sample);
    return;
  }
  if (name == query_.inflight) {
    inflight_seen_ = true;
    if (std::isfinite(sample.value)) state_.inflight += sample.value;
    return;
  }
  const bool other = matched == Match::other_generation;
  if (name == query_.count) {
    count_seen_ = true;
    (other ? state_.other_count : state_.count) += counter_value(sample);
    return;
  }
  if (of_latency && suffix == "_count") {
    histogram_count_seen_ = true;
    (other ? histogram_other_ : histogram_count_) += counter_value(sample);
    return;
  }
  if (name == query_.errors) {
    errors_seen_ = true;
    if (!other) state_.errors += counter_value(sample);
    return;
  }
  if (suffix == "_bucket") {
    if (!other) add_bucket(sample);
    return;
  }
  (suffix.empty() ? plain_seen_ : sum_seen_) = true;
  if (!other) state_.latency_sum_ns += counter_value(sample) * query_.unit_ns;
}

void Collector::need(bool seen, std::string_view metric) const {
  if (seen) return;
  throw input_error("{}: metric {} is not there{}", where_, metric,
                    query_.labels.empty() ? "" : " with the labels that \"measure\" asks for");
}

// A server that has not served yet declares its histograms, and has no series of them.
void Collector::declare(std::string_view name, std::string_view type) {
  if (name == query_.latency && type == "histogram") state_.empty_histogram = true;
}

MetricState Collector::finish() {
  need(sum_seen_ || plain_seen_ || !buckets_.empty() || histogram_other_ > 0 || state_.empty_histogram,
       query_.latency);
  if (query_.count.empty()) {
    need(histogram_count_seen_ || state_.empty_histogram, query_.latency + "_count");
    state_.count = histogram_count_;
    state_.other_count = histogram_other_;
  } else {
    need(count_seen_, query_.count);
  }
  // A counter with labels for each kind of error is not there before the first one.
  if (!query_.errors.empty() && !errors_seen_) state_.errors = 0;
  if (!query_.cpu.empty()) need(cpu_seen_, query_.cpu);
  if (!query_.inflight.empty()) need(inflight_seen_, query_.inflight);
  double last = 0;
  for (const auto& [le, count] : buckets_) {
    if (count < last) {
      throw input_error("{}: metric {}_bucket: the bucket of le={} holds fewer than the one before", where_,
                        query_.latency, le);
    }
    last = count;
    state_.buckets.push_back({le * query_.unit_ns, count});
  }
  if (!state_.buckets.empty() && !std::isinf(state_.buckets.back().le_ns))
    throw input_error("{}: metric {}_bucket: the bucket of le=\"+Inf\" is missing", where_, query_.latency);
  return std::move(state_);
}

}  // namespace

void read_exposition(std::string_view text, std::string_view where,
                     const std::function<void(const MetricSample&)>& take,
                     const std::function<void(std::string_view name, std::string_view type)>& declare) {
  MetricSample sample;
  for (uint64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    if (end == text.npos)
      throw input_error("{}: line {}: the text ends without a line end; it was cut", where, number);
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    if (line.empty()) continue;
    if (line.front() == '#') {
      LineScanner comment(line.substr(1));
      comment.blanks();
      if (!declare || comment.word() != "TYPE") continue;
      comment.blanks();
      const std::string_view name = comment.word();
      comment.blanks();
      declare(name, comment.word());
      continue;
    }
    if (!read_sample(line, sample)) {
      throw input_error("{}: line {}: \"{}\" is no sample, as in name{{label=\"value\"}} 1.5", where, number,
                        line.substr(0, 80));
    }
    take(sample);
  }
}

MetricState read_metrics(std::string_view text, std::string_view where, const MetricQuery& query,
                         std::string_view gen) {
  Collector collector(where, query, gen);
  read_exposition(
      text, where, [&collector](const MetricSample& sample) { collector.add(sample); },
      [&collector](std::string_view name, std::string_view type) { collector.declare(name, type); });
  return collector.finish();
}

}  // namespace mlq::tune
