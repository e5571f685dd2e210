// A tuner with its settings as one word: rrl-a/estimators=gp/region=none, capes-like/rate=0.001.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/tune/compare/compare.h"

namespace mlq::tune {

// Settings have the names of the options of mlq-tune search. A usage Error for a setting that is not known or
// cannot be read. Whether there is a tuner of that name is seen when it is made.
Contestant parse_contestant(std::string_view text);
// The words between commas.
std::vector<Contestant> parse_contestants(std::string_view text);
// `optuna=python3 optuna_tuner.py`: a command under a name; without one its name is the command.
Contestant parse_external(std::string_view text);

}  // namespace mlq::tune
