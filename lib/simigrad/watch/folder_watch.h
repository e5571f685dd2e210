// A folder in which a training job leaves its gradients, looked at from time to time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/records/simigrad.h"
#include "lib/simigrad/dump/dump_set.h"

namespace mlq::simigrad {

struct WatchOptions {
  DumpOptions dumps;
  // How long nothing must have happened to what does not say itself when it is whole: a raw file, and a step
  // whose files do not say how many groups it has.
  int64_t settle_ns = 2'000'000'000;
  int64_t deadline_ns = 60'000'000'000;  // after the first file of a step, for its groups
};

// (incarnation, step).
using StepKey = std::pair<uint64_t, uint64_t>;

// A step that is ready, or one that never will be.
struct WatchedStep {
  StepFiles files;
  uint64_t groups = 0;
  std::vector<records::MissingGroup> missing;  // what never came; else the step is whole
};

// Looks by listing, so that it works on network file systems too. A file counts when its own format says that
// it is whole; names that begin with a dot do not count. Not thread-safe.
class FolderWatch {
 public:
  // Steps up to `done`, if there is one, are passed over.
  FolderWatch(std::string folder, WatchOptions options, std::optional<StepKey> done);

  // What became ready, in the order of the steps: none before an earlier one that is still waited for.
  // `now_ns` is of a steady clock. Environment Errors for a folder that cannot be read.
  std::vector<WatchedStep> look(int64_t now_ns);
  // Files that were not whole, or had no place, when their deadline was over, since the last call; with the
  // reason.
  std::vector<std::string> take_refused() { return std::exchange(refused_, {}); }

 private:
  struct File {
    int64_t first_ns = 0;
    uint64_t size = 0;
    int64_t changed_ns = 0;
    bool placed = false;  // or refused: not looked at again
  };
  struct Waiting {
    StepFiles files;
    std::optional<uint64_t> groups;  // as the files say
    int64_t first_ns = 0;
    int64_t last_ns = 0;
  };
  void look_at(const std::string& path, int64_t now_ns);
  bool place(const std::string& path, File& file, int64_t now_ns);
  bool take(Waiting& waiting, int64_t now_ns, WatchedStep& out) const;

  std::string folder_;
  WatchOptions options_;
  std::optional<StepKey> done_;
  std::map<std::string, File> files_;  // of the folder, by path
  std::map<StepKey, Waiting> waiting_;
  uint64_t most_groups_ = 0;  // of any step so far
  std::vector<std::string> refused_;
};

}  // namespace mlq::simigrad
