// Waiting until something happens in a folder or below it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "lib/base/fd.h"
#include "lib/base/stop.h"

namespace mlq::simigrad {

// The kernel's notification (inotify), where there is any: not of what other machines do on a network file
// system, and not when its user's watches are used up. So a wait is to have an end. Not thread-safe.
class FolderEvents {
 public:
  explicit FolderEvents(std::string folder);
  // Takes in folders that are new. Call it before the folder is listed: what comes later ends the next wait.
  void cover();
  // Until a file in a covered folder was closed by its writer or renamed to its name, a folder was made or
  // moved, `ns` have gone by, or a stop was requested. True in the first case.
  bool wait(int64_t ns, const StopFlag& stop);

 private:
  void add(const std::string& folder);
  bool take_events();

  std::string folder_;
  Fd events_;
  std::map<std::string, int> watches_;  // by folder
};

}  // namespace mlq::simigrad
