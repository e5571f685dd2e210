#include "lib/arrival/process/marks.h"

#include <algorithm>
#include <limits>

#include "lib/arrival/import/import.h"
#include "lib/base/error.h"
#include "lib/base/fixed.h"

namespace mlq::arrival {
namespace {

// Places of the variates of one attempt among the draws of purpose `lengths`.
constexpr uint32_t kInput = 0;
constexpr uint32_t kOutput = kDrawsPerVariate;
constexpr uint32_t kSize = 2 * kDrawsPerVariate;
constexpr uint32_t kRow = 3 * kDrawsPerVariate;
constexpr uint32_t kAttempt = 4 * kDrawsPerVariate;
constexpr uint32_t kMostAttempts = 1000;

uint32_t to_tokens(double x) {
  return static_cast<uint32_t>(std::clamp(x, 0.0, static_cast<double>(std::numeric_limits<uint32_t>::max())));
}

double weight_of(std::string_view text) {
  try {
    return parse_double(text);
  } catch (const Error& error) {
    throw usage_error("--class-mix: {}", error.what());
  }
}

}  // namespace

const std::vector<std::string_view>& mark_settings() {
  static const std::vector<std::string_view> names = {
      "class-mix", "input-tokens", "output-tokens", "size-bytes", "lengths", "context", "keys", "churn"};
  return names;
}

Marks::Marks(const Settings& settings, uint64_t seed, uint32_t stream)
    : class_random_(seed, Purpose::klass),
      length_random_(seed, Purpose::lengths),
      key_random_(seed, Purpose::keys),
      stream_(stream),
      input_tokens_(settings.law("input-tokens", LawUse::count)),
      output_tokens_(settings.law("output-tokens", LawUse::count)),
      size_bytes_(settings.law("size-bytes", LawUse::count)) {
  if (const auto text = settings.text("class-mix")) read_classes(*text);
  if (const auto path = settings.text("lengths")) {
    if (input_tokens_ || output_tokens_) {
      throw usage_error(
          "--lengths draws input and output together; leave out --input-tokens and --output-tokens");
    }
    rows_ = std::make_shared<const std::vector<std::pair<uint32_t, uint32_t>>>(read_lengths(*path));
    if (rows_->empty()) throw input_error("{}: there are no lengths in it", *path);
  }
  if (const auto text = settings.text("context")) read_context(*text);
  read_keys(settings);
  any_ = !classes_.empty() || input_tokens_ || output_tokens_ || size_bytes_ || rows_ || keys_;
}

void Marks::read_classes(const std::string& text) {
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const size_t colon = item.rfind(':');
    if (colon == 0 || colon == item.npos) {
      throw usage_error("--class-mix: \"{}\" must be NAME:WEIGHT, as in chat:3,code:1", item);
    }
    const double weight = weight_of(item.substr(colon + 1));
    if (!(weight > 0))
      throw usage_error("--class-mix: the weight of \"{}\" must be positive", item.substr(0, colon));
    classes_.push_back({std::string(item.substr(0, colon)), total += weight});
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  }
  if (classes_.empty()) throw usage_error("--class-mix is empty; write it as in chat:3,code:1");
  for (Class& entry : classes_) entry.upto /= total;
}

void Marks::read_context(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string rule = colon == text.npos ? "truncate" : text.substr(colon + 1);
  uint64_t cap = 0;
  try {
    cap = parse_count(std::string_view(text).substr(0, colon));
  } catch (const Error& error) {
    throw usage_error("--context: {}", error.what());
  }
  if (cap < 2 || cap > std::numeric_limits<uint32_t>::max()) {
    throw usage_error("--context: {} is out of range; it must be from 2 to 2^32-1", cap);
  }
  context_ = static_cast<uint32_t>(cap);
  if (rule == "truncate")
    context_rule_ = ContextRule::truncate;
  else if (rule == "drop")
    context_rule_ = ContextRule::drop;
  else if (rule == "resample")
    context_rule_ = ContextRule::resample;
  else
    throw usage_error("--context: \"{}\" must be truncate, drop or resample", rule);
  if (!rows_ && !(input_tokens_ && output_tokens_)) {
    throw usage_error("--context needs lengths: --lengths, or --input-tokens and --output-tokens");
  }
}

