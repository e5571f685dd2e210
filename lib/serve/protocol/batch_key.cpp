#include "lib/serve/protocol/batch_key.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <iterator>

#include "lib/serve/protocol/json_cursor.h"

namespace mlq::serve {
namespace {

// Text of any kind, so that no other text can look the same.
void put(std::string& out, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "{}:", text.size());
  out.append(text);
}

// Names are as they stand between quotes, so quotes bound them.
void put_parameters(std::string& out, const std::vector<Parameter>& parameters, bool of_the_request) {
  std::vector<const Parameter*> sorted;
  for (const Parameter& parameter : parameters)
    if (!of_the_request || (parameter.name != "priority" && parameter.name != "timeout"))
      sorted.push_back(&parameter);
  std::ranges::sort(sorted, {}, [](const Parameter* parameter) { return parameter->name; });
  out += '{';
  for (const Parameter* parameter : sorted)
    fmt::format_to(std::back_inserter(out), "\"{}\":{},", parameter->name, parameter->value);
  out += '}';
}

void put_v2(std::string& out, const ParsedRequest& request) {
  for (const InputTensor& tensor : request.inputs) {
    fmt::format_to(std::back_inserter(out), "\"{}\" {} {} [", tensor.name, datatype_name(tensor.datatype),
                   static_cast<int>(tensor.form));
    for (const uint64_t n : tensor.shape.of_a_row()) fmt::format_to(std::back_inserter(out), "{},", n);
    out += ']';
    put_parameters(out, tensor.parameters, false);
  }
  out += "->";
  for (const RequestedOutput& output : request.outputs) {
    fmt::format_to(std::back_inserter(out), "\"{}\"", output.name);
    put_parameters(out, output.parameters, false);
  }
  out += '|';
  put_parameters(out, request.parameters, true);
}

void put_row_array(std::string& out, const ParsedRequest& request) {
  std::string around;
  append_without_blanks(request.before_rows, around);
  put(out, around);
  around.clear();
  append_without_blanks(request.after_rows, around);
  put(out, around);
  fmt::format_to(std::back_inserter(out), "{:016x}", request.row_skeleton);
}

}  // namespace

BatchKey batch_key(const ParsedRequest& request, std::string_view model, std::string_view version,
                   std::string_view forwarded) {
  BatchKey key;
  key.text.reserve(256);
  key.text += static_cast<char>('0' + static_cast<int>(request.dialect));
  put(key.text, model);
  put(key.text, version);
  put(key.text, forwarded);
  if (request.dialect == Dialect::v2) {
    put_v2(key.text, request);
  } else {
    put_row_array(key.text, request);
  }
  key.hash = XXH3_64bits(key.text.data(), key.text.size());
  return key;
}

}  // namespace mlq::serve
