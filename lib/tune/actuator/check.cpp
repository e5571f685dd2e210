#include "lib/tune/actuator/check.h"

#include <algorithm>
#include <limits>

#include "lib/base/error.h"

namespace mlq::tune {
namespace {

// The values of `wanted` that are another in `found`; knobs that cannot be read are passed over.
std::string difference(const Config& wanted, const Config& found) {
  std::string out;
  for (const auto& [name, value] : wanted)
    for (const auto& [found_name, is] : found)
      if (name == found_name && !same_value(value, is))
        out += fmt::format("{}{} is {}, not {}", out.empty() ? "" : ", ", name, serve::knob_text(is),
                           serve::knob_text(value));
  return out;
}

class Check {
 public:
  Check(Actuator& actuator, const Space& space, const Clock& clock, const StopFlag& stop)
      : actuator_(actuator), space_(space), clock_(clock), stop_(stop) {}

  ActuatorCheck run(const std::optional<Config>& start) {
    const PointId present = find_present(start);
    out_.present = present;
    if (set("apply", present, false)) {
      if (const auto neighbour = cheapest_neighbour(present)) {
        out_.apply_class = space_.apply_class(present, *neighbour);
        set("neighbour", *neighbour, false);
      }
    }
    set("revert", present, true);
    return std::move(out_);
  }

 private:
  void add(const char* step, bool ok, int64_t begin, std::string note) {
    records::CheckStep row;
    row.step = step;
    row.ok = ok;
    row.took_ns = clock_.now_ns() - begin;
    if (!note.empty()) row.note = std::move(note);
    out_.steps.push_back(std::move(row));
  }

  PointId find_present(const std::optional<Config>& start) {
    const int64_t begin = clock_.now_ns();
    const std::optional<Config> read = actuator_.read(stop_);
    if (read) {
      idle_ = *read;
      if (const auto point = space_.find(*read)) {
        add("read", true, begin, config_json(*read));
        return *point;
      }
    }
    if (!start)
      throw input_error("{}; say in \"start\" what is to be set",
                        read ? "what is set is no point of the space: " + config_json(*read)
                             : std::string("what is set cannot be read"));
    add("read", true, begin,
        read ? config_json(*read) + " is no point of the space; \"start\" is taken"
             : "nothing can be read; \"start\" is taken");
    for (const auto& knob : *start)
      if (std::ranges::none_of(idle_, [&](const auto& k) { return k.first == knob.first; }))
        idle_.push_back(knob);
    return space_.nearest(*start);
  }

  std::optional<PointId> cheapest_neighbour(PointId point) const {
    std::optional<PointId> best;
    for (const PointId neighbour : space_.neighbours(point))
      if (!best || space_.apply_class(point, neighbour) < space_.apply_class(point, *best)) best = neighbour;
    return best;
  }

  bool set(const char* step, PointId point, bool ignore_stop) {
    const Config config = space_.config(point, idle_);
    const int64_t begin = clock_.now_ns();
    Applied applied = actuator_.apply(config, stop_, ignore_stop);
    if (applied.result == ApplyResult::applied) {
      out_.apply_ns = std::max(out_.apply_ns, applied.apply_ns);
      const std::optional<Config> read = actuator_.read(StopFlag());
      const std::string other = read ? difference(config, *read) : "";
      if (!other.empty()) applied = {ApplyResult::not_applied, "read back: " + other, "", "", 0, {}};
    }
    const bool ok = applied.result == ApplyResult::applied;
    add(step, ok, begin,
        ok ? config_json(config) +
                 (applied.verified == "none" ? ", not verified" : ", verified by " + applied.verified)
           : fmt::format("{}: {}", apply_result_name(applied.result), applied.note));
    if (!ok && !out_.failure) out_.failure = applied.result;
    return ok;
  }

  Actuator& actuator_;
  const Space& space_;
  const Clock& clock_;
  const StopFlag& stop_;
  Config idle_;  // of knobs without influence
  ActuatorCheck out_;
};

}  // namespace

ActuatorCheck check_actuator(Actuator& actuator, const Space& space, const std::optional<Config>& start,
                             const Clock& clock, const StopFlag& stop) {
  return Check(actuator, space, clock, stop).run(start);
}

}  // namespace mlq::tune
