// A device that the user asked for.
#pragma once

#include "lib/device/device.h"

namespace mlq::device {

// open(), for `--device cuda`: where no device can be used, the environment Error says what to do about it.
Device open_asked();

}  // namespace mlq::device
