// Requests: what is accepted may be merged into valid JSON, which is accepted in turn with all its rows;
// nothing is read outside of the body.
#include <vector>

#include "lib/serve/protocol/batch_key.h"
#include "lib/serve/protocol/cache_key.h"
#include "lib/serve/protocol/merge.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"
#include "lib/serve/protocol/values.h"
#include "tests/fuzz/body_line.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::serve;

bool inside(std::string_view part, std::string_view body) {
  return part.empty() ||
         (part.data() >= body.data() && part.data() + part.size() <= body.data() + body.size());
}

// The merged body of three times the same request.
UpstreamBody thrice(const ParsedRequest& request) {
  const ParsedRequest* batch[] = {&request, &request, &request};
  const UpstreamBody merged = merge(batch, "mlq-1");
  MLQ_FUZZ_CLAIM(merged.rows == 3 * request.rows && !merged.untouched);
  return merged;
}

void use_values(const ParsedRequest& request) {
  for (const InputTensor& tensor : request.inputs) {
    std::vector<double> values;
    if (!read_values(tensor, values) && tensor.datatype != Datatype::bytes && !tensor.data.empty())
      MLQ_FUZZ_CLAIM(values.size() == tensor.elements);
  }
}

void check_v2(std::string_view body, std::optional<uint64_t> json_bytes) {
  ParsedRequest request;
  const Rules rules{.max_rows = 1 << 20};
  if (const auto refusal = parse_v2(body, json_bytes, rules, request)) {
    MLQ_FUZZ_CLAIM(refusal->status == 400 && !refusal->message.empty());
    return;
  }
  for (const InputTensor& tensor : request.inputs)
    MLQ_FUZZ_CLAIM(inside(tensor.data, body) && inside(tensor.name, body));
  MLQ_FUZZ_CLAIM(request.level >= 1 && request.level <= 8 && request.timeout_ns >= 0);
  if (json_bytes != uint64_t{0}) MLQ_FUZZ_CLAIM(is_json(body.substr(0, json_bytes.value_or(body.size()))));
  use_values(request);
  if (!request.alone.empty()) return;
  MLQ_FUZZ_CLAIM(request.rows > 0);
  const UpstreamBody merged = thrice(request);
  const std::string text = merged.body.text();
  MLQ_FUZZ_CLAIM(is_json(std::string_view(text).substr(0, merged.json_bytes.value_or(text.size()))));
  ParsedRequest again;
  const Rules wide{.max_rows = 3 << 20};
  MLQ_FUZZ_CLAIM(!parse_v2(text, merged.json_bytes, wide, again) && again.alone.empty());
  MLQ_FUZZ_CLAIM(again.rows == 3 * request.rows && again.id == "mlq-1");
  MLQ_FUZZ_CLAIM(batch_key(again, "m", "", "") == batch_key(request, "m", "", ""));
  std::string cache_text;
  append_cache_text(request, cache_text);
  MLQ_FUZZ_CLAIM(cache_text.size() >= 8 * request.inputs.size());
}

void check_rows(std::string_view body, bool v1) {
  ParsedRequest request;
  const Rules rules{.max_rows = 1 << 20};
  const auto parse = [&](std::string_view text, ParsedRequest& out) {
    return v1 ? parse_v1(text, rules, out) : parse_plain(text, {"/a/0", "/b"}, rules, out);
  };
  if (const auto refusal = parse(body, request)) {
    MLQ_FUZZ_CLAIM(!refusal->message.empty());
    return;
  }
  MLQ_FUZZ_CLAIM(is_json(body));
  std::vector<float> values;
  size_t width = 0;
  if (!read_rows(request, values, width)) MLQ_FUZZ_CLAIM(values.size() == width * request.rows);
  if (!request.alone.empty()) return;
  const std::string text = thrice(request).body.text();
  MLQ_FUZZ_CLAIM(is_json(text));
  ParsedRequest again;
  MLQ_FUZZ_CLAIM(!parse(text, again));
  MLQ_FUZZ_CLAIM(again.rows == 3 * request.rows && again.row_skeleton == request.row_skeleton);
  MLQ_FUZZ_CLAIM(batch_key(again, "m", "", "") == batch_key(request, "m", "", ""));
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  std::optional<uint64_t> json_bytes;
  // An allocation of its own, so that a read behind the end is seen.
  const std::string_view body = body_of(text_of(data, size), json_bytes);
  const std::vector<char> exact(body.begin(), body.end());
  const std::string_view text(exact.data(), exact.size());
  check_v2(text, json_bytes);
  check_rows(text, true);
  check_rows(text, false);
  return 0;
}
