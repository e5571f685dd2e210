// What a sending thread asks of the system, so that it wakes up on time.
#pragma once

#include <cstdint>
#include <string_view>

namespace mlq::replay {

enum class Priority { automatic, fifo, nice, off };

// Sets the calling thread's priority: SCHED_FIFO 10, nice -10, or nothing; automatic takes the first that the
// system allows, but FIFO only with a second core, since it would starve a server on its own. Also sets the
// timer slack to 1 ns. Returns what it came to; an environment Error if what was asked for by name is
// refused.
Priority raise_priority(Priority wanted);
// How many cores this process may use.
unsigned allowed_cores();
// Raises the limit on descriptors to what the system allows, and returns it.
uint64_t raise_descriptor_limit();
// CPU time of the calling thread.
int64_t thread_cpu_ns();

std::string_view priority_name(Priority priority);

}  // namespace mlq::replay
