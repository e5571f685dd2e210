// Why a configuration is the choice: what each knob does there, and at which rate the choice changes.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "lib/records/tune.h"
#include "lib/tune/journal/journal.h"
#include "lib/tune/learn/history.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// What was chosen at a level; none: what the tuner would choose now.
using Chosen = std::function<std::optional<PointId>(LevelId)>;
// What the latest search that saw a level says of it, where its configuration is a point of the space.
Chosen chosen_in(const JournalContents& journal, const History& history);

// The expected y when one knob alone takes another value, around the level's choice: a record a value, with
// its 95 % interval. By the tuner's model where it has one, else from the windows of these very points. Knobs
// with one value are left out; none if nothing is known at the level.
std::vector<records::Effect> effects(const History& history, Tuner& tuner, LevelId level,
                                     const Chosen& chosen = nullptr);

// The five one-step neighbours of the choice that are expected to cost least more, best first.
struct Neighbour {
  Config config;
  double loss = 0;  // exp(y - y of the choice) - 1
};
std::vector<Neighbour> nearest_rivals(const History& history, Tuner& tuner, LevelId level,
                                      const Chosen& chosen = nullptr, size_t most = 5);

// Knobs whose value differs between the choices of two levels next to one another in rate; the rate is the
// geometric mean of theirs. By rising rate. Levels of unknown rate are left out.
std::vector<records::Flip> flips(const History& history, Tuner& tuner, const Chosen& chosen = nullptr);

}  // namespace mlq::tune
