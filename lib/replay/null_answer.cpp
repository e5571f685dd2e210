#include "lib/replay/null_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "lib/jsonl/buffer.h"
#include "lib/jsonl/line_reader.h"

namespace mlq::replay {
namespace {

constexpr std::string_view kToken = " word";

std::string quoted(std::string_view text) {
  jsonl::Buffer buffer;
  buffer.string(text);
  return std::string(buffer.view());
}

NullAnswer json_answer(std::string body, int status = 200) {
  NullAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

NullAnswer error_answer(int status, std::string_view message) {
  return json_answer(fmt::format(R"({{"error":{}}})", quoted(message)), status);
}

// Takes `prefix` off `path`, if it is there.
bool take(std::string_view& path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  path.remove_prefix(prefix.size());
  return true;
}

// `M` of `M/versions/V` and what follows, without its slash.
struct ModelPath {
  std::string_view model;
  std::string_view rest;
};

std::string_view next_segment(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path = slash == path.npos ? std::string_view() : path.substr(slash + 1);
  return segment;
}

ModelPath model_path(std::string_view path) {
  ModelPath parts{next_segment(path), path};
  if (take(parts.rest, "versions/")) next_segment(parts.rest);
  return parts;
}

uint64_t count_blanks(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), ' '));
}

// A word is a token; what else a prompt may be has as many tokens as it has elements or blanks.
uint64_t prompt_tokens(const jsonl::Value* prompt) {
  if (prompt == nullptr) return 0;
  if (prompt->kind == jsonl::Kind::string) return prompt->text.empty() ? 0 : 1 + count_blanks(prompt->text);
  if (prompt->kind != jsonl::Kind::array && prompt->kind != jsonl::Kind::object) return 0;
  std::vector<uint64_t> ids;
  if (prompt->kind == jsonl::Kind::array && jsonl::read_uint64_array(*prompt, ids)) return ids.size();
  return 1 + count_blanks(jsonl::json_text(*prompt));
}

bool is_true(const jsonl::Value* value) {
  return value != nullptr && value->kind == jsonl::Kind::boolean && value->boolean;
}

bool includes_usage(const jsonl::Value* stream_options) {
  if (stream_options == nullptr || stream_options->kind != jsonl::Kind::object) return false;
  return jsonl::json_text(*stream_options).find("\"include_usage\":true") != std::string::npos;
}

std::string usage(const TokenAnswer& answer) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})",
                     answer.prompt_tokens, answer.tokens, answer.prompt_tokens + answer.tokens);
}

void append_tokens(std::string& out, uint64_t count) {
  for (uint64_t k = 0; k < count; ++k) out.append(kToken);
}

// `data: ` and the event up to its choices.
void append_event_head(const TokenAnswer& answer, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 R"(data: {{"id":"{}","object":"{}","created":0,"model":{},"choices":[)", answer.id,
                 answer.chat ? "chat.completion.chunk" : "text_completion", answer.model);
}

}  // namespace

std::string whole_answer(const TokenAnswer& answer) {
  std::string out = fmt::format(R"({{"id":"{}","object":"{}","created":0,"model":{},"choices":[{{"index":0,)",
                                answer.id, answer.chat ? "chat.completion" : "text_completion", answer.model);
  out.append(answer.chat ? R"("message":{"role":"assistant","content":")" : R"("text":")");
  append_tokens(out, answer.tokens);
  out.append(answer.chat ? "\"}," : "\",");
  out.append(R"("logprobs":null,"finish_reason":"length"}],"usage":)").append(usage(answer)).append("}");
  return out;
}

void append_token_event(const TokenAnswer& answer, uint64_t count, bool first, bool cut, std::string& out) {
  append_event_head(answer, out);
  out.append(R"({"index":0,)");
  if (answer.chat) {
    out.append(first ? R"("delta":{"role":"assistant","content":")" : R"("delta":{"content":")");
  } else {
    out.append(R"("text":")");
  }
  append_tokens(out, count);
  if (!cut) out.append(answer.chat ? "\"}," : "\",").append(R"("finish_reason":null}]})");
  out.append("\n\n");
}

void append_last_events(const TokenAnswer& answer, std::string& out) {
  append_event_head(answer, out);
  out.append(answer.chat ? R"({"index":0,"delta":{},)" : R"({"index":0,"text":"",)");
  out.append("\"finish_reason\":\"length\"}]}\n\n");
  if (answer.usage) {
    append_event_head(answer, out);
    out.append("],\"usage\":").append(usage(answer)).append("}\n\n");
  }
  out.append("data: [DONE]\n\n");
}

NullApiAnswers::NullApiAnswers(const NullServerOptions& options)
    : api_(options.api), tokens_(options.tokens), body_bytes_(options.body_bytes) {}

bool NullApiAnswers::parse(std::string_view json) {
  padded_.assign(json).append(jsonl::kLinePadding, '\0');
  return parser_.parse(std::string_view(padded_).substr(0, json.size()));
}

NullAnswer NullApiAnswers::answer(const http::Request& request, uint64_t index) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  std::optional<NullAnswer> found;
  if (serves(NullApi::kserve_v2)) found = kserve(request, path);
  if (!found && serves(NullApi::openai_chat)) found = openai(request, path, index);
  if (!found && serves(NullApi::tf_serving)) found = tf_serving(request, path);
  if (found) return std::move(*found);
  if (!serves(NullApi::raw)) return error_answer(404, "this null server does not serve that path");
  NullAnswer answer;
  answer.work = true;
  answer.content_type = "text/plain";
  answer.fill_bytes = body_bytes_;
  return answer;
}

