#include "lib/arrival/check/marks_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/arrival/check/battery_common.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

std::optional<std::string> setting(const ProcessSpec& spec, std::string_view name) {
  const auto at = std::find_if(spec.settings.begin(), spec.settings.end(),
                               [&](const auto& s) { return s.first == name; });
  return at == spec.settings.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

LengthCheck::LengthCheck(std::string name, LawPtr law, uint64_t seed, uint32_t stream, size_t capacity)
    : name_(std::move(name)),
      law_(std::move(law)),
      random_(seed, Purpose::bootstrap),
      stream_(stream),
      u_(capacity, seed, stream) {}

void LengthCheck::add(uint64_t value) {
  // A continuous law was cut down to whole numbers.
  const auto x = static_cast<double>(value) + (law_->continuous() ? 1 : 0);
  const double low = law_->cdf(x - 1);
  const double high = law_->cdf(x);
  u_.add(low + random_.uniform(count_++, 0, stream_) * (high - low));
}

void LengthCheck::finish(Findings& findings) const {
  if (count_ < kFewestArrivals) {
    findings.skip(name_, fmt::format("fewer than {} values", kFewestArrivals), count_);
    return;
  }
  std::vector<double> sorted = u_.values();
  std::sort(sorted.begin(), sorted.end());
  findings.add(name_, stats::ks_uniform(sorted), sample_note(u_));
}

MarksCheck::MarksCheck(const ProcessSpec& spec, uint64_t seed, uint64_t memory_bytes) {
  const size_t capacity = sample_capacity(memory_bytes);
  const bool capped = setting(spec, "context").has_value();
  const auto length = [&](const char* name, const char* test, uint32_t stream) -> std::optional<LengthCheck> {
    const auto text = setting(spec, name);
    if (!text) return std::nullopt;
    if (capped && stream < 2) {
      skipped_.emplace_back(test, "--context changes the lengths");
      return std::nullopt;
    }
    return LengthCheck(test, parse_law(*text, LawUse::count), seed, stream, capacity);
  };
  input_ = length("input-tokens", "input_tokens_ks", 0);
  output_ = length("output-tokens", "output_tokens_ks", 1);
  size_ = length("size-bytes", "size_bytes_ks", 2);
  if (const auto text = setting(spec, "class-mix")) read_classes(*text);
  if (const auto text = setting(spec, "keys")) {
    if (setting(spec, "churn")) {
      skipped_.emplace_back("keys_chi_square", "--churn moves the keys");
    } else {
      read_keys(*text);
    }
  }
}

void MarksCheck::read_classes(const std::string& text) {
  double total = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const size_t colon = text.rfind(':', comma);
    if (colon == std::string::npos || colon < at) break;  // the process itself has said what is wrong
    const double weight = parse_double(std::string_view(text).substr(colon + 1, comma - colon - 1));
    class_share_[text.substr(at, colon - at)] += weight;
    total += weight;
    at = comma + 1;
  }
  for (auto& [name, share] : class_share_) share /= total;
}

void MarksCheck::read_keys(const std::string& text) {
  constexpr uint64_t single_ranks = 64;
  keys_ = parse_law(text, LawUse::count);
  // Single ranks first, then ever wider cells, until the law ends.
  uint64_t edge = 1;
  while (keys_->cdf(static_cast<double>(edge) - 1) < 1 - 1e-12 && edge < uint64_t{1} << 52) {
    key_edges_.push_back(edge);
    edge += edge < single_ranks ? 1 : edge / 4;
  }
  key_edges_.push_back(edge);
  key_counts_.resize(key_edges_.size());
}

void MarksCheck::add(const records::Arrival& arrival) {
  if (input_ && arrival.input_tokens) input_->add(*arrival.input_tokens);
  if (output_ && arrival.output_tokens) output_->add(*arrival.output_tokens);
  if (size_ && arrival.size_bytes) size_->add(*arrival.size_bytes);
  if (!class_share_.empty()) ++class_count_[arrival.klass.value_or("")];
  if (keys_ && arrival.key) {
    const auto above = std::upper_bound(key_edges_.begin(), key_edges_.end(), *arrival.key + 1);
    ++key_counts_[static_cast<size_t>(above - key_edges_.begin()) - 1];
  }
}

void MarksCheck::finish_classes(Findings& findings) const {
  uint64_t total = 0;
  for (const auto& [name, count] : class_count_) total += count;
  for (const auto& [name, count] : class_count_) {
    if (class_share_.contains(name)) continue;
    findings.add_exact("classes_chi_square", static_cast<double>(count), 0, total,
                       fmt::format("arrivals of class \"{}\", which the claim does not have", name));
    return;
  }
  std::vector<uint64_t> observed;
  std::vector<double> expected;
  for (const auto& [name, share] : class_share_) {
    const auto found = class_count_.find(name);
    observed.push_back(found == class_count_.end() ? 0 : found->second);
    expected.push_back(std::max(share * static_cast<double>(total), 1e-9));
  }
  findings.add("classes_chi_square", stats::chi_square_test(observed, expected));
}

void MarksCheck::finish_keys(Findings& findings) const {
  uint64_t total = 0;
  for (const uint64_t count : key_counts_) total += count;
  if (total < kFewestArrivals) {
    findings.skip("keys_chi_square", fmt::format("fewer than {} keys", kFewestArrivals), total);
    return;
  }
  if (key_counts_.back() > 0) {
    findings.add_exact("keys_chi_square", static_cast<double>(key_counts_.back()), 0, total,
                       "keys beyond those of the claim");
    return;
  }
  std::vector<double> expected;
  for (size_t k = 0; k + 1 < key_edges_.size(); ++k) {
    const double share = keys_->cdf(static_cast<double>(key_edges_[k + 1]) - 1) -
                         keys_->cdf(static_cast<double>(key_edges_[k]) - 1);
    expected.push_back(std::max(share * static_cast<double>(total), 1e-9));
  }
  const std::vector<uint64_t> observed(key_counts_.begin(), key_counts_.end() - 1);
  stats::TestResult result = stats::chi_square_test(observed, expected);
  result.n = total;
  findings.add("keys_chi_square", result, "popularity by rank");
}

void MarksCheck::finish(Findings& findings) const {
  for (const auto& [name, why] : skipped_) findings.skip(name, why);
  for (const auto* length : {&input_, &output_, &size_}) {
    if (*length) (*length)->finish(findings);
  }
  if (!class_share_.empty()) finish_classes(findings);
  if (keys_) finish_keys(findings);
}

}  // namespace mlq::arrival
