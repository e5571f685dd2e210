#include "lib/tune/measure/record_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/records/codec.h"
#include "lib/records/load_schema.h"
#include "lib/records/serve_schema.h"
#include "lib/replay/accounts.h"
#include "lib/replay/outcome.h"
#include "lib/stats/quantile.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

constexpr int64_t kLookEvery = 500'000'000;
constexpr int64_t kWait = 50'000'000;
constexpr uint64_t kLeastLines = 100;
constexpr uint64_t kMostBad = 100;  // one in so many
constexpr size_t kMostLookedAt = 16'384;
constexpr size_t kMostSamples = size_t{1} << 24;
constexpr size_t kLeastWindows = 3;

using Kind = RecordLine::Kind;

std::string text_of(const jsonl::Value& value) {
  switch (value.kind) {
    case jsonl::Kind::string:
      return std::string(value.text);
    case jsonl::Kind::boolean:
      return value.boolean ? "true" : "false";
    default:
      break;
  }
  if (const auto whole = value.as_int64()) return std::to_string(*whole);
  return {};
}

bool has_labels(const jsonl::ObjectParser& parser, const MetricLabels& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
    const jsonl::Value* const value = parser.find(label.first);
    return value != nullptr && text_of(*value) == label.second;
  });
}

template <class T>
bool read(const jsonl::ObjectParser& parser, T& out) {
  return records::read_record(parser.members(), out).ok;
}

bool sums(int64_t t, int64_t latency) {
  int64_t sum = 0;
  return t >= 0 && latency >= 0 && !__builtin_add_overflow(t, latency, &sum);
}

// A request that came at `t`, and whose answer came `latency` later.
void put_request(RecordLine& out, int64_t t, int64_t latency, Sample::Kind kind) {
  if (!sums(t, latency)) return;
  out.kind = Kind::request;
  out.done_ns = t + latency;
  out.sample.due_ns = t;
  out.sample.latency_ns = latency;
  out.sample.kind = kind;
}

// As a result, so that one rule says what is good.
bool is_good(const Sample& sample, const Objective& objective) {
  records::Result result;
  result.outcome = sample.kind == Sample::Kind::ok ? "ok" : "http_5xx";
  result.latency_ns = sample.latency_ns;
  return replay::is_good(result, objective.request_terms());
}

void read_result(const jsonl::ObjectParser& parser, const Objective& objective, RecordLine& out) {
  records::Result result;
  if (!read(parser, result)) return;
  const auto outcome = replay::outcome_named(result.outcome);
  if (!outcome) return;
  if (!result.latency_ns && result.last_ns) result.latency_ns = *result.last_ns - result.due_ns;
  Sample::Kind kind = Sample::Kind::error;
  if (*outcome == replay::Outcome::ok) kind = Sample::Kind::ok;
  if (replay::is_unanswered(*outcome))
    kind = result.latency_ns ? Sample::Kind::censored : Sample::Kind::dropped;
  if (kind == Sample::Kind::ok && !result.latency_ns) return;
  put_request(out, result.due_ns, result.latency_ns.value_or(0), kind);
  out.sample.good = replay::is_good(result, objective.request_terms());
  out.gen = result.gen.value_or("");
}

void read_request(const jsonl::ObjectParser& parser, const Objective& objective, RecordLine& out) {
  records::ServedRequest request;
  if (!read(parser, request)) return;
  const bool ok = request.code >= 200 && request.code < 300;
  put_request(out, request.t_ns, request.latency_ns, ok ? Sample::Kind::ok : Sample::Kind::error);
  // A default in place of an answer, or one behind the deadline, is none.
  out.sample.good = request.good && is_good(out.sample, objective);
  const bool mixed = request.gen_admitted != request.gen;
  out.gen = mixed ? fmt::format("{}-{}", request.gen_admitted, request.gen) : std::to_string(request.gen);
}

void read_bare(const jsonl::ObjectParser& parser, const Objective& objective, RecordLine& out) {
  const jsonl::Value* const t = parser.find("t_ns");
  const jsonl::Value* const latency = parser.find("latency_ns");
  const jsonl::Value* const ok = parser.find("ok");
  const jsonl::Value* const gen = parser.find("gen");
  if (t == nullptr || latency == nullptr || !t->as_int64() || !latency->as_int64()) return;
  if (ok != nullptr && ok->kind != jsonl::Kind::boolean) return;
  put_request(out, *t->as_int64(), *latency->as_int64(),
              ok == nullptr || ok->boolean ? Sample::Kind::ok : Sample::Kind::error);
  out.sample.good = is_good(out.sample, objective);
  if (gen != nullptr) out.gen = text_of(*gen);
}

