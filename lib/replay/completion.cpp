#include "lib/replay/completion.h"

#include <algorithm>
#include <limits>

#include "lib/jsonl/utf8.h"

namespace mlq::replay {
namespace {

using jsonl::Kind;
using jsonl::Value;

constexpr size_t kWords = 200;

bool is_filled(const std::optional<Value>& value) {
  if (!value) return false;
  if (value->kind == Kind::string) return !value->text.empty();
  return jsonl::element(*value, 0).has_value();
}

// vLLM says `reasoning` for what it used to call `reasoning_content`.
bool brings_token(const Value& choice) {
  if (const std::optional<Value> delta = jsonl::member(choice, "delta")) {
    for (const std::string_view name : {"content", "reasoning_content", "reasoning", "tool_calls"}) {
      if (is_filled(jsonl::member(*delta, name))) return true;
    }
  }
  return is_filled(jsonl::member(choice, "text"));
}

std::optional<uint32_t> count(const Value& usage, std::string_view name) {
  const std::optional<Value> value = jsonl::member(usage, name);
  const std::optional<uint64_t> number = value ? value->as_uint64() : std::nullopt;
  if (!number || *number > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

std::string shortened(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const size_t next = size + std::max<size_t>(1, jsonl::utf8_length(text.substr(size)));
    if (next > kWords) break;
    size = next;
  }
  return std::string(text.substr(0, size));
}

}  // namespace

Completion read_completion(const jsonl::ObjectParser& json) {
  Completion out;
  for (const auto& [key, value] : json.members()) {
    if (key == "choices") {
      const std::optional<Value> choice = jsonl::element(value, 0);
      if (!choice) continue;
      out.token = brings_token(*choice);
      const std::optional<Value> reason = jsonl::member(*choice, "finish_reason");
      out.finished = reason && reason->kind != Kind::null;
    } else if (key == "usage") {
      out.prompt_tokens = count(value, "prompt_tokens");
      out.completion_tokens = count(value, "completion_tokens");
    } else if (key == "error") {
      out.failed = out.failed || value.kind != Kind::null;
    } else if (key == "object") {
      out.failed = out.failed || (value.kind == Kind::string && value.text == "error");
    }
  }
  return out;
}

std::string error_words(const jsonl::ObjectParser& json) {
  for (const std::string_view name : {"error", "message", "detail"}) {
    const Value* value = json.find(name);
    if (value == nullptr) continue;
    if (value->kind == Kind::string) return shortened(value->text);
    const std::optional<Value> message = jsonl::member(*value, "message");
    if (message && message->kind == Kind::string) return shortened(message->text);
  }
  return {};
}

}  // namespace mlq::replay
