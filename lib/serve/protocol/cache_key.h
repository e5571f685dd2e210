// The text under which the answer to a request is stored.
#pragma once

#include <string>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// Appends the rows of all tensors, each with its length before it: JSON without blanks ("1, 2" is "1,2", but
// "1.0" is not "1"), binary data as it is. Together with the batch key's text it tells any two requests apart
// that may have different answers, save for the id. Only for requests that are not `alone`.
void append_cache_text(const ParsedRequest& request, std::string& out);

}  // namespace mlq::serve
