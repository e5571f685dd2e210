// A device that the user asked for.
#pragma once

#include "lib/device/device.h"

namespace mlq::device {

// The device of that number among the usable ones, counted round, for `--device cuda`: where none can be used
// the environment Error says what to do about it.
Device open_asked(unsigned number = 0);

}  // namespace mlq::device
