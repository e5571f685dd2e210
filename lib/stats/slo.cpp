#include "lib/stats/slo.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "lib/base/error.h"

namespace mlq::stats {
namespace {

constexpr std::string_view kMetrics[] = {"latency", "service", "ttft", "tpot", "itl_max"};
constexpr std::string_view kOps[] = {"<=", ">=", "<", ">"};  // longest first

constexpr SloPreset kPresets[] = {
    {"mlperf-llama2-70b-interactive", "p99(ttft)<=450ms && p99(tpot)<=40ms"},
    {"mlperf-llama2-70b-server", "p99(ttft)<=2s && p99(tpot)<=200ms"},
    {"llama3.1-8b-interactive", "p99(ttft)<=500ms && p99(tpot)<=30ms"},
    {"deepseek-r1-interactive", "p99(ttft)<=1.5s && p99(tpot)<=15ms"},
    {"gpt-oss-120b-interactive", "p99(ttft)<=2s && p99(tpot)<=15ms"},
};

std::string_view trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

std::optional<SloMetric> find_metric(std::string_view name) {
  const auto at = std::find(std::begin(kMetrics), std::end(kMetrics), name);
  if (at == std::end(kMetrics)) return std::nullopt;
  return static_cast<SloMetric>(at - std::begin(kMetrics));
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Reads one term; keeps its text for messages.
class TermParser {
 public:
  explicit TermParser(std::string_view text) : text_(text) {}

  SloTerm parse() {
    const size_t at = text_.find_first_of("<>=");
    if (at == text_.npos) fail("no operator; write <=, >=, < or >, for example p99<=50ms");
    const std::string_view subject = trimmed(text_.substr(0, at));
    std::string_view rest = text_.substr(at);
    if (subject == "outcome") return outcome(rest);
    read_subject(subject);
    term_.op = read_op(rest);
    read_limit(trimmed(rest));
    return term_;
  }

 private:
  SloTerm outcome(std::string_view rest) const {
    if (rest.substr(0, 2) != "==" || trimmed(rest.substr(2)) != "ok")
      fail("outcome can only be compared as outcome==ok");
    SloTerm term;
    term.kind = SloKind::outcome_ok;
    return term;
  }

  void read_subject(std::string_view subject) {
    const size_t open = subject.find('(');
    const std::string_view name = trimmed(subject.substr(0, open));
    if (open == subject.npos) {
      if (const auto metric = find_metric(name)) {
        term_.metric = *metric;
        return;
      }
      if (name == "attain" || name == "error_rate" || name == "goodput") {
        term_.kind = name == "attain"    ? SloKind::attain
                     : name == "goodput" ? SloKind::goodput
                                         : SloKind::error_rate;
        return;
      }
    } else if (subject.back() != ')') {
      fail("\")\" is missing before the operator");
    }
    if (name == "mean" || name == "max") {
      if (open == subject.npos) fail(fmt::format("{0} needs a metric, for example {0}(latency)", name));
      term_.kind = name == "mean" ? SloKind::mean : SloKind::max;
    } else if (name.size() >= 2 && name[0] == 'p' && name[1] >= '0' && name[1] <= '9') {
      term_.kind = SloKind::quantile;
      term_.quantile = read_percentile(name.substr(1));
    } else {
      fail(fmt::format(
          "unknown \"{}\"; use latency, service, ttft, tpot, itl_max, outcome, pQ(METRIC), mean(METRIC), "
          "max(METRIC), attain, error_rate, goodput or the name of a preset",
          name));
    }
    if (open != subject.npos) read_metric(trimmed(subject.substr(open + 1, subject.size() - open - 2)));
  }

  void read_metric(std::string_view name) {
    const auto metric = find_metric(name);
    if (!metric)
      fail(fmt::format("unknown metric \"{}\"; use latency, service, ttft, tpot or itl_max", name));
    term_.metric = *metric;
  }

  // `99.9` becomes 999/1000.
  Ratio read_percentile(std::string_view text) const {
    const size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view part = point == text.npos ? "" : text.substr(point + 1);
    if (!all_digits(whole) || (point != text.npos && !all_digits(part)) || part.size() > 9) {
      fail(fmt::format("\"p{}\" is not a percentile; write for example p50, p99 or p99.9", text));
    }
    uint64_t num = 0;
    uint64_t den = 100;
    for (const char c : whole) num = std::min<uint64_t>(num * 10 + static_cast<uint64_t>(c - '0'), 1000);
    for (const char c : part) {
      num = num * 10 + static_cast<uint64_t>(c - '0');
      den *= 10;
    }
    if (num == 0 || num >= den) {
      fail(
          "a percentile lies between 0 and 100, both excluded; write p99.9 for 99.9%, max(METRIC) for the "
          "largest value");
    }
    const uint64_t common = std::gcd(num, den);
    return {num / common, den / common};
  }

  SloOp read_op(std::string_view& rest) const {
    for (size_t k = 0; k < std::size(kOps); ++k) {
      if (rest.substr(0, kOps[k].size()) != kOps[k]) continue;
      rest.remove_prefix(kOps[k].size());
      return static_cast<SloOp>(k);
    }
    fail("this operator is only for outcome==ok; write <=, >=, < or >");
  }

  void read_limit(std::string_view text) {
    if (text.empty()) fail(fmt::format("no limit after the operator; write {}", limit_example()));
    try {
      switch (term_.unit()) {
        case SloUnit::per_s:
          term_.limit_rate = parse_rate(text);
          break;
        case SloUnit::share:
          term_.limit_share = parse_ratio(text);
          break;
        default:
          term_.limit_ns = parse_duration(text);
      }
    } catch (const Error& e) {
      fail(e.what());
    }
    if (term_.unit() == SloUnit::share && term_.limit_share.num > term_.limit_share.den) {
      fail("a share lies between 0 and 1, or 0% and 100%");
    }
    if (term_.unit() == SloUnit::ns && term_.limit_ns <= 0) fail("a limit of time must be above 0");
  }

  const char* limit_example() const {
    if (term_.unit() == SloUnit::per_s) return "a rate such as 100/s";
    if (term_.unit() == SloUnit::share) return "a share such as 0.99 or 1%";
    return "a duration such as 50ms";
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw usage_error("SLO term \"{}\": {}", text_, what);
  }

  std::string_view text_;
  SloTerm term_;
};

void append_term(std::string_view text, std::vector<SloTerm>& terms) {
  const auto preset = std::find_if(std::begin(kPresets), std::end(kPresets),
                                   [&](const SloPreset& p) { return p.name == text; });
  if (preset == std::end(kPresets)) {
    terms.push_back(TermParser(text).parse());
    return;
  }
  const std::vector<SloTerm> meant = parse_slo(preset->text);
  terms.insert(terms.end(), meant.begin(), meant.end());
}

// `scale` * ratio as a decimal, or empty if it needs more than 18 places.
std::string decimal_text(const Ratio& ratio, uint64_t scale) {
  __extension__ using Wide = unsigned __int128;
  const Wide value = Wide{ratio.num} * scale;
  Wide rest = value % ratio.den;
  std::string text = fmt::format("{}", static_cast<uint64_t>(value / ratio.den));
  for (int places = 0; rest != 0; ++places) {
    if (places == 18) return {};
    if (places == 0) text += '.';
    text += static_cast<char>('0' + static_cast<int>(rest * 10 / ratio.den));
    rest = rest * 10 % ratio.den;
  }
  return text;
}

std::string subject_text(const SloTerm& term) {
  const std::string_view metric = metric_name(term.metric);
  switch (term.kind) {
    case SloKind::quantile:
      if (term.metric == SloMetric::latency) return "p" + decimal_text(term.quantile, 100);
      return fmt::format("p{}({})", decimal_text(term.quantile, 100), metric);
    case SloKind::mean:
      return fmt::format("mean({})", metric);
    case SloKind::max:
      return fmt::format("max({})", metric);
    case SloKind::attain:
      return "attain";
    case SloKind::error_rate:
      return "error_rate";
    case SloKind::goodput:
      return "goodput";
    default:
      return std::string(metric);
  }
}

std::string limit_text(const SloTerm& term) {
  if (term.unit() == SloUnit::per_s) return format_rate(term.limit_rate);
  if (term.unit() == SloUnit::ns) return format_duration(term.limit_ns);
  const std::string decimal = decimal_text(term.limit_share, 1);
  return decimal.empty() ? fmt::format("{}/{}", term.limit_share.num, term.limit_share.den) : decimal;
}

}  // namespace

SloUnit SloTerm::unit() const {
  switch (kind) {
    case SloKind::outcome_ok:
      return SloUnit::none;
    case SloKind::attain:
    case SloKind::error_rate:
      return SloUnit::share;
    case SloKind::goodput:
      return SloUnit::per_s;
    default:
      return SloUnit::ns;
  }
}

std::vector<SloTerm> parse_slo(std::string_view text) {
  std::vector<SloTerm> terms;
  std::string_view left = text;
  for (;;) {
    const size_t end = left.find("&&");
    const std::string_view term = trimmed(left.substr(0, end));
    if (term.empty())
      throw usage_error("SLO \"{}\": a term is missing; write for example p99<=50ms && error_rate<=1%", text);
    append_term(term, terms);
    if (end == left.npos) return terms;
    left.remove_prefix(end + 2);
  }
}

std::string slo_text(const SloTerm& term) {
  if (term.kind == SloKind::outcome_ok) return "outcome==ok";
  return fmt::format("{}{}{}", subject_text(term), kOps[static_cast<size_t>(term.op)], limit_text(term));
}

std::string slo_text(std::span<const SloTerm> terms) {
  std::string text;
  for (const SloTerm& term : terms) {
    if (!text.empty()) text += " && ";
    text += slo_text(term);
  }
  return text;
}

std::string_view metric_name(SloMetric metric) { return kMetrics[static_cast<size_t>(metric)]; }

std::span<const SloPreset> slo_presets() { return kPresets; }

}  // namespace mlq::stats
