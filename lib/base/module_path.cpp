#include "lib/base/module_path.h"

#include <filesystem>

namespace mlq {

std::string module_path(std::string_view file) {
  std::error_code error;
  const std::filesystem::path bin = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path installed = bin.parent_path() / "lib" / "mlq" / file;
  return (std::filesystem::exists(installed, error) ? installed : bin / file).string();
}

}  // namespace mlq
