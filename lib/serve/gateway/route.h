// What a request to the data listener asks for, by its method and path.
#pragma once

#include <cstdint>
#include <string_view>

namespace mlq::serve {

enum class RouteKind : uint8_t {
  none,          // no such path
  wrong_method,  // the path is there, the method is not
  live,
  ready,        // of the server
  server,       // GET /v2
  model,        // GET /v2/models/M[/versions/V]: metadata
  model_ready,  // GET /v2/models/M[/versions/V]/ready
  model_v1,     // GET /v1/models/M
  infer,        // POST /v2/models/M[/versions/V]/infer
  predict,      // POST /v1/models/M:predict
};

struct Route {
  RouteKind kind = RouteKind::none;
  std::string_view model;
  std::string_view version;  // empty: none was said
};

// `target` may have a query, which is passed over. Percent-encoding is not undone: no model's name needs it.
// Plain and relayed paths are the models' own; ask those first.
Route parse_route(std::string_view method, std::string_view target);

}  // namespace mlq::serve
