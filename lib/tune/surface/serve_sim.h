// mlq-tune simulate --listen: the simulated server with its listener and its records.
#pragma once

#include "lib/base/stop.h"
#include "lib/http/server.h"
#include "lib/records/writer.h"
#include "lib/tune/surface/sim_server.h"

namespace mlq::tune {

struct ServeSimOutcome {
  uint64_t requests = 0;
  uint64_t good = 0;
  bool crashed = false;  // by SimFaults::crash_on
};

// Writes run (with the address in url) and listen records, passes them on before it serves, then a knob
// record for each knob that changed, and end. Ends when the flag is set, after `duration_ns` (0: never), or
// with a crash. Errors: an environment Error if it cannot listen, and what the writer throws.
ServeSimOutcome serve_sim(SimServerOptions options, const http::ServerOptions& listen, int64_t duration_ns,
                          records::Run run, records::Writer& writer, const StopFlag& stop);

}  // namespace mlq::tune