void put_window(RecordLine& out, int64_t from, int64_t to) {
  if (from < 0 || to <= from) return;
  out.kind = Kind::window;
  out.done_ns = to;
  out.window.window_ns = to - from;
  const double s = static_cast<double>(to - from) / 1e9;
  out.window.rate_per_s = static_cast<double>(out.window.requests) / s;
  out.window.done_per_s = static_cast<double>(out.window.ok + out.window.errors) / s;
}

void read_load_window(const jsonl::ObjectParser& parser, RecordLine& out) {
  records::LoadWindow window;
  if (!read(parser, window)) return;
  if (window.klass != replay::kAll) {
    out.kind = Kind::none;
    return;
  }
  Window& w = out.window;
  w.requests = window.planned;
  w.ok = std::min(window.ok, window.planned);
  w.censored = std::min(window.censored + window.unfinished.value_or(0), w.requests - w.ok);
  w.dropped = std::min(window.dropped, w.requests - w.ok - w.censored);
  w.errors = w.requests - w.ok - w.censored - w.dropped;
  if (window.latency.mean && *window.latency.mean < 0x1p62)
    w.latency_mean_ns = std::llround(*window.latency.mean);
  w.latency_p50_ns = window.latency.p50;
  w.latency_p95_ns = window.latency.p95;
  w.latency_p99_ns = window.latency.p99;
  w.attain = window.attain;
  w.good_per_s = window.good_per_s;
  put_window(out, window.from_ns, window.to_ns);
}

void read_serve_window(const jsonl::ObjectParser& parser, RecordLine& out) {
  records::ServeWindow window;
  if (!read(parser, window)) return;
  Window& w = out.window;
  w.requests = window.requests;
  w.ok = std::min(window.ok, window.requests);
  w.errors = w.requests - w.ok;
  w.latency_p50_ns = window.latency_p50_ns;
  w.latency_p99_ns = window.latency_p99_ns;
  if (w.requests > 0)
    w.attain = std::min(1.0, static_cast<double>(window.good) / static_cast<double>(w.requests));
  w.good_per_s = window.good_per_s;
  out.gen = std::to_string(window.gen);
  // t_ns is the window's start.
  int64_t to = 0;
  if (!__builtin_add_overflow(window.t_ns, window.window_ns, &to)) put_window(out, window.t_ns, to);
}

std::optional<double> statistic_of(const Window& w, const Objective& objective) {
  std::optional<int64_t> field = w.latency_mean_ns;
  if (const auto q = objective.quantile_ratio()) {
    field.reset();
    if (*q == Ratio{1, 2}) field = w.latency_p50_ns;
    if (*q == Ratio{19, 20}) field = w.latency_p95_ns;
    if (*q == Ratio{99, 100}) field = w.latency_p99_ns;
  }
  return field && *field > 0 ? std::optional(static_cast<double>(*field)) : std::nullopt;
}

// The geometric mean over windows, weighted by requests. Of a mean it would be the plain one; between windows
// of one load the two hardly differ.
std::optional<int64_t> pooled(const std::vector<Window>& windows,
                              const std::optional<int64_t> records::WindowFigures::*field) {
  double sum = 0, weight = 0;
  for (const Window& w : windows) {
    if (!(w.*field) || *(w.*field) <= 0) continue;
    const auto n = static_cast<double>(w.ok);
    sum += n * fmath::log(static_cast<double>(*(w.*field)));
    weight += n;
  }
  if (weight <= 0) return std::nullopt;
  return static_cast<int64_t>(fmath::exp(sum / weight) + 0.5);
}

