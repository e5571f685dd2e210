// Where the modules of mlq lie: shared objects that a program loads only when they are needed.
#pragma once

#include <string>
#include <string_view>

namespace mlq {

// Beside the program: in `lib/mlq` of an installation, or in the folder of the build. It need not be there.
std::string module_path(std::string_view file);

}  // namespace mlq
