#include "lib/serve/protocol/merge.h"

#include <fmt/format.h>

namespace mlq::serve {
namespace {

using Requests = std::span<const ParsedRequest* const>;

// ,"parameters":{..}; nothing if there are none.
void put_parameters(Rope& out, const std::vector<Parameter>& parameters,
                    std::optional<uint64_t> binary_bytes) {
  bool any = false;
  const auto put = [&](std::string_view name, std::string_view value) {
    out.copy(any ? ",\"" : ",\"parameters\":{\"");
    out.copy(name);
    out.copy("\":");
    out.add(value);
    any = true;
  };
  for (const Parameter& parameter : parameters) put(parameter.name, parameter.value);
  if (binary_bytes) put("binary_data_size", fmt::to_string(*binary_bytes));
  if (any) out.copy("}");
}

// The request's own, without what only orders it among others.
std::vector<Parameter> shared_parameters(const ParsedRequest& request) {
  std::vector<Parameter> out = request.parameters;
  std::erase_if(out, [](const Parameter& p) { return p.name == "priority" || p.name == "timeout"; });
  return out;
}

void put_shape(Rope& out, const Shape& shape, uint64_t rows) {
  std::string text = fmt::format("[{}", rows);
  for (const uint64_t n : shape.of_a_row()) text += fmt::format(",{}", n);
  out.copy(text + "]");
}

void put_input(Rope& out, Requests requests, size_t index, uint64_t rows) {
  const InputTensor& first = requests[0]->inputs[index];
  out.copy("{\"name\":\"");
  out.copy(first.name);
  out.copy("\",\"shape\":");
  put_shape(out, first.shape, rows);
  out.copy(",\"datatype\":\"");
  out.copy(datatype_name(first.datatype));
  out.copy("\"");
  if (first.form == Form::binary) {
    uint64_t bytes = 0;
    for (const ParsedRequest* request : requests) bytes += request->inputs[index].data.size();
    put_parameters(out, first.parameters, bytes);
  } else {
    put_parameters(out, first.parameters, std::nullopt);
    out.copy(",\"data\":[");
    for (size_t k = 0; k < requests.size(); ++k) {
      if (k > 0) out.copy(",");
      out.add(requests[k]->inputs[index].data);
    }
    out.copy("]");
  }
  out.copy("}");
}

void put_outputs(Rope& out, const std::vector<RequestedOutput>& outputs) {
  out.copy(",\"outputs\":[");
  for (size_t k = 0; k < outputs.size(); ++k) {
    out.copy(k > 0 ? ",{\"name\":\"" : "{\"name\":\"");
    out.copy(outputs[k].name);
    out.copy("\"");
    put_parameters(out, outputs[k].parameters, std::nullopt);
    out.copy("}");
  }
  out.copy("]");
}

void merge_v2(UpstreamBody& out, Requests requests, std::string_view upstream_id) {
  const ParsedRequest& first = *requests[0];
  Rope& body = out.body;
  body.copy("{\"id\":\"");
  body.copy(upstream_id);
  body.copy("\"");
  put_parameters(body, shared_parameters(first), std::nullopt);
  body.copy(",\"inputs\":[");
  bool binary = false;
  for (size_t k = 0; k < first.inputs.size(); ++k) {
    if (k > 0) body.copy(",");
    put_input(body, requests, k, out.rows);
    binary |= first.inputs[k].form == Form::binary;
  }
  body.copy("]");
  if (!first.outputs.empty()) put_outputs(body, first.outputs);
  body.copy("}");
  if (!binary) return;
  out.json_bytes = body.bytes();
  for (size_t k = 0; k < first.inputs.size(); ++k) {
    if (first.inputs[k].form != Form::binary) continue;
    for (const ParsedRequest* request : requests) body.add(request->inputs[k].data);
  }
}

void merge_rows(Rope& body, Requests requests) {
  body.add(requests[0]->before_rows);
  for (size_t k = 0; k < requests.size(); ++k) {
    if (k > 0) body.copy(",");
    body.add(requests[k]->row_text);
  }
  body.add(requests[0]->after_rows);
}

}  // namespace

UpstreamBody merge(Requests requests, std::string_view upstream_id) {
  UpstreamBody out;
  if (requests.size() == 1) {
    out.body.add(requests[0]->body);
    out.json_bytes = requests[0]->json_bytes;
    out.rows = requests[0]->rows;
    out.untouched = true;
    return out;
  }
  for (const ParsedRequest* request : requests) out.rows += request->rows;
  if (requests[0]->dialect == Dialect::v2) {
    merge_v2(out, requests, upstream_id);
  } else {
    merge_rows(out.body, requests);
  }
  return out;
}

}  // namespace mlq::serve
