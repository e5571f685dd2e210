// The other end of external.h: one of our tuners behind standard input and output, for whoever speaks that
// protocol.
#pragma once

#include <functional>
#include <string_view>

#include "lib/base/io.h"
#include "lib/tune/tuner/tuner.h"

namespace mlq::tune {

// Reads lines until the input ends, and hands each answer, without a line feed, to `answer`. The seed is that
// of the space line where it names one. A second space line begins anew. Input Errors name the line.
void serve_stdio(const TunerOptions& tuner, Input input, const std::function<void(std::string_view)>& answer);

}  // namespace mlq::tune
