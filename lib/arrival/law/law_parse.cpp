// The text form of laws.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "lib/arrival/law/law.h"
#include "lib/arrival/law/zipf.h"
#include "lib/arrival/text/numbers_file.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

class Uniform final : public Law {
 public:
  Uniform(double low, double high) : low_(low), high_(high) {}
  double sample(const Draws& draws) const override { return low_ + draws.at(0).a * (high_ - low_); }
  // Density (1 - F) / mean, by inversion: flat up to `low`, then a falling line.
  double residual(const Draws& draws) const override {
    const double mass = draws.at(0).a * mean();
    if (mass <= low_) return mass;
    return high_ -
           std::sqrt(std::max(0.0, (high_ - low_) * (high_ - low_) - 2 * (high_ - low_) * (mass - low_)));
  }
  bool has_residual() const override { return low_ >= 0; }
  double cdf(double x) const override { return std::clamp((x - low_) / (high_ - low_), 0.0, 1.0); }
  double mean() const override { return 0.5 * (low_ + high_); }
  double cv() const override { return (high_ - low_) / (std::sqrt(12.0) * mean()); }

 private:
  double low_;
  double high_;
};

// On 1, 2, ...: trials until the first success.
class Geometric final : public Law {
 public:
  explicit Geometric(double mean) : mean_(mean), log_q_(fmath::log1p(-1 / mean)) {}
  double sample(const Draws& draws) const override {
    if (mean_ == 1) return 1;
    return std::max(1.0, std::ceil(fmath::log(draws.at(0).a) / log_q_));
  }
  double cdf(double x) const override {
    if (x < 1) return 0;
    return mean_ == 1 ? 1 : -fmath::expm1(std::floor(x) * log_q_);
  }
  bool continuous() const override { return false; }
  double mean() const override { return mean_; }
  double cv() const override { return std::sqrt(1 - 1 / mean_); }

 private:
  double mean_;
  double log_q_;
};

// The component is chosen by a draw of its own.
class Mixture final : public Law {
 public:
  Mixture(std::vector<LawPtr> laws, std::vector<double> weights)
      : laws_(std::move(laws)), weights_(std::move(weights)) {
    double total = 0;
    for (const double w : weights_) total += w;
    for (double& w : weights_) w /= total;
  }
  double sample(const Draws& draws) const override {
    constexpr uint32_t kChoice = kDrawsPerVariate - 2;
    double u = draws.at(kChoice).a;
    for (size_t k = 0; k + 1 < laws_.size(); ++k) {
      if (u < weights_[k]) return laws_[k]->sample(draws);
      u -= weights_[k];
    }
    return laws_.back()->sample(draws);
  }
  double cdf(double x) const override {
    double sum = 0;
    for (size_t k = 0; k < laws_.size(); ++k) sum += weights_[k] * laws_[k]->cdf(x);
    return sum;
  }
  bool continuous() const override {
    return std::all_of(laws_.begin(), laws_.end(), [](const LawPtr& law) { return law->continuous(); });
  }
  double mean() const override {
    double sum = 0;
    for (size_t k = 0; k < laws_.size(); ++k) sum += weights_[k] * laws_[k]->mean();
    return sum;
  }
  double cv() const override {
    double second = 0;
    for (size_t k = 0; k < laws_.size(); ++k) {
      const double m = laws_[k]->mean();
      const double c = laws_[k]->cv();
      second += weights_[k] * m * m * (1 + c * c);
    }
    return std::sqrt(second / (mean() * mean()) - 1);
  }

 private:
  std::vector<LawPtr> laws_;
  std::vector<double> weights_;
};

enum class Rounding { none, nearest, floor, ceil };

double rounded(double x, Rounding rounding) {
  switch (rounding) {
    case Rounding::nearest:
      return std::floor(x + 0.5);
    case Rounding::floor:
      return std::floor(x);
    case Rounding::ceil:
      return std::ceil(x);
    case Rounding::none:
      break;
  }
  return x;
}