// A window from windows: each of them is a batch.
void join_windows(const std::vector<Window>& windows, int64_t window_ns, const Objective& objective,
                  Window& out) {
  out.window_ns = window_ns;
  double good = 0, judged = 0, good_rate = 0;
  std::vector<double> logs;
  for (const Window& w : windows) {
    out.requests += w.requests;
    out.ok += w.ok;
    out.errors += w.errors;
    out.censored += w.censored;
    out.dropped += w.dropped;
    const auto n = static_cast<double>(w.requests);
    if (w.attain) good += *w.attain * n;
    if (w.attain) judged += n;
    good_rate += w.good_per_s.value_or(0) * static_cast<double>(w.window_ns);
    if (const auto stat = statistic_of(w, objective)) logs.push_back(fmath::log(*stat));
  }
  if (out.requests == 0 || window_ns <= 0) return;
  const double s = static_cast<double>(window_ns) / 1e9;
  out.rate_per_s = static_cast<double>(out.requests) / s;
  out.done_per_s = static_cast<double>(out.ok + out.errors) / s;
  out.good_per_s = good_rate / static_cast<double>(window_ns);
  if (judged > 0) {
    out.attain = good / judged;
    out.judged = static_cast<uint64_t>(judged);
    out.over = static_cast<uint64_t>(judged - good + 0.5);
    const auto interval = stats::wilson_interval(out.judged - std::min(out.judged, out.over), out.judged);
    out.attain_lo = interval.lo;
    out.attain_hi = interval.hi;
  }
  out.latency_mean_ns = pooled(windows, &Window::latency_mean_ns);
  out.latency_p50_ns = pooled(windows, &Window::latency_p50_ns);
  out.latency_p95_ns = pooled(windows, &Window::latency_p95_ns);
  out.latency_p99_ns = pooled(windows, &Window::latency_p99_ns);
  out.stat_ns = statistic_of(out, objective);
  if (!out.stat_ns) {
    out.note =
        "the windows of the stream do not have the statistic that the objective names; record requests";
    return;
  }
  if (logs.size() < kLeastWindows) return;
  const stats::MeanInterval mean = stats::mean_interval(logs);
  out.y_var = mean.sd * mean.sd / static_cast<double>(logs.size());
  const double factor = fmath::exp(mean.hi - mean.mean);
  const auto bounded = [](double ns) { return static_cast<int64_t>(std::min(ns, 0x1p61)); };
  out.stat_lo_ns = bounded(*out.stat_ns / factor);
  out.stat_hi_ns = bounded(*out.stat_ns * factor);
}

}  // namespace

RecordLine read_record_line(std::string_view line, const Objective& objective, const MetricLabels& labels,
                            jsonl::ObjectParser& parser) {
  RecordLine out;
  if (line.find_first_not_of(" \t\r") == line.npos) return out;
  out.kind = Kind::bad;
  if (!parser.parse_copy(line)) return out;
  const jsonl::Value* const type = parser.find("type");
  if (type != nullptr && type->kind != jsonl::Kind::string) return out;
  const std::string_view word = type != nullptr ? type->text : std::string_view();
  const bool known = type == nullptr || word == "result" || word == "request" || word == "load_window" ||
                     word == "serve_window";
  if (!known || !has_labels(parser, labels)) {
    out.kind = Kind::none;
    return out;
  }
  if (type == nullptr) read_bare(parser, objective, out);
  if (word == "result") read_result(parser, objective, out);
  if (word == "request") read_request(parser, objective, out);
  if (word == "load_window") read_load_window(parser, out);
  if (word == "serve_window") read_serve_window(parser, out);
  return out;
}

// One window while it runs.
struct RecordSource::Running {
  RecordSource& source;
  const WindowPlan& plan;
  int64_t from_ns = 0;  // of the stream
  std::vector<Sample> samples = {};
  std::vector<Window> windows = {};
  uint64_t counted = 0, discarded = 0, lost_before = 0;

  void take(const RecordLine& line);
  bool is_long_enough() const;
  Window describe(size_t most) const;
  int64_t length() const { return std::max<int64_t>(source.now_ns_ - from_ns, 0); }
};

void RecordSource::Running::take(const RecordLine& line) {
  if (line.done_ns < from_ns) return;
  if (!plan.gen.empty() && !line.gen.empty() && line.gen != plan.gen) {
    discarded += line.kind == Kind::window ? line.window.requests : 1;
    return;
  }
  if (line.kind == Kind::window) {
    // A window that began before ours, and one beside requests, is none of ours.
    if (source.has_requests_ || line.done_ns - line.window.window_ns < from_ns) return;
    windows.push_back(line.window);
    counted += line.window.requests;
    return;
  }
  if (samples.size() >= kMostSamples) return;
  samples.push_back(line.sample);
  samples.back().due_ns -= from_ns;
  ++counted;
}

