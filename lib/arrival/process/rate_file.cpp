#include "lib/arrival/process/rate_file.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/arrival/path/paths.h"
#include "lib/arrival/text/numbers_file.h"
#include "lib/base/error.h"
#include "lib/records/reader.h"
#include "lib/records/trace.h"

namespace mlq::arrival {
namespace {

// Times in seconds from the start of the series. `rate1` differs from `rate0` in linear rate records alone.
struct Bin {
  double start_s;
  double length_s;
  double rate0;
  double rate1;
  double count;
};

// The file as a whole, because a pipe cannot be looked at twice.
struct Text {
  std::string name;
  std::string bytes;
  Input input() const { return Input::from_bytes(name, bytes); }
};

bool holds_records(std::string_view text) {
  for (const char c : text) {
    if (c == '{') return true;
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t' && static_cast<unsigned char>(c) < 0x80) return false;
  }
  return false;
}

// Passes the bins of one class: the one that is asked for, or else the only one.
class OneClass {
 public:
  explicit OneClass(std::optional<std::string> wanted) : wanted_(std::move(wanted)) {}

  bool takes(const records::Bin& bin, const records::Reader& reader) {
    const bool right = wanted_ ? bin.klass == wanted_ : !any_ || bin.klass == klass_;
    if (!right && !wanted_) {
      throw input_error("{}: a bin of {} among bins of {}; --class takes the bins of one class",
                        reader.where(), name_of(bin.klass), name_of(klass_));
    }
    if (!any_) klass_ = bin.klass;
    any_ = true;
    found_ = found_ || right;
    return right;
  }
  void finish(const std::string& name) const {
    if (wanted_ && !found_) throw input_error("{}: there is no bin of class \"{}\" in it", name, *wanted_);
  }