void Marks::read_keys(const Settings& settings) {
  const auto text = settings.text("keys");
  const auto churn = settings.text("churn");
  if (!text) {
    if (churn) throw usage_error("--churn moves keys; it needs --keys");
    return;
  }
  // Two forms, so that the number of keys can be read here.
  std::string_view rest = *text;
  const size_t comma = rest.find(',');
  const std::string_view first = rest.substr(0, comma);
  const std::string_view second = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  if (first.starts_with("zipf:s=") && second.starts_with("n="))
    rest = second.substr(2);
  else if (first.starts_with("zipf:n=") && second.starts_with("s="))
    rest = first.substr(7);
  else
    throw usage_error("--keys: \"{}\" must be zipf:s=S,n=N, as in zipf:s=1.1,n=1000000", *text);
  keys_ = settings.law("keys", LawUse::count);
  key_count_ = parse_count(rest);
  if (churn) churn_ = *settings.rate("churn");
}

Marks::Lengths Marks::draw_lengths(uint64_t index, uint32_t attempt) const {
  const Draws draws{&length_random_, index, stream_, attempt * kAttempt};
  if (rows_) {
    const double u = draws.at(kRow).a;
    const auto k = std::min(static_cast<size_t>(u * static_cast<double>(rows_->size())), rows_->size() - 1);
    return {(*rows_)[k].first, (*rows_)[k].second};
  }
  Lengths lengths{0, 0};
  if (input_tokens_) lengths.input = to_tokens(input_tokens_->sample(draws.offset(kInput)));
  if (output_tokens_) lengths.output = to_tokens(output_tokens_->sample(draws.offset(kOutput)));
  return lengths;
}

bool Marks::apply_lengths(uint64_t index, records::Arrival& arrival) const {
  Lengths lengths = draw_lengths(index, 0);
  const auto over = [&] { return context_ > 0 && uint64_t{lengths.input} + lengths.output > context_; };
  if (over() && context_rule_ == ContextRule::drop) return false;
  for (uint32_t attempt = 1; over() && context_rule_ == ContextRule::resample && attempt < kMostAttempts;
       ++attempt) {
    lengths = draw_lengths(index, attempt);
  }
  if (over()) {
    lengths.input = std::min(lengths.input, context_ - 1);
    lengths.output = context_ - lengths.input;
  }
  if (input_tokens_ || rows_) arrival.input_tokens = lengths.input;
  if (output_tokens_ || rows_) arrival.output_tokens = lengths.output;
  return true;
}

bool Marks::apply(uint64_t index, int64_t t_ns, records::Arrival& arrival) const {
  if (!classes_.empty()) {
    const double u = class_random_.uniform(index, 0, stream_);
    const auto at =
        std::find_if(classes_.begin(), classes_.end() - 1, [u](const Class& c) { return u < c.upto; });
    arrival.klass = at->name;
  }
  if ((input_tokens_ || output_tokens_ || rows_) && !apply_lengths(index, arrival)) return false;
  if (size_bytes_) {
    arrival.size_bytes = static_cast<uint64_t>(
        std::clamp(size_bytes_->sample({&length_random_, index, stream_, kSize}), 0.0, 0x1p53));
  }
  if (keys_) {
    const auto rank = static_cast<uint64_t>(keys_->sample({&key_random_, index, stream_})) - 1;
    const u128 shift = u128{static_cast<uint64_t>(t_ns)} * churn_.events / churn_.ns;
    arrival.key = static_cast<uint64_t>((rank + shift) % key_count_);
  }
  return true;
}

}  // namespace mlq::arrival
