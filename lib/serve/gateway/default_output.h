// The answer of a model that has none in time: configured for one row, repeated for as many as were asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// `for_one_row`: of v2, the array of outputs, each {"name","datatype","shape":[1,..],"data":[..]}, flat; of
// v1 and plain, the answer to one row. `reason` goes into parameters.mlq_default of v2. None if the text does
// not have that form, or the request's rows are not known.
std::optional<std::string> default_reply(const ParsedRequest& request, std::string_view model,
                                         std::string_view for_one_row, std::string_view reason);

}  // namespace mlq::serve