// Rounds, then clips. Mean and cv are those of the law inside: clipping is meant for its far ends.
class Shaped final : public Law {
 public:
  Shaped(LawPtr law, Rounding rounding, double low, double high)
      : law_(std::move(law)), rounding_(rounding), low_(low), high_(high) {}
  double sample(const Draws& draws) const override {
    return std::clamp(rounded(law_->sample(draws), rounding_), low_, high_);
  }
  double cdf(double x) const override {
    if (x < low_) return 0;
    if (x >= high_) return 1;
    switch (rounding_) {
      case Rounding::nearest:
        return law_->cdf(std::nextafter(std::floor(x) + 0.5, 0));
      case Rounding::floor:
        return law_->cdf(std::nextafter(std::floor(x) + 1, 0));
      case Rounding::ceil:
        return law_->cdf(std::floor(x));
      case Rounding::none:
        break;
    }
    return law_->cdf(x);
  }
  bool continuous() const override { return false; }
  double mean() const override { return std::clamp(law_->mean(), low_, high_); }
  double cv() const override { return law_->cv(); }

 private:
  LawPtr law_;
  Rounding rounding_;
  double low_;
  double high_;
};

// NAME[:k=v,...] taken apart; the first parameter may lack its key.
struct Parts {
  std::string name;
  std::string first;  // the parameter without a key
  std::map<std::string, std::string, std::less<>> values;
};

class LawParser {
 public:
  LawParser(std::string_view text, LawUse use) : text_(text), use_(use) {}

  LawPtr parse() {
    const size_t colon = text_.find(':');
    const std::string_view name = text_.substr(0, colon);
    const std::string_view rest = colon == text_.npos ? std::string_view() : text_.substr(colon + 1);
    if (name == "mix") return parse_mix(rest);
    split(name, rest);
    LawPtr law = build();
    law = shape(std::move(law));
    if (!parts_.values.empty()) {
      throw usage_error("law \"{}\": {} does not take \"{}\"", text_, parts_.name,
                        parts_.values.begin()->first);
    }
    if (!parts_.first.empty()) {
      throw usage_error("law \"{}\": \"{}\" has no name; write it as KEY=VALUE", text_, parts_.first);
    }
    return law;
  }

