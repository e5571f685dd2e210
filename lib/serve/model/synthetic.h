// Models with nothing behind them: `noop` answers at once, `sleep` after a time that is known.
#pragma once

#include <memory>

#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// `output`, a zero a row. With `echo` also `tag`, in front: the first value of the row, so that an answer
// that went to the wrong client shows.
std::unique_ptr<Model> make_noop(bool echo);
// The same answers after sleep_time(), or not at all: see SleepOptions.
std::unique_ptr<Model> make_sleep(bool echo);

// How long a batch takes. Pure; the draws are keyed by seed and the number of the batch. At most a day.
int64_t sleep_time(const Conditions& conditions, size_t rows);

}  // namespace mlq::serve::model
