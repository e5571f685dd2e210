// Stages that put several traces, or several copies of one, together.
#include <algorithm>
#include <limits>
#include <queue>

#include "lib/arrival/xform/stage_sources.h"
#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

template <class T>
void keep_equal(std::optional<T>& value, const std::optional<T>& other) {
  if (value != other) value.reset();
}

class Looped final : public Wrapper {
 public:
  Looped(SourcePtr in, std::function<SourcePtr()> again, const LoopStage& loop)
      : Wrapper(std::move(in)), again_(std::move(again)), loop_(loop) {
    if (loop_.times == 1u) return;
    about_.epoch_unix_ns.reset();
    about_.tick_ns.reset();  // the period need not be a multiple of it
  }

  bool next(records::Arrival& arrival) override {
    while (!ended_) {
      if (in_->next(arrival)) {
        arrival.t_ns = add_times(arrival.t_ns, start_);
        if (loop_.until_ns && arrival.t_ns >= *loop_.until_ns) break;
        links_.renumber(arrival, count_++);
        return true;
      }
      if (!turn()) break;
    }
    ended_ = true;
    return false;
  }
  int64_t duration_ns() const override { return loop_.until_ns.value_or(start_); }
  std::string truncation() const override { return truncation_; }

 private:
  // Ends a round. False if it was the last.
  bool turn() {
    if (truncation_.empty()) truncation_ = in_->truncation();
    const int64_t period = in_->duration_ns();
    if (round_++ == 0) look_ahead(period);
    if (count_ == 0) return false;
    start_ = add_times(start_, period);
    if (loop_.times ? round_ == *loop_.times : start_ >= *loop_.until_ns) return false;
    in_ = again_();
    links_.clear();
    return true;
  }

  // After the first round: what would end in an error is refused now, and rounds without arrivals, of which
  // there may be many, are not made.
  void look_ahead(int64_t period) {
    int64_t whole = 0;
    if (loop_.times && __builtin_mul_overflow(*loop_.times, period, &whole))
      throw input_error("loop {}: so many rounds of {} are over 2^63 ns; {} are the most", *loop_.times,
                        format_duration(period), std::numeric_limits<int64_t>::max() / period);
    // Without length the rounds fall on each other, and a time is never reached.
    if (loop_.until_ns && period == 0)
      throw input_error("loop: the trace has no length and cannot fill a time");
    if (count_ == 0) start_ = whole;
  }

  std::function<SourcePtr()> again_;
  LoopStage loop_;
  int64_t start_ = 0;
  uint64_t round_ = 0;
  uint64_t count_ = 0;
  bool ended_ = false;
  std::string truncation_;
  Links links_;
};

// What splice and superpose share.
class Joined : public Source {
 public:
  explicit Joined(std::vector<SourcePtr> in) : in_(std::move(in)), about_(in_.front()->about()) {
    for (size_t k = 1; k < in_.size(); ++k) keep_common(about_, in_[k]->about());
  }
  const records::Run& about() const override { return about_; }
  std::string truncation() const override {
    for (const SourcePtr& source : in_) {
      const std::string wrong = source->truncation();
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

 protected:
  std::vector<SourcePtr> in_;
  records::Run about_;
  uint64_t count_ = 0;
};

class Spliced final : public Joined {
 public:
  explicit Spliced(std::vector<SourcePtr> in) : Joined(std::move(in)) { about_.tick_ns.reset(); }

  bool next(records::Arrival& arrival) override {
    for (; at_ < in_.size(); ++at_) {
      if (in_[at_]->next(arrival)) {
        arrival.t_ns = add_times(arrival.t_ns, start_);
        links_.renumber(arrival, count_++);
        return true;
      }
      start_ = add_times(start_, in_[at_]->duration_ns());
      links_.clear();
    }
    return false;
  }
  int64_t duration_ns() const override { return start_; }

 private:
  size_t at_ = 0;
  int64_t start_ = 0;
  Links links_;
};

class Superposed final : public Joined {
 public:
  Superposed(std::vector<SourcePtr> in, bool by_number)
      : Joined(std::move(in)), by_number_(by_number), links_(in_.size()) {
    about_.tick_ns.reset();  // each source may have its own phase
  }

  bool next(records::Arrival& arrival) override {
    if (!started_) start();
    if (heads_.empty()) return false;
    const size_t from = heads_.top().source;
    arrival = std::move(waiting_[from]);
    heads_.pop();
    refill(from);
    links_[from].renumber(arrival, count_++);
    return true;
  }
  int64_t duration_ns() const override {
    int64_t longest = 0;
    for (const SourcePtr& source : in_) longest = std::max(longest, source->duration_ns());
    return longest;
  }

 private:
  struct Head {
    int64_t t_ns;
    uint64_t number;
    size_t source;
    auto operator<=>(const Head&) const = default;
  };

  void start() {
    started_ = true;
    waiting_.resize(in_.size());
    for (size_t k = 0; k < in_.size(); ++k) refill(k);
  }
  void refill(size_t k) {
    if (in_[k]->next(waiting_[k])) heads_.push({waiting_[k].t_ns, by_number_ ? *waiting_[k].i : 0, k});
  }

  bool by_number_;
  bool started_ = false;
  std::vector<records::Arrival> waiting_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  std::vector<Links> links_;
};

}  // namespace

void keep_common(records::Run& about, const records::Run& other) {
  if (about.prefix_block_tokens && other.prefix_block_tokens &&
      about.prefix_block_tokens != other.prefix_block_tokens) {
    throw input_error("prefix blocks of {} and of {} tokens do not mix in one trace",
                      *about.prefix_block_tokens, *other.prefix_block_tokens);
  }
  if (!about.prefix_block_tokens) about.prefix_block_tokens = other.prefix_block_tokens;
  keep_equal(about.epoch_unix_ns, other.epoch_unix_ns);
  keep_equal(about.resolution_ns, other.resolution_ns);
  keep_equal(about.tick_ns, other.tick_ns);
  keep_equal(about.source_name, other.source_name);
  keep_equal(about.source_license, other.source_license);
  keep_equal(about.source_xxh3, other.source_xxh3);
}

SourcePtr make_loop(SourcePtr in, std::function<SourcePtr()> again, const LoopStage& stage) {
  return std::make_unique<Looped>(std::move(in), std::move(again), stage);
}

SourcePtr make_splice(std::vector<SourcePtr> in) { return std::make_unique<Spliced>(std::move(in)); }
SourcePtr make_superpose(std::vector<SourcePtr> in, bool by_number) {
  return std::make_unique<Superposed>(std::move(in), by_number);
}

}  // namespace mlq::arrival
