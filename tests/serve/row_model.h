// A model in the test: a pure function of the row, with outputs of several datatypes, that reads and writes
// the protocol with other code (simdjson) than the library's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mlq::serve::test {

// How this container prints: Python's blanks, nested data, the outputs in another order, pretty inner blanks.
struct Looks {
  bool blanks = false;
  bool nested = false;
  bool outputs_first = false;  // `id` behind them, the last member
  bool data_first = false;     // before shape and datatype
  unsigned order = 0;          // rotates the outputs
};

struct ModelReply {
  std::string body;
  std::optional<uint64_t> json_bytes;
};

// The reply of a container to a v2 body. Outputs: f FP32 [n,2] (NaN now and then), i INT64 [n], s BYTES [n,1]
// with escapes, b BOOL [n,3,1], e FP64 [n,0]. Throws simdjson_error or std::logic_error when the body is
// wrong.
ModelReply answer_v2(std::string_view body, std::optional<uint64_t> json_bytes, const Looks& looks);

// {"rows":[..]} -> {"took":"..","answers":{"of":[..]}}: the same for v1 with its own keys.
std::string answer_rows(std::string_view body, std::string_view rows_key, const Looks& looks);

}  // namespace mlq::serve::test
