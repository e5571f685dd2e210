// Theory of the processes, in closed form where there is one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/arrival/path/paths.h"
#include "lib/arrival/process/matrices.h"
#include "lib/arrival/process/process.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"

namespace mlq::arrival {
namespace {

using records::Expected;

void add_note(Expected& e, std::string_view text) {
  if (!e.note) e.note.emplace();
  if (!e.note->empty()) *e.note += "; ";
  *e.note += text;
}

void set_finite(std::optional<double>& field, double value) {
  if (std::isfinite(value)) field = value;
}

// Solves a x = b by Gaussian elimination with partial pivoting.
std::vector<double> solve(Matrix a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t r = k + 1; r < n; ++r) {
      if (std::fabs(a[r][k]) > std::fabs(a[pivot][k])) pivot = r;
    }
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (size_t r = k + 1; r < n; ++r) {
      const double factor = a[r][k] / a[k][k];
      for (size_t c = k; c < n; ++c) a[r][c] -= factor * a[k][c];
      b[r] -= factor * b[k];
    }
  }
  for (size_t k = n; k-- > 0;) {
    for (size_t c = k + 1; c < n; ++c) b[k] -= a[k][c] * b[c];
    b[k] /= a[k][k];
  }
  return b;
}

// A MAP (D0, D1): rate pi D1 1 and the limit of the index of dispersion,
// 1 - 2 rate + (2 / rate) pi D1 (1 pi - D)^-1 D1 1 (Neuts, "Structured Stochastic Matrices of M/G/1 Type",
// 1989, section 5.1, as the asymptotic variance of the counting process). An MMPP has D1 = diag(rates).
void explain_map(const Matrix& d0, const Matrix& d1, Expected& e) {
  const size_t n = d0.size();
  Matrix all = d0;
  std::vector<double> out(n, 0);
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = 0; c < n; ++c) {
      all[r][c] += d1[r][c];
      out[r] += d1[r][c];
    }
  }
  const std::vector<double> pi = stationary_law(all);
  double rate = 0;
  std::vector<double> row(n, 0);
  for (size_t r = 0; r < n; ++r) {
    rate += pi[r] * out[r];
    for (size_t c = 0; c < n; ++c) row[c] += pi[r] * d1[r][c];
  }
  Matrix fundamental(n, std::vector<double>(n));
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = 0; c < n; ++c) fundamental[r][c] = pi[c] - all[r][c];
  }
  const std::vector<double> x = solve(fundamental, out);
  double inner = 0;
  for (size_t r = 0; r < n; ++r) inner += row[r] * x[r];
  e.rate_per_s = rate;
  e.idc_limit = 1 - 2 * rate + 2 / rate * inner;
}

void explain_mmpp(const EngineParts& parts, const Settings& s, Expected& e) {
  const std::vector<double> rates = state_rates(s);
  Matrix d0 = mmpp_generator(s, rates.size());
  Matrix d1(rates.size(), std::vector<double>(rates.size(), 0));
  for (size_t k = 0; k < rates.size(); ++k) {
    d1[k][k] = rates[k];
    d0[k][k] -= rates[k];
  }
  explain_map(d0, d1, e);
  *e.idc_limit += parts.law->cv() * parts.law->cv() - 1;
}

// Alternating renewal: the time on has asymptotic variance (m_on^2 v_off + m_off^2 v_on) / (m_on + m_off)^3 a
// unit of time (Cox, Renewal Theory, 1962, chapter 7).
void explain_onoff(const EngineParts& parts, const Settings& s, Expected& e) {
  const LawPtr on = s.law("on", LawUse::sojourn);
  const LawPtr off = s.law("off", LawUse::sojourn);
  const double each = s.rate("on-rate")->per_s();
  const auto sources = static_cast<double>(s.count("sources").value_or(1));
  const double a = on->mean();
  const double b = off->mean();
  e.rate_per_s = sources * each * a / (a + b);
  const double va = on->cv() * on->cv() * a * a;
  const double vb = off->cv() * off->cv() * b * b;
  const double variance = (a * a * vb + b * b * va) / ((a + b) * (a + b) * (a + b));
  const double law_cv = parts.law->cv();
  set_finite(e.idc_limit, law_cv * law_cv + sources * each * each * variance / e.rate_per_s);
  if (!e.idc_limit) {
    add_note(e,
             "a sojourn has infinite variance: the index of dispersion grows without limit, and what is left "
             "of a stay at time 0 has an infinite mean, often beyond the trace (--start event lets all stays "
             "begin at 0)");
  }
}

// The covariance of log-normal rates k steps apart is exp(s^2 phi^k) - 1 in units of the mean squared.
void explain_cox(const EngineParts& parts, const Settings& s, Expected& e) {
  const double rate = s.need_rate().per_s();
  const double cv = s.need_number("rate-cv");
  const double phi = s.number_or("rate-ar", 0);
  const double sigma2 = fmath::log1p(cv * cv);
  double sum = cv * cv;
  double power = phi;
  for (int k = 1; k < 100000 && power * sigma2 > 1e-15; ++k, power *= phi)
    sum += 2 * fmath::expm1(sigma2 * power);
  e.rate_per_s = rate;
  e.idc_limit = parts.law->cv() * parts.law->cv() + rate * s.seconds_or("rate-step", 1) * sum;
}

