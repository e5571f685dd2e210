// The text of a histogram, as `COUNT SUM MIN MAX CLAMPED BINS`: refused, or a histogram whose fields are that
// text again.
#include <charconv>

#include "lib/stats/histogram.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

std::string_view word(std::string_view& rest) {
  const size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view first = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return first;
}

template <class T>
T number(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void check_histogram(const stats::HistogramFields& fields) {
  using stats::Histogram;
  const Histogram histogram = Histogram::from_fields(fields);
  MLQ_FUZZ_CLAIM(Histogram::from_fields(histogram.fields()) == histogram);
  MLQ_FUZZ_CLAIM(histogram.count() == fields.count);
  if (histogram.count() == 0) return;
  MLQ_FUZZ_CLAIM(histogram.value_at_rank(1) >= *histogram.min());
  MLQ_FUZZ_CLAIM(histogram.value_at_rank(histogram.count()) <= *histogram.max());
  MLQ_FUZZ_CLAIM(*histogram.mean() >= 0);
  accepted([&] {
    Histogram twice = histogram;
    twice.merge(histogram);
    MLQ_FUZZ_CLAIM(twice.count() == 2 * histogram.count());
    MLQ_FUZZ_CLAIM(twice.quantile({1, 2}) == histogram.quantile({1, 2}));
  });
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  std::string_view rest = text_of(data, size);
  mlq::stats::HistogramFields fields;
  fields.count = number<uint64_t>(word(rest));
  fields.sum = word(rest);
  const std::string_view min = word(rest);
  const std::string_view max = word(rest);
  if (min != "-") fields.min = number<int64_t>(min);
  if (max != "-") fields.max = number<int64_t>(max);
  fields.clamped = number<uint64_t>(word(rest));
  fields.bins = rest;
  accepted([&] { check_histogram(fields); });
  return 0;
}