std::optional<NullAnswer> NullApiAnswers::kserve(const http::Request& request, std::string_view path) {
  if (!take(path, "/v2")) return std::nullopt;
  if (path.empty() || path == "/")
    return json_answer(R"({"name":"mlq-replay serve","version":"1","extensions":[]})");
  if (path == "/health/live") return json_answer(R"({"live":true})");
  if (path == "/health/ready") return json_answer(R"({"ready":true})");
  if (!take(path, "/models/")) return std::nullopt;
  const auto [model, rest] = model_path(path);
  if (rest == "infer") return infer(request, model);
  if (rest == "ready") return json_answer(fmt::format(R"({{"name":{},"ready":true}})", quoted(model)));
  if (!rest.empty()) return std::nullopt;
  return json_answer(fmt::format(R"({{"name":{},"versions":["1"],"platform":"null",)"
                                 R"("inputs":[{{"name":"INPUT0","datatype":"FP32","shape":[-1,4]}}],)"
                                 R"("outputs":[{{"name":"OUTPUT0","datatype":"FP32","shape":[-1,1]}}]}})",
                                 quoted(model)));
}

// With the binary extension only the first part of the body is JSON.
NullAnswer NullApiAnswers::infer(const http::Request& request, std::string_view model) {
  std::string_view json = request.body;
  const std::string_view length = request.header("Inference-Header-Content-Length");
  size_t size = json.size();
  std::from_chars(length.data(), length.data() + length.size(), size);
  json = json.substr(0, size);
  if (!parse(json)) return error_answer(400, "the body is no JSON object: " + parser_.error());
  const jsonl::Value* id = parser_.find("id");
  std::string out = fmt::format(R"({{"model_name":{},"model_version":"1",)", quoted(model));
  if (id != nullptr && id->kind == jsonl::Kind::string) out += fmt::format(R"("id":{},)", quoted(id->text));
  out += R"("outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[1,1],"data":[0]}]})";
  NullAnswer answer = json_answer(std::move(out));
  answer.work = true;
  return answer;
}

std::optional<NullAnswer> NullApiAnswers::openai(const http::Request& request, std::string_view path,
                                                 uint64_t index) {
  if (!take(path, "/v1/")) return std::nullopt;
  if (path == "chat/completions") return complete(request, true, index);
  if (path == "completions") return complete(request, false, index);
  if (path == "models") {
    return json_answer(
        R"({"object":"list","data":[{"id":"null","object":"model","created":0,"owned_by":"mlq"}]})");
  }
  if (api_ != NullApi::openai_chat || !take(path, "models/")) return std::nullopt;
  return json_answer(
      fmt::format(R"({{"id":{},"object":"model","created":0,"owned_by":"mlq"}})", quoted(path)));
}

NullAnswer NullApiAnswers::complete(const http::Request& request, bool chat, uint64_t index) {
  if (!parse(request.body)) return error_answer(400, "the body is no JSON object: " + parser_.error());
  TokenAnswer tokens;
  tokens.chat = chat;
  tokens.stream = is_true(parser_.find("stream"));
  tokens.usage = includes_usage(parser_.find("stream_options"));
  const jsonl::Value* limit = parser_.find("max_completion_tokens");
  if (limit == nullptr) limit = parser_.find("max_tokens");
  const auto wanted = limit == nullptr ? std::nullopt : limit->as_uint64();
  tokens.tokens = std::clamp<uint64_t>(wanted.value_or(tokens_), 1, kMaxTokens);
  tokens.prompt_tokens = prompt_tokens(parser_.find(chat ? "messages" : "prompt"));
  tokens.id = fmt::format("{}-{}", chat ? "chatcmpl" : "cmpl", index);
  const jsonl::Value* model = parser_.find("model");
  tokens.model = quoted(model != nullptr && model->kind == jsonl::Kind::string ? model->text : "null");
  NullAnswer answer;
  answer.work = true;
  answer.tokens = std::move(tokens);
  return answer;
}

std::optional<NullAnswer> NullApiAnswers::tf_serving(const http::Request& request, std::string_view path) {
  if (!take(path, "/v1/models/")) return std::nullopt;
  const auto [model, rest] = model_path(path);
  if (path.ends_with(":predict")) {
    if (!parse(request.body)) return error_answer(400, "the body is no JSON object: " + parser_.error());
    NullAnswer answer = json_answer(R"({"predictions":[[0]]})");
    answer.work = true;
    return answer;
  }
  if (rest == "metadata") {
    constexpr std::string_view input =
        R"({"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"4","name":""}],)"
        R"("unknown_rank":false},"name":"INPUT0"})";
    constexpr std::string_view output =
        R"({"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"1","name":""}],)"
        R"("unknown_rank":false},"name":"OUTPUT0"})";
    return json_answer(fmt::format(
        R"({{"model_spec":{{"name":{},"signature_name":"","version":"1"}},"metadata":{{"signature_def":)"
        R"({{"signature_def":{{"serving_default":{{"inputs":{{"INPUT0":{}}},"outputs":{{"OUTPUT0":{}}},)"
        R"("method_name":"tensorflow/serving/predict"}}}}}}}}}})",
        quoted(model), input, output));
  }
  if (!rest.empty()) return std::nullopt;
  return json_answer(R"({"model_version_status":[{"version":"1","state":"AVAILABLE",)"
                     R"("status":{"error_code":"OK","error_message":""}}]})");
}

}  // namespace mlq::replay
