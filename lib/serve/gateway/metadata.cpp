#include "lib/serve/gateway/metadata.h"

#include <fmt/format.h>

#include "lib/jsonl/object.h"

namespace mlq::serve {
namespace {

using jsonl::Value;

// False if `tensors` is no list of named tensors.
bool read_tensors(const Value& tensors, std::string_view kind, Metadata& out, bool outputs) {
  std::vector<Value> list;
  if (tensors.kind != jsonl::Kind::array || !jsonl::read_elements(tensors, list)) return false;
  // What some servers say of models whose tensors they do not know: nothing that rows could be told from.
  if (list.empty()) {
    out.open_rows = false;
    out.why_not = fmt::format("its metadata name no {}s; say \"batchable\": \"yes\"", kind);
  }
  for (const Value& tensor : list) {
    const auto name = jsonl::member(tensor, "name");
    const auto shape = jsonl::member(tensor, "shape");
    const auto datatype = jsonl::member(tensor, "datatype");
    if (!name || name->kind != jsonl::Kind::string || !shape) return false;
    const auto first = jsonl::element(*shape, 0);
    if (!first || first->as_int64() != -1) {
      out.open_rows = false;
      if (out.why_not.empty())
        out.why_not = fmt::format("{} \"{}\" has no -1 in front of its shape", kind, name->text);
    }
    if (!outputs) continue;
    const auto type =
        datatype && datatype->kind == jsonl::Kind::string ? datatype_named(datatype->text) : std::nullopt;
    if (!type) return false;
    out.outputs.push_back({std::string(name->text), *type});
  }
  return true;
}

}  // namespace

Metadata read_metadata(std::string_view body) {
  Metadata out;
  jsonl::OwnedObject object(body);
  if (!object.ok()) return out;
  const Value* inputs = object.parser().find("inputs");
  const Value* outputs = object.parser().find("outputs");
  if (inputs == nullptr || outputs == nullptr) return out;
  out.open_rows = true;
  if (!read_tensors(*inputs, "input", out, false) || !read_tensors(*outputs, "output", out, true)) return {};
  out.known = true;
  out.text = body;
  return out;
}

}  // namespace mlq::serve
