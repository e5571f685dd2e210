#include "lib/replay/plan_reader.h"

#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <queue>
#include <thread>

#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::replay {
namespace {

// Arrivals that may come before others which are due earlier.
constexpr size_t kReorder = 65'536;
constexpr size_t kReorderBytes = size_t{64} << 20;
constexpr size_t kArenaBytes = size_t{1} << 20;
constexpr auto kFullSleep = std::chrono::milliseconds(1);

size_t text_size(const records::Arrival& a) {
  return sizeof a + (a.prompt ? a.prompt->size() : 0) + (a.body ? a.body->size() : 0) +
         (a.prefix_ids ? 8 * a.prefix_ids->size() : 0);
}

}  // namespace

uint64_t ShardRule::place(const records::Arrival& arrival, uint64_t i) {
  if (!arrival.conversation) return i;
  return XXH3_64bits(arrival.conversation->data(), arrival.conversation->size());
}

PlanReader::PlanReader(records::Reader& reader, const Template& requests, const PlanReaderOptions& options,
                       std::vector<PlanRing*> rings, const StopFlag& stop)
    : reader_(reader), template_(requests), options_(options), rings_(std::move(rings)), stop_(stop) {}

int64_t on_the_wall(int64_t t_ns, const Ratio& speed) {
  __extension__ using Wide = __int128;
  const Wide due = Wide{t_ns} * speed.den / speed.num;
  return static_cast<int64_t>(std::min(due, Wide{kLatestDue}));
}

// The next arrival of the trace, whosever it is.
bool PlanReader::read(Held& held) {
  while (!ended_) {
    if (!std::exchange(at_first_, false) && !reader_.next()) {
      ended_ = true;
      break;
    }
    if (reader_.type() != records::Schema<records::Arrival>::type) {
      reader_.pass_over();
      continue;
    }
    held.arrival = reader_.as<records::Arrival>();
    held.i = held.arrival.i.value_or(facts_.count);
    hash_.update(reader_.text());
    hash_.update("\n");
    ++facts_.count;
    facts_.i_digest += mix64(held.i);
    const records::Arrival& a = held.arrival;
    if (a.t_ns < 0) throw input_error("{}: t_ns is {}; a trace begins at 0", reader_.where(), a.t_ns);
    if (a.after_i && *a.after_i >= held.i) {
      throw input_error("{}: after_i is {}, and the request itself {}; it must follow an earlier one",
                        reader_.where(), *a.after_i, held.i);
    }
    return true;
  }
  return false;
}

Planned PlanReader::render(const Held& held) {
  const records::Arrival& a = held.arrival;
  Planned planned;
  planned.i = held.i;
  planned.t_ns = a.t_ns;
  planned.due_ns = on_the_wall(a.t_ns);
  if (planned.due_ns == kLatestDue)
    throw usage_error("--speed: at this pace the trace takes more than a hundred years");
  scratch_.clear();
  const RequestLine line = template_.render(a, held.i, scratch_);
  // One arena holds all three, so that it lives as long as each.
  const size_t size = line.method.size() + line.target.size() + scratch_.size();
  if (!arena_ || arena_->room() < size)
    arena_ = std::make_shared<Arena>(std::max(kArenaBytes, size), held_bytes_);
  planned.method = arena_->keep(line.method);
  planned.target = arena_->keep(line.target);
  planned.body = arena_->keep(scratch_.view());
  planned.arena = arena_;
  planned.klass = a.klass;
  planned.conversation = a.conversation;
  planned.key = a.key;
  planned.episode = a.episode;
  planned.deadline_ns = a.deadline_ns;
  return planned;
}

// False after a request to stop.
bool PlanReader::wait_for_room(const PlanRing& ring) {
  while (ring.full() || held_bytes_ > options_.buffer_bytes) {
    primed_.store(true, std::memory_order_release);
    if (stop_) return false;
    arena_.reset();  // our own hold on it would keep a large one for ever
    std::this_thread::sleep_for(kFullSleep);
  }
  return !stop_;
}

void PlanReader::put(const Held& held) {
  if (held.arrival.t_ns < last_t_ns_) {
    if (!primed()) {
      throw input_error("{}: t_ns {} comes after {}, too far out of order; sort it with mlq-loadgen xform",
                        reader_.where(), held.arrival.t_ns, last_t_ns_);
    }
    facts_.late = true;
  }
  last_t_ns_ = std::max(last_t_ns_, held.arrival.t_ns);
  if (!options_.rule.owns(held.arrival, held.i)) return;
  PlanRing& ring = *rings_[options_.rule.thread_of(held.arrival, held.i)];
  if (!wait_for_room(ring)) {
    ++facts_.unsent;
    return;
  }
  ring.put(render(held));
}

void PlanReader::read_sorted(std::vector<Held>&& first) {
  for (const Held& held : first) put(held);
  first.clear();
  Held held;
  while (!stop_ && read(held)) put(held);
}

void PlanReader::read_unsorted(std::vector<Held>&& first) {
  const auto later = [](const Held& a, const Held& b) {
    return std::tie(a.arrival.t_ns, a.i) > std::tie(b.arrival.t_ns, b.i);
  };
  std::make_heap(first.begin(), first.end(), later);
  Held held;
  while (!first.empty() && !stop_) {
    std::pop_heap(first.begin(), first.end(), later);
    put(first.back());
    first.pop_back();
    if (!read(held)) continue;
    first.push_back(std::move(held));
    std::push_heap(first.begin(), first.end(), later);
  }
}

void PlanReader::read_all() {
  std::vector<Held> first;
  size_t bytes = 0;
  for (Held held; first.size() < kReorder && bytes < kReorderBytes && !stop_ && read(held);) {
    bytes += text_size(held.arrival);
    first.push_back(std::move(held));
  }
  const bool sorted = std::is_sorted(first.begin(), first.end(), [](const Held& a, const Held& b) {
    return a.arrival.t_ns < b.arrival.t_ns;
  });
  sorted ? read_sorted(std::move(first)) : read_unsorted(std::move(first));
}

void PlanReader::run() {
  try {
    read_all();
    try {
      if (!stop_) reader_.finish();
    } catch (...) {
      facts_.cut = std::current_exception();
    }
  } catch (...) {
    facts_.failure = std::current_exception();
  }
  facts_.xxh3 = hash_.hex();
  facts_.last_due_ns = on_the_wall(last_t_ns_);
  if (reader_.end() && reader_.end()->duration_ns)
    facts_.duration_ns = on_the_wall(*reader_.end()->duration_ns);
  for (PlanRing* ring : rings_) ring->end(facts_.last_due_ns);
  primed_.store(true, std::memory_order_release);
}

}  // namespace mlq::replay
