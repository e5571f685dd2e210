// The forms of a report that are no records.
#include <fmt/format.h>

#include <cmath>

#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/load_schema.h"
#include "lib/replay/report.h"
#include "lib/stats/censored.h"

namespace mlq::replay {
namespace {

// ---- Markdown

constexpr std::string_view kMissing = "–";

std::string number_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.5g}", *value) : std::string(kMissing);
}
std::string share_cell(const std::optional<double>& share) {
  return share ? fmt::format("{:.3f} %", *share * 100) : std::string(kMissing);
}

// A cell of a table: a pipe would end it, a line end the table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

std::string row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& text : cells) out += ' ' + cell(text) + " |";
  return out + '\n';
}

// The first column is text, the others are numbers.
std::string head(const std::vector<std::string>& names) {
  std::string out = row(names) + "|---|";
  for (size_t k = 1; k < names.size(); ++k) out += "---:|";
  return out + '\n';
}

std::string verdict(const Report& report) {
  const records::Summary& all = report.summaries.front();
  std::string out = all.valid ? "The sender kept its plan: the figures stand.\n"
                              : fmt::format("**Not valid:** {}.\n", all.why.value_or(""));
  if (!report.slo_text.empty()) {
    const char* word = !all.slo_pass ? "has no aggregate term" : *all.slo_pass ? "is met" : "is **missed**";
    out += fmt::format("\nObjective `{}`: {}.\n", report.slo_text, word);
  }
  return out;
}

std::string counts_table(const Report& report) {
  std::string out = head({"class", "planned", "sent", "answered", "ok", "good", "dropped", "given up",
                          "offered/s", "done/s", "good/s", "attainment", "95 % interval"});
  for (const records::Summary& s : report.summaries) {
    out += row(
        {s.klass, std::to_string(s.planned), std::to_string(s.sent), std::to_string(s.done),
         std::to_string(s.ok), std::to_string(s.good), std::to_string(s.dropped), std::to_string(s.censored),
         number_cell(s.offered_per_s), number_cell(s.done_per_s), number_cell(s.good_per_s),
         share_cell(s.attain),
         s.attain_lo ? share_cell(s.attain_lo) + " to " + share_cell(s.attain_hi) : std::string(kMissing)});
  }
  return out;
}

