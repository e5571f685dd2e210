#include "lib/replay/template.h"

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/replay/completion.h"
#include "lib/replay/template_forms.h"

namespace mlq::replay {
namespace {

std::string_view api_of_path(std::string_view path) {
  if (path.ends_with("/v1/chat/completions")) return "openai-chat";
  if (path.ends_with("/v1/completions")) return "openai-completions";
  if (path.find("/v2/models/") != path.npos && path.ends_with("/infer")) return "kserve-v2";
  if (path.find("/v1/models/") != path.npos && path.ends_with(":predict")) return "tf-serving";
  return "raw";
}

void check_options(const TemplateOptions& options, std::string_view api) {
  const bool openai = api.starts_with("openai-");
  const bool tensors = api == "kserve-v2" || api == "tf-serving";
  const auto only = [&](bool given, bool fits, std::string_view what, std::string_view where) {
    if (given && !fits) throw usage_error("{} is for {}; the API here is {}", what, where, api);
  };
  only(options.method.has_value(), api == "raw", "--method", "the API raw");
  only(options.body_bytes.has_value(), api == "raw", "--body-bytes", "the API raw");
  only(options.model.has_value(), openai, "--model", "OpenAI's APIs");
  only(options.ignore_eos, openai, "--ignore-eos", "OpenAI's APIs");
  only(options.tokens_per_word.has_value(), openai, "--tokens-per-word", "OpenAI's APIs");
  only(options.prompt_ids, api == "openai-completions", "--prompt-as ids", "the API openai-completions");
  only(!options.dims.empty(), tensors, "--dim", "the APIs kserve-v2 and tf-serving");
  only(!options.inputs.empty(), tensors, "--input", "the APIs kserve-v2 and tf-serving");
  if (options.body.has_value() + !options.bodies.empty() + options.body_bytes.has_value() > 1)
    throw usage_error("--body, --bodies and --body-bytes exclude each other");
  if (options.tokens_per_word && !(*options.tokens_per_word >= 0.1 && *options.tokens_per_word <= 100))
    throw usage_error("--tokens-per-word {}: it must lie between 0.1 and 100", *options.tokens_per_word);
  if (options.prefix_block_tokens == 0) throw usage_error("a prefix block has one token at least");
}

}  // namespace

const std::vector<ApiInfo>& api_infos() {
  static const std::vector<ApiInfo> infos = {
      {"auto", "by the URL's path: one of the following, raw where none fits"},
      {"raw", "any request: --method, --header, --body; ok is a status of 2xx"},
      {"kserve-v2", "/v2/models/M/infer (Triton, OpenVINO, KServe): tensors as its metadata says"},
      {"openai-chat", "/v1/chat/completions: a user message, answered as a token stream"},
      {"openai-completions", "/v1/completions: a prompt, answered as a token stream"},
      {"tf-serving", "/v1/models/M:predict: instances as its metadata says"},
  };
  return infos;
}

std::unique_ptr<Template> make_template(const TemplateOptions& options) {
  const std::string_view api =
      options.api == "auto" ? api_of_path(path_of(options.target)) : std::string_view(options.api);
  check_options(options, api);
  if (api == "raw") return make_raw(options);
  if (api == "openai-chat") return make_openai(options, true);
  if (api == "openai-completions") return make_openai(options, false);
  if (api == "kserve-v2") return make_kserve(options);
  if (api == "tf-serving") return make_tf(options);
  throw usage_error(
      "--api {}: there is no such API; there are auto, raw, kserve-v2, openai-chat, "
      "openai-completions and tf-serving",
      api);
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool has_given(const TemplateOptions& options) { return options.body || !options.bodies.empty(); }

bool append_given(const TemplateOptions& options, const records::Arrival& arrival, uint64_t i,
                  jsonl::Buffer& body) {
  if (arrival.body) {
    body.raw(*arrival.body);
  } else if (options.body) {
    body.raw(*options.body);
  } else if (!options.bodies.empty()) {
    body.raw(options.bodies[i % options.bodies.size()]);
  } else {
    return false;
  }
  return true;
}

void append_text(std::string_view text, uint64_t i, jsonl::Buffer& body) {
  if (body.string(text) > 0) throw input_error("arrival {}: its prompt is not UTF-8", i);
}

AnswerRules rules_of(const TemplateOptions& options, std::string_view member, bool tokens) {
  return {.check = options.check,
          .member = std::string(member),
          .tokens = tokens,
          .stall_factor = options.stall_factor,
          .keep_gaps = options.keep_gaps};
}

std::string fetch(const Fetch& get, const std::string& target, std::string_view hint) {
  Fetched got = get({target, {}});
  if (got.status == 0) throw environment_error("GET {}: {}", target, got.body);
  if (got.status == 200) return std::move(got.body);
  jsonl::OwnedObject json(got.body);
  const std::string words = json.ok() ? error_words(json.parser()) : std::string();
  throw environment_error("GET {}: status {}{}{}; {}", target, got.status, words.empty() ? "" : ": ", words,
                          hint);
}

}  // namespace mlq::replay