bool RecordSource::Running::is_long_enough() const {
  if (plan.length_ns) return length() >= *plan.length_ns;
  if (plan.requests) return counted >= *plan.requests;
  return (counted >= plan.enough && length() >= plan.least_ns) || length() >= plan.most_ns;
}

Window RecordSource::Running::describe(size_t most) const {
  Window out;
  int64_t window_ns = length();
  if (plan.length_ns) window_ns = std::min(window_ns, *plan.length_ns);
  if (samples.empty()) {
    join_windows(windows, window_ns, source.objective_, out);
  } else {
    std::vector<Sample> ordered = samples;
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const Sample& a, const Sample& b) { return a.due_ns < b.due_ns; });
    tally(ordered, {window_ns, 0}, source.objective_, out, most);
    out.inflight.reset();
  }
  if (discarded > 0) out.discarded = discarded;
  return out;
}

RecordSource::RecordSource(RecordOptions options, Objective objective, std::unique_ptr<Lines> lines)
    : options_(std::move(options)), objective_(std::move(objective)), lines_(std::move(lines)) {}

void RecordSource::count_bad(std::string_view line) {
  ++bad_;
  if (first_bad_.empty()) first_bad_ = fmt::format("line {}: \"{}\"", seen_, line.substr(0, 80));
}

void RecordSource::check_bad(uint64_t least) const {
  if (bad_ == 0 || seen_ < least || bad_ * kMostBad <= seen_) return;
  throw input_error(
      "{}: {} of {} lines are no records, the first {}; wanted are result, request, load_window or "
      "serve_window "
      "records, or lines with t_ns and latency_ns",
      options_.where, bad_, seen_, first_bad_);
}

Window RecordSource::measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) {
  const bool live = lines_->skip_old();
  Running run{*this, plan};
  run.lost_before = lines_->dropped();
  bool placed = started_ && !live;
  run.from_ns = now_ns_ + plan.settle_ns;
  int64_t next_look = run.from_ns + kLookEvery;
  int64_t silent_ns = 0;
  std::optional<std::string> word;
  std::string line;
  while (!word && !run.is_long_enough()) {
    if (stop) {
      word = "signal";
      break;
    }
    if (!lines_->take(line, kWait)) {
      if (lines_->ended()) break;
      silent_ns += kWait;
      if (silent_ns >= options_.silence_ns) break;
      continue;
    }
    silent_ns = 0;
    ++seen_;
    const RecordLine read = read_record_line(line, objective_, options_.labels, parser_);
    if (read.kind == Kind::bad) count_bad(line);
    check_bad(kLeastLines);
    if (read.kind != Kind::request && read.kind != Kind::window) continue;
    has_requests_ = has_requests_ || read.kind == Kind::request;
    if (!placed) {
      // The time of a file begins with its first record; that of a live stream is now, at its next one.
      placed = started_ = true;
      now_ns_ = live                        ? read.done_ns
                : read.kind == Kind::window ? read.done_ns - read.window.window_ns
                                            : read.sample.due_ns;
      run.from_ns = now_ns_ + plan.settle_ns;
      next_look = run.from_ns + kLookEvery;
    }
    now_ns_ = std::max(now_ns_, read.done_ns);
    run.take(read);
    if (now_ns_ < next_look || run.counted == 0) continue;
    next_look = now_ns_ + kLookEvery;
    if (watch.look) word = watch.look(run.describe(kMostLookedAt));
  }
  const bool ended = lines_->ended();
  if (ended) check_bad(1);

  Window out = run.describe(SIZE_MAX);
  out.ended = ended;
  if (!plan.gen.empty()) out.gen = plan.gen;
  const uint64_t lost = lines_->dropped() - run.lost_before;
  const auto note = [&out](const std::string& text) { out.note = out.note ? *out.note + "; " + text : text; };
  if (lost > 0) note(fmt::format("{} lines came faster than they were read and were dropped", lost));
  if (word) {
    out.outcome = "aborted";
    out.aborted = word;
  } else if (out.requests == 0) {
    out.outcome = "void";
    out.valid = false;
    note(out.discarded ? "every request was served by another generation"
         : ended       ? "the stream has ended"
                       : "no record came");
  }
  return out;
}

}  // namespace mlq::tune
