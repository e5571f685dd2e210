#include "lib/tune/measure/load_trace.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/replay/plan_reader.h"
#include "lib/tune/measure/tally.h"

namespace mlq::tune {
namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

LoadTrace::LoadTrace(records::Reader& reader, const Ratio& speed) {
  while (reader.next()) {
    if (reader.type() != records::Schema<records::Arrival>::type) {
      reader.pass_over();
      continue;
    }
    const auto arrival = reader.as<records::Arrival>();
    if (arrival.t_ns < 0)
      throw input_error("{}: t_ns is {}; a trace begins at 0", reader.where(), arrival.t_ns);
    if (text_.size() + reader.text().size() > kMostBytes) {
      throw input_error("{}: the trace is larger than 4 GiB; cut it with mlq-loadgen xform", reader.where());
    }
    has_episodes_ = has_episodes_ && arrival.episode;
    places_.push_back({replay::on_the_wall(arrival.t_ns, speed), text_.size(),
                       arrival.episode.value_or(kNone), arrival.segment.value_or(kNone)});
    text_ += reader.text();
    text_ += '\n';
  }
  reader.finish();
  if (places_.empty())
    throw input_error("{}: there is no arrival in it; make a trace with mlq-loadgen gen", reader.name());
  text_.append(jsonl::kLinePadding, '\0');
  std::stable_sort(places_.begin(), places_.end(),
                   [](const Place& a, const Place& b) { return a.due_ns < b.due_ns; });

  const auto n = static_cast<int64_t>(places_.size());
  const int64_t last = places_.back().due_ns;
  if (reader.end() && reader.end()->duration_ns)
    round_ns_ = replay::on_the_wall(*reader.end()->duration_ns, speed);
  // The next round's first arrival follows the last of this one by a mean gap.
  if (round_ns_ <= last) round_ns_ = last + (n > 1 ? last / (n - 1) : 0);
  if (round_ns_ <= 0) round_ns_ = kSecond;
}

uint64_t LoadTrace::first_from(int64_t t_ns) const {
  const auto round = static_cast<uint64_t>(t_ns / round_ns_);
  const int64_t within = t_ns % round_ns_;
  const auto at = std::lower_bound(places_.begin(), places_.end(), within,
                                   [](const Place& place, int64_t t) { return place.due_ns < t; });
  return round * size() + static_cast<uint64_t>(at - places_.begin());
}

records::Arrival LoadTrace::arrival(uint64_t k) const {
  const Place& place = places_[k % size()];
  const size_t end = text_.find('\n', place.text);
  jsonl::ObjectParser parser;
  parser.parse(std::string_view(text_).substr(place.text, end - place.text));
  records::Arrival out;
  records::read_record(parser.members(), out);  // it was read before without a fault
  if (!out.i) out.i = k % size();
  return out;
}

std::string LoadTrace::segment(uint64_t k) const {
  const uint32_t segment = places_[k % size()].segment;
  return segment == kNone ? std::string() : std::to_string(segment);
}

uint64_t LoadTrace::episode_end(uint64_t k) const {
  const uint64_t round_end = (k / size() + 1) * size();
  const uint32_t episode = places_[k % size()].episode;
  while (k < round_end && places_[k % size()].episode == episode) ++k;
  return k;
}

WindowSource::Upcoming LoadTrace::describe(int64_t from_ns, int64_t to_ns) const {
  WindowSource::Upcoming out;
  const uint64_t first = first_from(from_ns);
  const uint64_t last = first_from(to_ns);
  out.segment = segment(first);
  if (to_ns <= from_ns || first == last) return out;
  out.rate_per_s = static_cast<double>(last - first) * 1e9 / static_cast<double>(to_ns - from_ns);
  out.cv2 = gap_cv2([&](uint64_t k) { return due_ns(first + k); }, last - first);
  return out;
}

}  // namespace mlq::tune
