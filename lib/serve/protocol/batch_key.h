// What must be equal for two requests to share a batch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// Equal keys merge. The hash (XXH3-64) finds, the text decides.
struct BatchKey {
  uint64_t hash = 0;
  std::string text;
  bool operator==(const BatchKey& other) const { return hash == other.hash && text == other.text; }
};

// Model, version and dialect; names, datatypes, row shapes, forms and parameters of the inputs in order; the
// requested outputs with their parameters; the request's parameters but priority and timeout, in any order;
// `forwarded`, the values of the headers that go upstream. v1 and plain: everything around the row array, and
// the form of a row. Numbers compare as written (1 is not 1.0), blanks do not count.
BatchKey batch_key(const ParsedRequest& request, std::string_view model, std::string_view version,
                   std::string_view forwarded);

}  // namespace mlq::serve
