#include "lib/device/asked.h"

#include "lib/base/error.h"

namespace mlq::device {

Device open_asked() {
  if (!available())
    throw environment_error(
        "--device cuda: {}; install the NVIDIA driver and a build of mlq with CUDA, or leave --device out",
        unavailable_reason());
  return open();
}

}  // namespace mlq::device
