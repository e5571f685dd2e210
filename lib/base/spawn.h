// Starts another program, without a shell in between.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace mlq {

// Descriptors that become the child's standard streams; -1: ours.
struct SpawnStreams {
  int in = -1;
  int out = -1;
  int err = -1;
};

struct Spawned {
  pid_t pid = -1;
  int error = 0;  // why there is no process: an errno
};

// argv[0] is a name on PATH, or a path. Signals that end a program do so in the child, whatever is blocked,
// ignored or caught here. `own_group`: it leads a process group of its own, which is not told what the
// terminal tells ours. Whoever calls waits for it. Thread-safe.
Spawned spawn(std::vector<std::string> argv, const SpawnStreams& streams, bool own_group = false);

}  // namespace mlq
