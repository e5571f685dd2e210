#include "lib/serve/protocol/cache_key.h"

#include <cstdint>

#include "lib/serve/protocol/json_cursor.h"

namespace mlq::serve {
namespace {

// The text that `append` appends, behind its length in 8 bytes.
template <class Append>
void put(std::string& out, Append&& append) {
  const size_t at = out.size();
  out.resize(at + 8);
  append();
  for (uint64_t size = out.size() - at - 8, k = 0; k < 8; ++k)
    out[at + k] = static_cast<char>(size >> (8 * k));
}

}  // namespace

void append_cache_text(const ParsedRequest& request, std::string& out) {
  if (request.dialect != Dialect::v2) return put(out, [&] { append_without_blanks(request.row_text, out); });
  for (const InputTensor& tensor : request.inputs)
    put(out, [&] {
      if (tensor.form == Form::binary) {
        out.append(tensor.data);
      } else {
        append_without_blanks(tensor.data, out);
      }
    });
}

}  // namespace mlq::serve
