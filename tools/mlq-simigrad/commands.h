// The commands of mlq-simigrad, a source each, and what they have in common. A command owns its arguments.
#pragma once

#include "lib/cli/program.h"

namespace mlq::tools {}  // namespace mlq::tools
