#include "lib/tune/measure/window_plan.h"

#include <algorithm>

namespace mlq::tune {
namespace {

constexpr size_t kArenaBytes = size_t{1} << 18;

}  // namespace

WindowRequests::WindowRequests(const LoadTrace& trace, const replay::Template& form, const Stretch& stretch,
                               std::vector<Sample>& samples)
    : trace_(trace),
      form_(form),
      stretch_(stretch),
      samples_(samples),
      at_(stretch.first),
      leading_(stretch.lead_in && stretch.settle_ns > 0) {
  first_counted_ = stretch.lead_in
                       ? stretch.first
                       : std::max(stretch.first, trace.first_from(stretch.origin_ns + stretch.settle_ns));
  prepare();
}

int64_t WindowRequests::due_of(uint64_t k, bool leading) const {
  const int64_t from_start = trace_.due_ns(k) - stretch_.origin_ns;
  return stretch_.lead_in && !leading ? from_start + stretch_.settle_ns : from_start;
}

bool WindowRequests::allowed(uint64_t k, bool leading) const {
  const int64_t due = due_of(k, leading);
  return k < stretch_.end && due < (leading ? stretch_.settle_ns : stretch_.until_ns);
}

// Renders the next request, if there is one.
void WindowRequests::prepare() {
  ready_ = allowed(at_, leading_);
  if (!ready_ && leading_) {
    leading_ = false;
    at_ = stretch_.first;
    ready_ = allowed(at_, leading_);
  }
  if (!ready_) return;
  const records::Arrival arrival = trace_.arrival(at_);
  body_.clear();
  const replay::RequestLine line = form_.render(arrival, *arrival.i, body_);
  const size_t size = line.method.size() + line.target.size() + body_.size();
  if (!arena_ || arena_->room() < size)
    arena_ = std::make_shared<replay::Arena>(std::max(kArenaBytes, size), held_bytes_);
  planned_ = {};
  planned_.i = at_;
  planned_.due_ns = due_of(at_, leading_);
  planned_.t_ns = planned_.due_ns;
  planned_.method = arena_->keep(line.method);
  planned_.target = arena_->keep(line.target);
  planned_.body = arena_->keep(body_.view());
  planned_.arena = arena_;
  planned_.klass = arrival.klass;
  planned_.conversation = arrival.conversation;
  planned_.key = arrival.key;
  planned_.episode = arrival.episode;
  planned_.deadline_ns = arrival.deadline_ns;
}

void WindowRequests::pop() {
  const int64_t due = due_of(at_, leading_);
  if (due >= stretch_.settle_ns) samples_.push_back({.due_ns = due - stretch_.settle_ns});
  ++at_;
  prepare();
}

// An open end becomes one by end_at().
bool WindowRequests::ended() const {
  return !ready_ || stretch_.until_ns != std::numeric_limits<int64_t>::max() ||
         stretch_.end != std::numeric_limits<uint64_t>::max();
}

int64_t WindowRequests::last_due_ns() const {
  uint64_t end = stretch_.end;
  if (stretch_.until_ns != std::numeric_limits<int64_t>::max()) {
    const int64_t settled = stretch_.lead_in ? stretch_.settle_ns : 0;
    const int64_t until = std::max<int64_t>(stretch_.origin_ns + stretch_.until_ns - settled, 0);
    end = std::min(end, trace_.first_from(until));
  }
  return end > stretch_.first ? due_of(end - 1, false) : 0;
}

void WindowRequests::end_at(int64_t until_ns) {
  stretch_.until_ns = std::min(stretch_.until_ns, until_ns);
  ready_ = ready_ && allowed(at_, leading_);
}

void WindowRequests::append_waiting(int64_t now_ns, std::vector<Sample>& out) const {
  if (!ready_ || leading_) return;
  for (uint64_t k = at_; allowed(k, false) && due_of(k, false) < now_ns; ++k) {
    const int64_t due = due_of(k, false);
    if (due < stretch_.settle_ns) continue;
    out.push_back({.due_ns = due - stretch_.settle_ns, .latency_ns = now_ns - due});
  }
}

}  // namespace mlq::tune