std::string metrics_table(const records::Summary& s) {
  std::string out = head({"metric", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"});
  for (const std::vector<std::string>& cells : metric_rows(s, kMissing)) out += row(cells);
  return out;
}

std::string outcomes_table(const Account& account) {
  std::string out = head({"outcome", "requests", "share"});
  const auto planned = static_cast<double>(account.planned());
  for (size_t k = 0; k < kOutcomes; ++k) {
    const uint64_t n = account.count(static_cast<Outcome>(k));
    if (n == 0) continue;
    out += row({std::string(outcome_name(static_cast<Outcome>(k))), std::to_string(n),
                share_cell(static_cast<double>(n) / planned)});
  }
  return out;
}

// ---- CSV

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

template <class Value>
std::string csv_value(const Value& value) {
  if constexpr (std::is_same_v<Value, std::string>) {
    return csv_text(value);
  } else {
    jsonl::Buffer buffer;
    records::detail::append(buffer, value);
    return std::string(buffer.view());
  }
}

template <class T>
std::string csv_fields(const T& record) {
  std::string out;
  const auto add = [&]<class F>(const F&) {
    out += ',';
    const auto& member = F::in(record);
    if constexpr (F::required) {
      out += csv_value(member);
    } else if (member) {
      out += csv_value(*member);
    }
  };
  std::apply([&](const auto&... fields) { (add(fields), ...); }, records::Schema<T>::fields);
  return out;
}

template <class T>
constexpr size_t kFieldCount = std::tuple_size_v<decltype(records::Schema<T>::fields)>;

// ---- HdrHistogram's text

std::string hgrm_line(int64_t value_ns, double percentile, uint64_t count) {
  std::string line =
      fmt::format("{:12.6f} {:14.12f} {:10}", static_cast<double>(value_ns) / 1e6, percentile, count);
  if (percentile < 1) line += fmt::format(" {:14.2f}", 1 / (1 - percentile));
  return line + '\n';
}

uint64_t count_up_to(const stats::Histogram& values, int64_t value) {
  uint64_t n = 0;
  for (size_t k = 0; k <= stats::Histogram::index_of(value); ++k) n += values.counter(k);
  return n;
}

double deviation(const stats::Histogram& values) {
  const double mean = values.mean().value_or(0);
  double sum = 0;
  for (size_t k = 0; k < stats::Histogram::kBuckets; ++k) {
    if (values.counter(k) == 0) continue;
    const double from_mean = static_cast<double>(stats::Histogram::middle_of(k)) - mean;
    sum += from_mean * from_mean * static_cast<double>(values.counter(k));
  }
  return values.count() == 0 ? 0 : std::sqrt(sum / static_cast<double>(values.count()));
}

}  // namespace

std::string report_markdown(const Report& report) {
  std::string out = "# Load report\n\n";
  if (report.run.url) out += fmt::format("Endpoint `{}`", *report.run.url);
  if (report.run.url) out += report.run.api ? fmt::format(", API {}.\n\n", *report.run.api) : ".\n\n";
  out += verdict(report);
  out += "\n## Requests\n\n" + counts_table(report);
  for (const records::Summary& s : report.summaries) {
    out += fmt::format("\n## Times, {}\n\n", s.klass == kAll ? "all requests" : "class " + cell(s.klass));
    out += metrics_table(s);
    if (s.latency.p99 && s.latency.p99_lo && s.latency.p99_hi) {
      out += fmt::format("\nThe 99th percentile of the latency lies between {} and {} (95 %).\n",
                         time_text(static_cast<double>(*s.latency.p99_lo)),
                         time_text(static_cast<double>(*s.latency.p99_hi)));
    }
    if (s.latency_over_service)
      out += fmt::format("\nLatency over service time: {:.4g}.\n", *s.latency_over_service);
    if (s.note) out += fmt::format("\nNote: {}.\n", *s.note);
  }
  out += "\n## Outcomes\n\n" + outcomes_table(report.accounts.all());
  return out;
}

std::string report_csv(const Report& report) {
  std::string out = "type";
  std::apply([&](const auto&... fields) { ((out += ',', out += fields.name), ...); },
             records::Schema<records::Summary>::fields);
  out += "\r\n";
  for (const records::Summary& s : report.summaries) out += "summary" + csv_fields(s) + "\r\n";
  // The fields of a window are the first of a summary.
  const std::string rest(kFieldCount<records::Summary> - kFieldCount<records::LoadWindow>, ',');
  for (const records::LoadWindow& w : report.windows) out += "load_window" + csv_fields(w) + rest + "\r\n";
  return out;
}

std::string report_hgrm(const Report& report) {
  const Account& account = report.accounts.all();
  const stats::Histogram events = account.events(Metric::latency);
  const stats::Histogram bounds = account.censored(Metric::latency);
  const stats::CensoredSample sample(events, bounds, account.beyond());
  std::string out =
      fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  // Five steps for each halving of the distance to 1: q = 1 - 2^-h (1 - j / 10).
  constexpr unsigned kHalvings = 50;
  bool whole = events.count() == 0;
  for (unsigned step = 0; !whole && step < 5 * kHalvings; ++step) {
    const uint64_t scale = uint64_t{10} << (step / 5);
    const Ratio q{scale - 10 + step % 5, scale};
    const auto value = sample.quantile(q);
    if (!value) break;
    const uint64_t count = count_up_to(events, *value);
    out += hgrm_line(*value, q.value(), count);
    whole = count == sample.count();
  }
  if (const auto last = sample.quantile({1, 1}); last && sample.unknown() == 0)
    out += hgrm_line(*last, 1, events.count());
  const auto ms = [](double ns) { return ns / 1e6; };
  out += fmt::format("#[Mean    = {:12.6f}, StdDeviation   = {:12.6f}]\n", ms(events.mean().value_or(0)),
                     ms(deviation(events)));
  out += fmt::format("#[Max     = {:12.6f}, Total count    = {:12}]\n",
                     ms(static_cast<double>(events.max().value_or(0))), events.count());
  out +=
      fmt::format("#[Buckets = {:12}, SubBuckets     = {:12}]\n",
                  stats::Histogram::kBuckets >> stats::Histogram::kSubBits, 1 << stats::Histogram::kSubBits);
  if (sample.unknown() > 0) {
    out += fmt::format("#[Unanswered = {} of {}: percentiles are of all, mean and maximum of the answered]\n",
                       sample.unknown(), sample.count());
  }
  return out;
}

}  // namespace mlq::replay
