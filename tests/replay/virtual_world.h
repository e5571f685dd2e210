// A clock that moves when somebody waits and not by itself, an engine whose answers are computed, and a plan
// in memory: a sending thread runs on them exactly, and in no time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "lib/replay/shard.h"

namespace mlq::replay::test {

class VirtualClock final : public Clock {
 public:
  int64_t now_ns() const override { return now_ += look_ns_; }
  void advance_to(int64_t ns) { now_ = std::max(now_, ns); }
  // From now on every look at the clock takes so long.
  void let_looks_take(int64_t ns) { look_ns_ = ns; }

 private:
  mutable int64_t now_ = 0;
  int64_t look_ns_ = 0;
};

// What the simulated server does with one request.
struct Reaction {
  int64_t after_ns = 0;  // from the send until the answer is whole; negative: never
  http::Fault fault = http::Fault::none;
  std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  std::string body = {};
};

// Answers are due at computed times; poll() moves the clock there.
class SimulatedEngine final : public http::ClientEngine {
 public:
  // `react(target, send_ns)`, called at the send.
  using React = std::function<Reaction(std::string_view target, int64_t send_ns)>;
  SimulatedEngine(VirtualClock& clock, React react) : clock_(clock), react_(std::move(react)) {}
  void attach(http::ClientEvents& events) { events_ = &events; }

  void submit(uint32_t tag, const http::ClientRequest& request) override {
    const int64_t now = clock_.now_ns();
    targets.emplace_back(request.target);
    events_->on_send(tag, now, {});
    Reaction reaction = react_(request.target, now);
    if (reaction.after_ns >= 0) due_.emplace(now + reaction.after_ns, std::pair(tag, std::move(reaction)));
  }
  void cancel(uint32_t tag) override {
    cancelled.push_back(tag);
    std::erase_if(due_, [&](const auto& entry) { return entry.second.first == tag; });
  }
  void poll(int64_t until_ns) override {
    if (due_.empty() || due_.begin()->first > until_ns) return clock_.advance_to(until_ns);
    const auto [at, what] = *due_.begin();
    due_.erase(due_.begin());
    clock_.advance_to(at);
    const auto& [tag, reaction] = what;
    if (reaction.fault == http::Fault::none) {
      for (std::string_view head = reaction.head; !head.empty();) {
        const size_t end = std::min(head.find('\n'), head.size() - 1) + 1;
        events_->on_header(tag, head.substr(0, end), at);
        head.remove_prefix(end);
      }
      if (!reaction.body.empty()) events_->on_body(tag, reaction.body, at);
    }
    events_->on_done(tag, at, {reaction.fault, reaction.fault == http::Fault::none ? "" : "simulated"}, true);
  }

  std::vector<std::string> targets;  // in the order of the sends
  std::vector<uint32_t> cancelled;

 private:
  VirtualClock& clock_;
  React react_;
  http::ClientEvents* events_ = nullptr;
  std::multimap<int64_t, std::pair<uint32_t, Reaction>> due_;
};

class ListPlan final : public PlanSource {
 public:
  explicit ListPlan(std::deque<Planned> plan) : plan_(std::move(plan)) {
    for (const Planned& p : plan_) last_ = std::max(last_, p.due_ns);
  }
  Planned* next() override { return plan_.empty() ? nullptr : &plan_.front(); }
  void pop() override { plan_.pop_front(); }
  bool ended() const override { return true; }
  int64_t last_due_ns() const override { return last_; }

 private:
  std::deque<Planned> plan_;
  int64_t last_ = 0;
};

class KeptResults final : public ResultSink {
 public:
  void result(records::Result&& result) override { results.push_back(std::move(result)); }
  void windows(ClosedWindows&& windows) override { closed.push_back(std::move(windows)); }

  std::vector<records::Result> results;
  std::vector<ClosedWindows> closed;
};

}  // namespace mlq::replay::test
