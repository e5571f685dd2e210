// What several tuners share: the score of a row, first points, random points, single steps, balls of steps.
#pragma once

#include <optional>
#include <vector>

#include "lib/tune/draws.h"
#include "lib/tune/learn/history.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// What a learner without a model of the constraints minimises: y; where the SLO is broken, y + 1 + the sum of
// the positive slacks, so that a broken SLO counts like 2.7 times the cost and less broken is better.
double score(const Observation& row);

// The live configuration, while nothing was tried at the level and it is not barred.
std::optional<Choice> opening(const History& history, LevelId level);

// A valid point that is not barred, each with the same chance; the start configuration if 1,000 draws found
// none.
PointId draw_allowed(const History& history, Draws& draws);
// Such a point that was never tried at the level; none if all were (of a space that is not listed: if 1,000
// draws found none).
std::optional<PointId> draw_untried(const History& history, LevelId level, Draws& draws);

// The valid point `steps` further along an axis, inactive knobs at their first values; none if it lies
// outside or is not valid. Of an unordered axis the values stand in a ring, so that each can be reached.
std::optional<PointId> moved(const Space& space, PointId from, size_t axis, int steps);

// Valid points within a Euclidean distance, counted in steps of each axis; rising, `centre` among them.
std::vector<PointId> index_ball(const Space& space, PointId centre, double radius);

// The 2 d + 1 moves of an agent that turns one knob by one step: 0 stays; 2 a + 1 and 2 a + 2 turn axis a
// down and up. A move that leads nowhere, or to a barred point, is none: the agent must not choose it.
size_t move_count(const Space& space);
std::optional<PointId> after_move(const History& history, PointId from, size_t move);
// The first move that leads from one point to the other; none if one move does not.
std::optional<size_t> move_between(const History& history, PointId from, PointId to);

}  // namespace mlq::tune