 private:
  void split(std::string_view name, std::string_view rest) {
    parts_.name = name;
    if (name == "empirical") {  // the file's name may hold anything but a comma
      const size_t comma = rest.find(',');
      parts_.first = rest.substr(0, comma);
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    }
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view item = rest.substr(0, comma);
      const size_t equals = item.find('=');
      if (equals == item.npos) {
        if (!parts_.first.empty() || !parts_.values.empty() || item.empty()) {
          throw usage_error("law \"{}\": \"{}\" must be KEY=VALUE", text_, item);
        }
        parts_.first = item;
      } else {
        const auto [at, added] = parts_.values.emplace(item.substr(0, equals), item.substr(equals + 1));
        if (!added) throw usage_error("law \"{}\": {} is given twice", text_, at->first);
      }
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    }
  }

  std::optional<std::string> take(std::string_view key) {
    const auto at = parts_.values.find(key);
    if (at == parts_.values.end()) return std::nullopt;
    std::string value = std::move(at->second);
    parts_.values.erase(at);
    return value;
  }

  double number(std::string_view key, const std::string& value) const {
    try {
      return parse_double(value);
    } catch (const Error&) {
      throw usage_error("law \"{}\": {}={} is no number", text_, key, value);
    }
  }
  std::optional<double> take_number(std::string_view key) {
    const auto value = take(key);
    return value ? std::optional(number(key, *value)) : std::nullopt;
  }
  double need_number(std::string_view key) {
    const auto value = take_number(key);
    if (!value) throw usage_error("law \"{}\": {} needs {}=", text_, parts_.name, key);
    return *value;
  }

  // A length: for sojourns a duration, in seconds; else a number.
  double amount(std::string_view key, const std::string& value) const {
    if (use_ != LawUse::sojourn) return number(key, value);
    try {
      return static_cast<double>(parse_duration(value)) / 1e9;
    } catch (const Error& error) {
      throw usage_error("law \"{}\": {}=: {}", text_, key, error.what());
    }
  }
  uint64_t count(std::string_view key, const std::string& value) const {
    try {
      return parse_count(value);
    } catch (const Error& error) {
      throw usage_error("law \"{}\": {}=: {}", text_, key, error.what());
    }
  }
  std::optional<double> take_amount(std::string_view key) {
    const auto value = take(key);
    return value ? std::optional(amount(key, *value)) : std::nullopt;
  }

  std::optional<double> take_mean() {
    if (use_ == LawUse::gap) {
      if (parts_.values.contains("mean")) {
        throw usage_error(
            "law \"{}\": a gap law has mean 1; the mean gap is set by --rate or --gap, not by mean=", text_);
      }
      return std::nullopt;
    }
    std::optional<double> mean = take_amount("mean");
    if (!parts_.first.empty()) {
      if (mean) throw usage_error("law \"{}\": the mean is given twice", text_);
      mean = amount("mean", std::exchange(parts_.first, {}));
    }
    if (mean && !(*mean > 0 && std::isfinite(*mean)))
      throw usage_error("law \"{}\": the mean must be positive", text_);
    return mean;
  }
  double need_mean() {
    const auto mean = take_mean();
    if (!mean) throw usage_error("law \"{}\": {} needs mean=", text_, parts_.name);
    return *mean;
  }

  // A unit-mean law, scaled to its mean where it is not for gaps.
  LawPtr with_mean(LawPtr law) {
    if (use_ == LawUse::gap) {
      take_mean();
      return law;
    }
    return scaled_law(std::move(law), need_mean());
  }

  LawPtr build() {
    const std::string& name = parts_.name;
    if (name == "exp") return with_mean(exponential_law());
    if (name == "fixed") return with_mean(fixed_law());
    if (name == "gamma") return with_mean(gamma_law(need_number("cv")));
    if (name == "weibull") return with_mean(weibull_law(need_number("cv")));
    if (name == "lognormal") return with_mean(lognormal_law(need_number("cv")));
    if (name == "lomax") return with_mean(lomax_law(need_number("cv")));
    if (name == "h2") return with_mean(h2_law(need_number("cv")));
    if (name == "pareto") return with_mean(build_pareto());
    if (name == "erlang") return with_mean(build_erlang());
    if (name == "empirical") return build_empirical();
    if (use_ != LawUse::gap) {
      if (name == "uniform") return build_uniform();
      if (name == "geometric") return build_geometric();
      if (name == "zipf") return build_zipf();
    }
    std::string known;
    for (const std::string_view word : law_names(use_))
      known += (known.empty() ? "" : ", ") + std::string(word);
    throw usage_error("law \"{}\": there is no law \"{}\" here; there are {}", text_, name, known);
  }

  LawPtr build_pareto() {
    if (const auto alpha = take_number("alpha")) return pareto_law_of_alpha(*alpha);
    if (!parts_.values.contains("cv")) throw usage_error("law \"{}\": pareto needs cv= or alpha=", text_);
    return pareto_law(need_number("cv"));
  }

  LawPtr build_erlang() {
    if (const auto k = take("k"))
      return erlang_law(static_cast<uint32_t>(std::min<uint64_t>(count("k", *k), 1u << 20)));
    const double cv = need_number("cv");
    const double k = std::floor(1 / (cv * cv) + 0.5);
    if (!(k >= 1 && std::fabs(1 / std::sqrt(k) - cv) <= 0.01 * cv)) {
      throw usage_error("law \"{}\": erlang has a cv of 1/sqrt(k) with whole k; give k=, or use gamma",
                        text_);
    }
    return erlang_law(static_cast<uint32_t>(std::min(k, 1e6)));
  }

  LawPtr build_uniform() {
    const auto low = take_amount("lo");
    const auto high = take_amount("hi");
    if (!low || !high) throw usage_error("law \"{}\": uniform needs lo= and hi=", text_);
    if (!(*low >= 0 && *low < *high)) throw usage_error("law \"{}\": it must be that 0 <= lo < hi", text_);
    return std::make_shared<Uniform>(*low, *high);
  }

  LawPtr build_geometric() {
    const double mean = need_mean();
    if (!(mean >= 1)) throw usage_error("law \"{}\": the mean of geometric is at least 1", text_);
    return std::make_shared<Geometric>(mean);
  }

  LawPtr build_zipf() {
    const double s = need_number("s");
    const auto n = take("n");
    if (!n) throw usage_error("law \"{}\": zipf needs n=", text_);
    return zipf_law(s, count("n", *n));
  }

  LawPtr build_empirical() {
    std::string file = std::exchange(parts_.first, {});
    const size_t hash = file.rfind('#');
    const std::string column = hash == file.npos ? "" : file.substr(hash + 1);
    if (hash != file.npos) file.resize(hash);
    if (file.empty())
      throw usage_error("law \"{}\": empirical needs a file, as in empirical:gaps.txt", text_);
    std::vector<double> values = read_number_column(file, column);
    double own_mean = 0;
    for (const double x : values) own_mean += x;
    own_mean /= static_cast<double>(values.size());
    const auto block = take("block");
    LawPtr law = empirical_law(std::move(values), block ? count("block", *block) : 1);
    if (use_ == LawUse::gap) {
      take_mean();
      return law;
    }
    return scaled_law(std::move(law), take_mean().value_or(own_mean));
  }

  LawPtr shape(LawPtr law) {
    const auto low = take_amount("min");
    const auto high = take_amount("max");
    const auto text = take("round");
    if (use_ == LawUse::gap) {
      if (low || high || text)
        throw usage_error("law \"{}\": a gap law takes no min=, max= or round=", text_);
      return law;
    }
    Rounding rounding = use_ == LawUse::count ? Rounding::nearest : Rounding::none;
    if (text) {
      if (*text == "nearest")
        rounding = Rounding::nearest;
      else if (*text == "floor")
        rounding = Rounding::floor;
      else if (*text == "ceil")
        rounding = Rounding::ceil;
      else if (*text == "none")
        rounding = Rounding::none;
      else
        throw usage_error("law \"{}\": round={} must be nearest, floor, ceil or none", text_, *text);
    }
    if (!low && !high && rounding == Rounding::none) return law;
    const double least = low.value_or(0);
    const double most = high.value_or(std::numeric_limits<double>::infinity());
    if (!(least >= 0 && least <= most))
      throw usage_error("law \"{}\": it must be that 0 <= min <= max", text_);
    return std::make_shared<Shaped>(std::move(law), rounding, least, most);
  }

  // mix:W*LAW+W*LAW: a plus sign parts two components if a weight and a star follow it.
  LawPtr parse_mix(std::string_view rest) {
    if (use_ == LawUse::gap) throw usage_error("law \"{}\": mix is no gap law; use h2 or superpose", text_);
    std::vector<LawPtr> laws;
    std::vector<double> weights;
    while (!rest.empty()) {
      const size_t star = rest.find('*');
      if (star == rest.npos) throw usage_error("law \"{}\": a part of mix is WEIGHT*LAW", text_);
      weights.push_back(number("weight", std::string(rest.substr(0, star))));
      if (!(weights.back() > 0)) throw usage_error("law \"{}\": weights must be positive", text_);
      rest.remove_prefix(star + 1);
      size_t end = rest.find('+');
      while (end != rest.npos && !weight_follows(rest.substr(end + 1))) end = rest.find('+', end + 1);
      const std::string_view part = rest.substr(0, end);
      if (part.starts_with("mix")) throw usage_error("law \"{}\": mix cannot stand in mix", text_);
      laws.push_back(parse_law(part, use_));
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    }
    if (laws.empty()) throw usage_error("law \"{}\": mix needs WEIGHT*LAW parts", text_);
    return std::make_shared<Mixture>(std::move(laws), std::move(weights));
  }

  static bool weight_follows(std::string_view text) {
    const size_t star = text.find('*');
    const size_t colon = text.find(':');
    return star != text.npos && star < colon &&
           text.substr(0, star).find_first_not_of("0123456789.eE-%") == text.npos;
  }

  std::string_view text_;
  LawUse use_;
  Parts parts_;
};

}  // namespace

LawPtr parse_law(std::string_view text, LawUse use) { return LawParser(text, use).parse(); }

std::vector<std::string_view> law_names(LawUse use) {
  std::vector<std::string_view> names = {"exp",   "gamma",  "weibull", "lognormal", "pareto",
                                         "lomax", "erlang", "h2",      "fixed",     "empirical"};
  if (use != LawUse::gap) names.insert(names.end(), {"uniform", "geometric", "zipf", "mix"});
  return names;
}

}  // namespace mlq::arrival