 private:
  static std::string name_of(const std::optional<std::string>& klass) {
    return klass ? fmt::format("class \"{}\"", *klass) : "no class";
  }
  std::optional<std::string> wanted_;
  std::optional<std::string> klass_;  // of the first bin
  bool any_ = false;
  bool found_ = false;
};

std::vector<Bin> bins_of_records(const Text& text, const Settings& s) {
  records::Reader reader(text.input(), {});
  OneClass one_class(s.text("class"));
  std::vector<Bin> bins;
  std::vector<records::RatePoint> rates;
  int64_t end_ns = std::numeric_limits<int64_t>::min();
  while (reader.next()) {
    if (reader.type() == records::Schema<records::Bin>::type) {
      const auto bin = reader.as<records::Bin>();
      if (!one_class.takes(bin, reader)) continue;
      if (!(bin.dt_ns > 0)) throw input_error("{}: dt_ns must be positive", reader.where());
      if (!(bin.count >= 0))
        throw input_error("{}: count must be a number that is not negative", reader.where());
      if (bin.t_ns < end_ns)
        throw input_error("{}: the bin begins before the one before ends", reader.where());
      end_ns = bin.t_ns +
               std::min(bin.dt_ns, std::numeric_limits<int64_t>::max() - std::max<int64_t>(bin.t_ns, 0));
      const double length = static_cast<double>(bin.dt_ns) / 1e9;
      bins.push_back(
          {static_cast<double>(bin.t_ns) / 1e9, length, bin.count / length, bin.count / length, bin.count});
    } else if (reader.type() == records::Schema<records::RatePoint>::type) {
      rates.push_back(reader.as<records::RatePoint>());
      const records::RatePoint& rate = rates.back();
      if (!(rate.rate_per_s >= 0 && rate.rate_end_per_s.value_or(0) >= 0)) {
        throw input_error("{}: a rate must not be negative", reader.where());
      }
      if (rate.t_ns < end_ns)
        throw input_error("{}: t_ns is below that of the record before", reader.where());
      end_ns = rate.t_ns;
    }
  }
  reader.finish();
  one_class.finish(text.name);
  if (!bins.empty() && !rates.empty())
    throw input_error("{}: it holds both bin and rate records; which is meant?", text.name);
  const auto& end = reader.end();
  for (size_t k = 0; k < rates.size(); ++k) {
    const bool last = k + 1 == rates.size();
    const int64_t until =
        last ? (end && end->duration_ns ? *end->duration_ns : rates[k].t_ns) : rates[k + 1].t_ns;
    const double rate0 = rates[k].rate_per_s;
    const double rate1 = rates[k].rate_end_per_s.value_or(rate0);
    const double length = static_cast<double>(std::max(until, rates[k].t_ns) - rates[k].t_ns) / 1e9;
    bins.push_back(
        {static_cast<double>(rates[k].t_ns) / 1e9, length, rate0, rate1, 0.5 * (rate0 + rate1) * length});
  }
  return bins;
}

std::vector<Bin> bins_of_table(const Text& text, const Settings& s) {
  if (s.has("class")) throw usage_error("--class: a table has no classes; bin records have");
  const std::string& path = text.name;
  std::vector<Bin> bins;
  if (const auto width = s.duration("bin")) {
    if (*width == 0) throw usage_error("--bin must be positive");
    const double length = static_cast<double>(*width) / 1e9;
    for (const NumberPair& row : read_number_pairs(text.input(), true)) {
      const double count = row.second;
      if (count < 0) throw input_error("{}:{}: the count {} is negative", path, row.line, count);
      bins.push_back(
          {static_cast<double>(bins.size()) * length, length, count / length, count / length, count});
    }
    return bins;
  }
  const std::vector<NumberPair> rows = read_number_pairs(text.input());
  if (rows.size() < 2) throw input_error("{}: a rate series needs at least two rows of time and rate", path);
  for (size_t k = 0; k + 1 < rows.size(); ++k) {
    if (!(rows[k + 1].first > rows[k].first))
      throw input_error("{}:{}: the times must increase", path, rows[k + 1].line);
    if (rows[k].second < 0)
      throw input_error("{}:{}: the rate {} is negative", path, rows[k].line, rows[k].second);
    const double length = rows[k + 1].first - rows[k].first;
    bins.push_back(
        {rows[k].first - rows[0].first, length, rows[k].second, rows[k].second, rows[k].second * length});
  }
  return bins;
}

std::vector<Bin> read_bins(const Settings& s) {
  const Text text{s.argument() == "-" ? "standard input" : s.argument(), read_file(s.argument())};
  const std::string& path = text.name;
  std::vector<Bin> bins = holds_records(text.bytes) ? bins_of_records(text, s) : bins_of_table(text, s);
  if (bins.empty()) throw input_error("{}: there is no series in it", path);
  bool positive = false;
  for (const Bin& bin : bins) {
    if (!(bin.rate0 >= 0 && bin.rate1 >= 0 && std::isfinite(bin.rate0) && std::isfinite(bin.rate1))) {
      throw input_error("{}: the rate at {} s is outside the range of a number", path, bin.start_s);
    }
    positive = positive || (bin.length_s > 0 && (bin.rate0 > 0 || bin.rate1 > 0));
  }
  if (!positive) throw input_error("{}: all values are 0; nothing would ever arrive", path);
  const double origin = bins.front().start_s;
  const double compress = s.number_or("compress", 1);
  if (!(compress > 0)) throw usage_error("--compress {} is out of range; it must be above 0", compress);
  double events = 0;
  double seconds = 0;
  for (Bin& bin : bins) {
    bin.start_s = (bin.start_s - origin) / compress;
    bin.length_s /= compress;
    bin.rate0 *= compress;
    bin.rate1 *= compress;
    events += 0.5 * (bin.rate0 + bin.rate1) * bin.length_s;
    seconds += bin.length_s;
  }
  if (const auto mean = s.rate("mean-rate")) {
    const double factor = mean->per_s() * seconds / events;
    for (Bin& bin : bins) {
      bin.rate0 *= factor;
      bin.rate1 *= factor;
    }
  }
  return bins;
}

// Tangents of Fritsch and Carlson (SIAM J. Numer. Anal. 17, 1980) in the harmonic form: no overshoot, so no
// negative rate.
std::vector<double> monotone_tangents(const std::vector<RateKnot>& knots) {
  const size_t n = knots.size();
  std::vector<double> slopes(n - 1);
  for (size_t k = 0; k + 1 < n; ++k) {
    slopes[k] = (knots[k + 1].rate_per_s - knots[k].rate_per_s) / (knots[k + 1].t_s - knots[k].t_s);
  }
  std::vector<double> tangents(n, 0);
  tangents.front() = slopes.front();
  tangents.back() = slopes.back();
  for (size_t k = 1; k + 1 < n; ++k) {
    const double product = slopes[k - 1] * slopes[k];
    tangents[k] = product > 0 ? 2 * product / (slopes[k - 1] + slopes[k]) : 0;
  }
  return tangents;
}

std::vector<RateKnot> spline(const std::vector<RateKnot>& knots) {
  if (knots.size() < 3) return knots;
  constexpr int kParts = 16;
  const std::vector<double> tangents = monotone_tangents(knots);
  std::vector<RateKnot> out;
  for (size_t k = 0; k + 1 < knots.size(); ++k) {
    const double h = knots[k + 1].t_s - knots[k].t_s;
    for (int p = 0; p < kParts; ++p) {
      const double x = static_cast<double>(p) / kParts;
      const double y = (1 + 2 * x) * (1 - x) * (1 - x) * knots[k].rate_per_s +
                       x * (1 - x) * (1 - x) * h * tangents[k] +
                       x * x * (3 - 2 * x) * knots[k + 1].rate_per_s + x * x * (x - 1) * h * tangents[k + 1];
      out.push_back({knots[k].t_s + x * h, std::max(0.0, y)});
    }
  }
  out.push_back(knots.back());
  return out;
}

std::vector<RateKnot> steps(const std::vector<Bin>& bins) {
  std::vector<RateKnot> knots;
  for (const Bin& bin : bins) {
    const double start = bin.start_s;
    if (!knots.empty() && start > knots.back().t_s) {  // a hole: nothing arrives
      knots.push_back({knots.back().t_s, 0});
      knots.push_back({start, 0});
    }
    knots.push_back({start, bin.rate0});
    knots.push_back({start + bin.length_s, bin.rate1});
  }
  return knots;
}

// Values stand for the middle of their bins; the first and last half bin keep their value.
std::vector<RateKnot> middles(const std::vector<Bin>& bins) {
  std::vector<RateKnot> knots;
  for (const Bin& bin : bins)
    knots.push_back({bin.start_s + 0.5 * bin.length_s, 0.5 * (bin.rate0 + bin.rate1)});
  return knots;
}

}  // namespace

RatePathPtr rate_file_path(const Settings& s) {
  const std::vector<Bin> bins = read_bins(s);
  const std::string interp = s.text("interp").value_or("step");
  std::vector<RateKnot> knots;
  if (interp == "step") {
    knots = steps(bins);
  } else if (interp == "linear" || interp == "spline") {
    knots = interp == "linear" ? middles(bins) : spline(middles(bins));
    knots.insert(knots.begin(), {0, knots.front().rate_per_s});
    knots.push_back({bins.back().start_s + bins.back().length_s, knots.back().rate_per_s});
  } else {
    throw usage_error("--interp: \"{}\" must be step, linear or spline", interp);
  }
  // Rounding may leave neighbours a hair out of order.
  for (size_t k = 1; k < knots.size(); ++k) knots[k].t_s = std::max(knots[k].t_s, knots[k - 1].t_s);
  return knots_path(knots);
}

std::vector<CountedBin> rate_file_bins(const Settings& s) {
  if (s.has("mean-rate")) throw usage_error("--counts keep and --mean-rate: the counts fix the rate");
  std::vector<CountedBin> out;
  for (const Bin& bin : read_bins(s)) {
    if (std::floor(bin.count) != bin.count || bin.count > 1e15) {
      throw input_error("{}: --counts keep needs whole counts, and {} is none", s.argument(), bin.count);
    }
    const u128 start = fixed_ns_of_seconds(bin.start_s);
    const u128 end = fixed_ns_of_seconds(bin.start_s + bin.length_s);
    out.push_back({start, end - start, static_cast<uint64_t>(bin.count)});
  }
  return out;
}

}  // namespace mlq::arrival
