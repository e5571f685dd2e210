// One trial: decide on disk, apply, read back, settle, measure, put back what must not stay. The one place
// where an endpoint is changed; search, measure, sweep and live all go through it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/tune/drive/emitter.h"
#include "lib/tune/drive/endpoint.h"
#include "lib/tune/learn/history.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

struct TurnOptions {
  WindowPlan window;
  int64_t settle_ns = 1'000'000'000;  // at least; the endpoint may ask for more
  int64_t quiesce_ns = 60'000'000'000;
  bool timing = false;  // wall times of decisions
};

struct TurnRequest {
  uint64_t i = 0;
  PointId point = 0;
  std::string level = "single";
  std::string phase = "explore";
  std::string tuner;
  std::string reason;
  std::optional<Choice> choice;       // for the trial's record
  std::optional<double> incumbent_y;  // what the watch compares with
  std::optional<int64_t> decide_ns;
};

struct TurnResult {
  records::Trial trial;  // not written yet: the caller adds what it learnt
  Observation row;       // without its level's id
  Window window;
  Objective::Value value;
  bool stopped = false;  // a signal ended it
  bool foreign = false;  // somebody else had changed the endpoint
  bool lied = false;     // it answered well and did not apply
};

// Void windows in a row. Three in which the endpoint did not take what it was told are enough; of windows
// that this machine could not send as planned ten, since others may keep it busy for a while.
class Voids {
 public:
  // An environment Error, beginning with `name`, when there are enough.
  void add(const TurnResult& result, const std::string& name);

 private:
  uint32_t endpoint_ = 0, machine_ = 0;
};

// Not thread-safe.
class Turn {
 public:
  // Makes the watch of a window; may return one without `look`.
  using WatchMaker = std::function<WindowWatch(const TurnRequest&)>;

  // All references must outlive it. `now` is the clock of the records' t_ns, which count from `origin_ns`.
  Turn(const TurnOptions& options, const Objective& objective, Endpoint& endpoint, Emitter& emitter,
       const Clock& clock, int64_t origin_ns, const StopFlag& stop,
       const std::function<void(const std::string&)>& notice);

  void set_watch(WatchMaker maker) { watch_ = std::move(maker); }

  // Knobs without influence stay at these values, instead of the first of their lists.
  void set_idle(Config live) { idle_ = std::move(live); }
  // What is set now and known to work; goes back there when a trial fails. Taken as it is: nothing is sent.
  void set_current(PointId point) { current_ = good_ = point; }
  void set_good(PointId point) { good_ = point; }
  // None also of a server that was started here and has ended.
  std::optional<PointId> current() const {
    return endpoint_.actuator->death().empty() ? current_ : std::nullopt;
  }
  PointId good() const { return good_; }

  // Errors: environment if the journal cannot take the decision (nothing is applied), or if the endpoint
  // could not be put back (event actuator_failed).
  TurnResult run(const TurnRequest& request);
  // Writes a decision and sets `point`, without measuring; false if that did not work, and `note` why. Even
  // after a signal, if `ignore_stop`.
  bool set(uint64_t i, const std::string& level, PointId point, const std::string& reason, bool ignore_stop,
           std::string* note = nullptr);
  // Puts the last good configuration back, whatever the stop flag says, and says so in an event. An
  // environment Error if that fails.
  void revert(uint64_t i, const std::string& reason);
  // Whether what is set now is what was set last; where it is not, writes an event foreign_change and takes
  // what was read as current (if it is a point of the space). Endpoints that cannot be read are trusted.
  bool unchanged(uint64_t i);
  // Whether that is what is read back.
  bool holds(PointId point);

  void event(const std::string& name, std::optional<uint64_t> i, std::optional<PointId> point,
             const std::string& reason, const std::string& from = {}, const std::string& to = {});
  int64_t t_ns() const { return clock_.now_ns() - origin_ns_; }
  uint64_t reverts() const { return reverts_; }

 private:
  Config wanted(PointId point) const;
  Applied apply(PointId point, bool ignore_stop);
  void write_decision(const TurnRequest& request);
  // A server that ended by itself is not what was set any more, so that it is set anew; event `died`.
  void note_death(uint64_t i);
  void measure(const TurnRequest& request, const Applied& applied, TurnResult& result);
  void judge(const TurnRequest& request, TurnResult& result) const;

  const TurnOptions options_;
  const Objective& objective_;
  Endpoint& endpoint_;
  Emitter& emitter_;
  const Clock& clock_;
  const int64_t origin_ns_;
  const StopFlag& stop_;
  std::function<void(const std::string&)> notice_;
  WatchMaker watch_;
  std::optional<PointId> current_;
  PointId good_ = 0;
  std::string gen_;  // of what is set
  Config idle_;
  uint64_t reverts_ = 0;
};

// A watch by the abort rules: windows that are unstable, or surely worse than the incumbent, end early; with
// `guard` also those that hurt (of a live endpoint).
Turn::WatchMaker abort_watch(const Objective& objective, std::optional<double> guard_error_rate = {});

// The configuration to go back to: what the file says, else what is set now (`live`). An input Error if
// neither is known. What is no point of the space is stood for by the nearest, with a notice.
PointId start_of(const Endpoint& endpoint, const std::optional<Config>& live,
                 const std::function<void(const std::string&)>& notice);

// The row that a trial's record stands for: the way back from a journal. `space` must know its configuration;
// none if it does not, or if the trial was void.
std::optional<Observation> observation_of(const records::Trial& trial, const Space& space,
                                          const Objective& objective);

}  // namespace mlq::tune
