#include "lib/serve/model/replies.h"

#include <fmt/format.h>

#include "lib/jsonl/buffer.h"

namespace mlq::serve::model {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

template <class T>
std::vector<T> narrowed(std::span<const double> values) {
  std::vector<T> out;
  out.reserve(values.size());
  for (const double value : values) out.push_back(static_cast<T>(value));
  return out;
}

void append_tensor(jsonl::Buffer& out, std::string_view name, Datatype type, const std::string& shape) {
  out.raw(R"({"name":)");
  out.string(name);
  out.raw(fmt::format(R"(,"datatype":"{}","shape":[-1{}]}})", datatype_name(type), shape));
}

}  // namespace

std::string error_body(std::string_view message) {
  jsonl::Buffer out;
  out.raw(R"({"error":)");
  out.string(message);
  out.raw('}');
  return std::string(out.view());
}

std::string reason_headers(std::string_view reason, int64_t retry_after_ns) {
  if (reason.empty()) return {};
  std::string headers = fmt::format("x-mlq-reason: {}\r\n", reason);
  if (retry_after_ns > 0) {
    headers += fmt::format("Retry-After: {}\r\nx-mlq-retry-after-ns: {}\r\n",
                           (retry_after_ns + kSecond - 1) / kSecond, retry_after_ns);
  }
  return headers;
}

std::string server_metadata(std::string_view version) {
  jsonl::Buffer out;
  out.raw(R"({"name":"mlq-model","version":)");
  out.string(version);
  out.raw(R"(,"extensions":["binary_tensor_data","schedule_policy"]})");
  return std::string(out.view());
}

std::string model_metadata(std::string_view name, const ModelInfo& info) {
  jsonl::Buffer out;
  out.raw(R"({"name":)");
  out.string(name);
  out.raw(R"(,"versions":["1"],"platform":)");
  out.string(info.platform);
  out.raw(R"(,"inputs":[)");
  std::string shape;
  for (const size_t size : info.row_shape) shape += fmt::format(",{}", size);
  append_tensor(out, info.input, info.input_type, info.row_shape.empty() ? ",-1" : shape);
  out.raw(R"(],"outputs":[)");
  for (size_t k = 0; k < info.outputs.size(); ++k) {
    const OutputInfo& output = info.outputs[k];
    if (k > 0) out.raw(',');
    append_tensor(out, output.name, output.datatype, output.scalar ? "" : fmt::format(",{}", output.width));
  }
  out.raw("]}");
  return std::string(out.view());
}

std::string v1_status(std::string_view name, bool ready) {
  jsonl::Buffer out;
  out.raw(R"({"name":)");
  out.string(name);
  out.raw(fmt::format(R"(,"ready":{}}})", ready));
  return std::string(out.view());
}

InferenceReply::InferenceReply(const ModelInfo& info, const Answer& answer, size_t first_row, size_t rows) {
  narrow_.reserve(info.outputs.size());
  for (size_t k = 0; k < info.outputs.size(); ++k) {
    const OutputInfo& output = info.outputs[k];
    const auto values = std::span(answer.outputs[k]).subspan(first_row * output.width, rows * output.width);
    OutputValues out{.name = output.name, .shape = {rows}, .values = std::span<const double>(values)};
    if (!output.scalar) out.shape.push_back(output.width);
    if (output.datatype == Datatype::fp32)
      out.values = std::span<const float>(std::get<0>(narrow_.emplace_back(narrowed<float>(values))));
    if (output.datatype == Datatype::int64)
      out.values = std::span<const int64_t>(std::get<1>(narrow_.emplace_back(narrowed<int64_t>(values))));
    outputs_.push_back(std::move(out));
  }
}

std::optional<Refusal> InferenceReply::write(ParsedRequest& request, const FaultDraws& faults,
                                             std::string_view model, std::string_view version) {
  if (request.dialect == Dialect::v2) {
    spoil(faults, outputs_, request, spoilt_);
    return write_v2(request, model, version, outputs_, text_);
  }
  std::vector<OutputValues> first{outputs_[0]};
  spoil(faults, first, request, spoilt_);
  text_.body = write_rows(request, first[0]);
  return std::nullopt;
}

std::string_view InferenceReply::content_type() const {
  return text_.json_bytes ? "application/octet-stream" : "application/json";
}

std::string InferenceReply::headers() const {
  if (!text_.json_bytes) return {};
  return fmt::format("Inference-Header-Content-Length: {}\r\n", *text_.json_bytes);
}

}  // namespace mlq::serve::model
