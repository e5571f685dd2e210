#include "lib/replay/lane.h"

#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::replay {

bool ResultFilter::keeps(const records::Result& result) const {
  switch (kind) {
    case Kind::all:
      return true;
    case Kind::none:
      return false;
    case Kind::errors:
      return result.outcome != outcome_name(Outcome::ok);
    case Kind::sample:
      return RandomStream(seed, Purpose::reservoir).uniform(result.i) <
             static_cast<double>(share.num) / static_cast<double>(share.den);
  }
  return true;
}

ResultFilter parse_result_filter(std::string_view text) {
  constexpr std::string_view sample = "sample:";
  ResultFilter filter;
  if (text == "all") return filter;
  if (text == "errors") {
    filter.kind = ResultFilter::Kind::errors;
  } else if (text == "none") {
    filter.kind = ResultFilter::Kind::none;
  } else if (text.starts_with(sample)) {
    filter.kind = ResultFilter::Kind::sample;
    filter.share = parse_ratio(text.substr(sample.size()));
    if (filter.share.num > filter.share.den) throw usage_error("\"{}\": a share is at most 1", text);
  } else {
    throw usage_error("\"{}\" must be all, errors, none or sample:SHARE, as in sample:1%", text);
  }
  return filter;
}

void Lane::result(records::Result&& result) {
  done_.fetch_add(1, std::memory_order_relaxed);
  if (!filter_.keeps(result)) return;
  if (!ring_.put(std::move(result))) dropped_.fetch_add(1, std::memory_order_relaxed);
}

void Lane::windows(ClosedWindows&& closed) {
  const std::lock_guard lock(closing_);
  closed_.push_back(std::move(closed));
}

std::vector<ClosedWindows> Lane::take_windows() {
  const std::lock_guard lock(closing_);
  return std::exchange(closed_, {});
}

}  // namespace mlq::replay
