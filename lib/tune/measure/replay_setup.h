// A source of windows under our own load, with everything that it needs on a real machine.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/stop.h"
#include "lib/records/reader.h"
#include "lib/tune/measure/replay_source.h"

namespace mlq::tune {

struct ReplaySetup {
  http::ClientConfig client;  // the URL is where requests go
  replay::TemplateOptions requests;
  ReplayLoad load;
  Ratio speed{1, 1};
  std::optional<uint64_t> conns;         // opened before the first window; default 64, with HTTP/2 1
  std::optional<uint32_t> max_inflight;  // default: descriptors - 64
  std::string warm_target;               // GET this to open connections, instead of the API's own
  std::string gen_header = "x-mlq-gen";  // of answers: the generation that served them
  bool dry = false;                      // nobody is asked or connected to: good for upcoming() alone
};

// Reads the trace, connects, asks the server what the form of the requests must know, opens connections.
// `notice` gets what a person should know. Errors: as replay::run_replay before its start; an environment one
// where descriptors do not suffice. `clock` must outlive the source.
std::unique_ptr<ReplaySource> make_replay_source(const ReplaySetup& setup, const Objective& objective,
                                                 records::Reader& trace, const Clock& clock,
                                                 const StopFlag& stop,
                                                 const std::function<void(const std::string&)>& notice);

}  // namespace mlq::tune
