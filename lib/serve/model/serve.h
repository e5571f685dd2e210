// mlq-model run: the server with its listeners and its records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/stop.h"
#include "lib/http/server.h"
#include "lib/records/writer.h"
#include "lib/serve/model/model_server.h"

namespace mlq::serve::model {

struct ServeOptions {
  ModelServerOptions model;
  http::ServerOptions listen;
  std::optional<http::ServerOptions> admin;  // none: no admin listener
  std::string admin_token;
  int64_t duration_ns = 0;  // drain after this; 0: do not
  int64_t drain_timeout_ns = 30'000'000'000;
};

struct ServeOutcome {
  uint64_t requests = 0;  // in all
  uint64_t good = 0;      // that were answered with 200
  uint64_t lost = 0;      // that were taken in and had no answer when the drain ended
};

// Writes run, listen, model and knob records, and passes them on before it serves, so that a script can read
// where; then serve_window records, one a second in which anything happened, and end. When the flag is set or
// the duration is over, ready turns 503, the listeners close and what was taken in is answered within the
// drain timeout. `run` gets url and start_unix_ns. Errors: an environment Error if it cannot listen, those of
// ModelServer, and what the writer throws.
ServeOutcome serve_model(const ServeOptions& options, ModelMaker maker, records::Run run,
                         records::Writer& writer, const StopFlag& stop);

}  // namespace mlq::serve::model