// Mean rate of a path that is a function of time, over the duration or its own length.
void explain_path(const EngineParts& parts, const Settings& s, Expected& e) {
  Piece piece;
  double mass = 0;
  double seconds = 0;
  const double limit = s.seconds_or("duration", std::numeric_limits<double>::infinity());
  bool counted = false;
  constexpr size_t kEnoughPieces = 1'000'000;  // a long stretch tells the mean of the whole
  for (size_t k = 0; k < kEnoughPieces && seconds < limit && parts.path->next(piece); ++k) {
    if (piece.count > 0) {
      counted = true;
      mass += static_cast<double>(piece.count);
      seconds += static_cast<double>(piece.count) / piece.rate0_per_s;
    } else if (piece.endless()) {
      if (std::isfinite(limit)) {
        mass += piece.rate0_per_s * (limit - seconds);
        seconds = limit;
      } else {
        mass = piece.rate0_per_s;
        seconds = 1;
      }
      break;
    } else {
      const u128 length = std::min(piece.length, fixed_ns_of_seconds(limit - seconds));
      mass += fixed_to_double(piece_mass_until(piece, length));
      seconds += seconds_of_fixed_ns(length);
      // An endless periodic path repeats; a long stretch of it tells the mean.
      if (!std::isfinite(limit) && s.process() == "sinusoid" && k > 100'000) break;
    }
  }
  e.rate_per_s = seconds > 0 ? mass / seconds : 0;
  if (counted) add_note(e, "segments of a fixed number of arrivals are counted at their mean length");
  if (!s.has("duration") && !counted) add_note(e, "without --duration, the rate is that of the whole path");
  add_note(e, "the rate varies in time, so gaps have no single law");
}

void explain_renewal(const EngineParts& parts, const Settings& s, Expected& e) {
  e.rate_per_s = s.need_rate().per_s();
  set_finite(e.cv, parts.law->cv());
  if (!e.cv) add_note(e, "the gaps have infinite variance");
  if (e.cv) e.idc_limit = *e.cv * *e.cv;
}

// Instants become batches: IDC = mean batch * idc + variance / mean of the batches.
void explain_batch(const EngineParts& parts, Expected& e) {
  if (!parts.batch) return;
  const double mean = parts.batch->mean();
  const double cv = parts.batch->cv();
  e.rate_per_s *= mean;
  e.cv.reset();
  if (e.idc_limit) e.idc_limit = mean * *e.idc_limit + cv * cv * mean;
  if (e.idc_limit && !std::isfinite(*e.idc_limit)) e.idc_limit.reset();
  add_note(e,
           "batches: gaps within an instant are 0; rounding and clipping of the batch law are not counted");
}

void explain_superposition(const Settings& s, const BuildContext& context, Expected& e) {
  double variance = 0;
  bool known = true;
  double weights = 0;
  std::vector<double> shares;
  if (const auto text = s.text("weights")) {
    for (const std::string& item : split_list(*text)) {
      shares.push_back(static_cast<double>(parse_count(item)));
      weights += shares.back();
    }
  }
  const std::vector<std::string> texts = s.all("source");
  for (size_t k = 0; k < texts.size(); ++k) {
    ProcessSpec spec = parse_spec(texts[k]);
    if (k < shares.size() && s.rate()) {
      spec.settings.emplace_back("rate", fmt::format("{}/s", s.rate()->per_s() * shares[k] / weights));
    }
    const Expected part = expected(spec, context);
    e.rate_per_s += part.rate_per_s;
    known = known && part.idc_limit.has_value();
    variance += part.rate_per_s * part.idc_limit.value_or(0);
  }
  if (known && e.rate_per_s > 0) e.idc_limit = variance / e.rate_per_s;
  add_note(e, "the index of dispersion is the mean of the sources', weighted by rate");
}

}  // namespace

Expected expected(const ProcessSpec& given, const BuildContext& context) {
  const ProcessSpec spec = expand_preset(given, context.data_dir);
  const EngineParts parts = make_engine_parts(spec, context);  // checks the settings, too
  std::vector<std::string_view> all;
  for (const SettingInfo& info : setting_infos()) all.push_back(info.name);
  const Settings s(spec, all);
  Expected e;
  e.spec = format_spec(given);
  e.algo = kAlgo;
  for (const ProcessInfo& info : process_infos()) {
    if (info.name == spec.process) e.formula = std::string(info.formula);
  }
  const std::string& name = spec.process;
  if (name == "deterministic") {
    e.rate_per_s = s.need_rate().per_s();
    e.idc_limit = 0;
    if (!s.has("jitter")) e.cv = 0;
  } else if (name == "mmpp") {
    explain_mmpp(parts, s, e);
  } else if (name == "map" || name == "bmap") {
    const std::vector<Matrix> d = read_map_matrices(s);
    if (d.size() == 2) {
      explain_map(d[0], d[1], e);
    } else {
      throw usage_error(
          "explain knows no closed form for a batch process of more than D0 and D1; use gen and stat");
    }
  } else if (name == "onoff") {
    explain_onoff(parts, s, e);
  } else if (name == "cox") {
    explain_cox(parts, s, e);
  } else if (name == "self-similar") {
    e.rate_per_s = s.need_rate().per_s();
    add_note(e, "long-range dependent: the index of dispersion grows as window^(2H-1), without limit");
  } else if (name == "superpose") {
    explain_superposition(s, context, e);
  } else if (has_random_path(spec, context.data_dir)) {
    throw usage_error("explain knows no closed form for a shape over a random base");
  } else if (!parts.path) {  // counts kept
    ProcessSpec path_spec = spec;
    std::erase_if(path_spec.settings, [](const auto& p) { return p.first == "counts"; });
    explain_path(make_engine_parts(path_spec, context), s, e);
    add_note(e, "the number in each bin is fixed");
  } else if (is_renewal(name)) {
    explain_renewal(parts, s, e);
  } else {
    explain_path(parts, s, e);
  }
  explain_batch(parts, e);
  return e;
}

}  // namespace mlq::arrival
