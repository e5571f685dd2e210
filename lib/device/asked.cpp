#include "lib/device/asked.h"

#include "lib/base/error.h"

namespace mlq::device {

Device open_asked(unsigned number) {
  const std::vector<DeviceInfo> usable = devices();
  if (usable.empty())
    throw environment_error(
        "--device cuda: {}; install the NVIDIA driver and a build of mlq with CUDA, or leave --device out",
        unavailable_reason());
  return open(usable[number % usable.size()].index);
}

}  // namespace mlq::device
