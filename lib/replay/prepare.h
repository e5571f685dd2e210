// What happens between the options of a run and its first request: the server is there, and the requests'
// form knows what it must of it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "lib/base/stop.h"
#include "lib/http/client.h"
#include "lib/records/stream.h"
#include "lib/replay/template.h"

namespace mlq::replay {

// Connects, in three tries two seconds apart. An environment Error says why it cannot; returns early when
// asked to stop.
void check_server(const http::ClientConfig& client, const StopFlag& stop);

// A form that has asked the server what it must know.
struct PreparedRequests {
  std::unique_ptr<Template> form;
  AnswerRules rules;
  http::ClientConfig client;  // with the form's headers
};
// `runs`: of the trace, whose last one says the size of prefix blocks. With `dry`, nothing is asked and no
// answer is checked. `notice` gets the form's remarks. Errors: as make_template and Template::prepare.
PreparedRequests prepare_requests(TemplateOptions requests, http::ClientConfig client,
                                  std::span<const records::Run> runs, bool dry,
                                  const std::function<void(const std::string&)>& notice);

}  // namespace mlq::replay
