#include "lib/serve/gateway/default_output.h"

#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"

namespace mlq::serve {
namespace {

// `text`, without the brackets around it, so many times.
void repeat(std::string_view text, uint64_t times, jsonl::Buffer& out) {
  for (uint64_t k = 0; k < times; ++k) {
    if (k > 0) out.raw(',');
    out.raw(text);
  }
}

bool write_output(const jsonl::Value& output, uint64_t rows, jsonl::Buffer& out) {
  const auto name = jsonl::member(output, "name");
  const auto datatype = jsonl::member(output, "datatype");
  const auto shape = jsonl::member(output, "shape");
  const auto data = jsonl::member(output, "data");
  std::vector<jsonl::Value> dims;
  if (!name || !datatype || !shape || !data || data->kind != jsonl::Kind::array ||
      shape->kind != jsonl::Kind::array || !jsonl::read_elements(*shape, dims) || dims.empty() ||
      dims[0].as_uint64() != 1)
    return false;
  out.raw(R"({"name":)");
  out.string(name->text);
  out.raw(R"(,"datatype":)");
  out.string(datatype->text);
  out.raw(R"(,"shape":[)");
  out.integer(rows);
  for (size_t k = 1; k < dims.size(); ++k) {
    const auto size = dims[k].as_uint64();
    if (!size) return false;
    out.raw(',');
    out.integer(*size);
  }
  out.raw(R"(],"data":[)");
  const std::string text = jsonl::json_text(*data);
  repeat(std::string_view(text).substr(1, text.size() - 2), rows, out);
  out.raw("]}");
  return true;
}

std::optional<std::string> v2(const ParsedRequest& request, std::string_view model, std::string_view outputs,
                              std::string_view reason) {
  jsonl::OwnedObject wrapped("{\"outputs\":" + std::string(outputs) + "}");
  std::vector<jsonl::Value> list;
  if (!wrapped.ok() || !jsonl::read_elements(*wrapped.parser().find("outputs"), list) || list.empty())
    return std::nullopt;
  jsonl::Buffer out;
  out.raw(R"({"model_name":)");
  out.string(model);
  if (request.id) {
    out.raw(R"(,"id":")");
    out.raw(*request.id);
    out.raw('"');
  }
  out.raw(R"(,"parameters":{"mlq_default":)");
  out.string(reason);
  out.raw(R"(},"outputs":[)");
  for (size_t k = 0; k < list.size(); ++k) {
    if (k > 0) out.raw(',');
    if (!write_output(list[k], request.rows, out)) return std::nullopt;
  }
  out.raw("]}");
  return std::string(out.view());
}

}  // namespace

std::optional<std::string> default_reply(const ParsedRequest& request, std::string_view model,
                                         std::string_view for_one_row, std::string_view reason) {
  if (request.rows == 0) return std::nullopt;
  if (request.dialect == Dialect::v2) return v2(request, model, for_one_row, reason);
  jsonl::Buffer answers;
  answers.raw('[');
  repeat(for_one_row, request.rows, answers);
  answers.raw(']');
  const std::string_view pointer =
      request.dialect == Dialect::v1 ? std::string_view("/predictions") : request.answers_pointer;
  // An object for each name of the pointer.
  jsonl::Buffer out;
  size_t depth = 0;
  for (std::string_view rest = pointer; !rest.empty(); ++depth) {
    rest.remove_prefix(1);
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(name.size());
    out.raw('{');
    out.string(name);
    out.raw(':');
  }
  out.raw(answers.view());
  for (; depth > 0; --depth) out.raw('}');
  return std::string(out.view());
}

}  // namespace mlq::serve
