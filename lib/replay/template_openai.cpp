// Chat and text completions of the OpenAI API, as vLLM, SGLang, TensorRT-LLM and llama.cpp serve them too.
#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/replay/completion.h"
#include "lib/replay/filler.h"
#include "lib/replay/template_forms.h"

namespace mlq::replay {
namespace {

constexpr uint64_t kUsualTokens = 16;                // of a prompt of which the arrival says nothing
constexpr uint64_t kMaxTokens = uint64_t{16} << 20;  // of a prompt
constexpr uint32_t kShort = 32, kLong = 160;         // words of the requests that measure
constexpr std::string_view kEnd = "/completions";

// What words cost on this server: tokens = around + per_word * words.
struct Tokens {
  double around = 0;
  double per_word = 1;

  uint64_t words(uint64_t tokens, double extra) const {
    const double words = std::floor((static_cast<double>(tokens) - extra) / per_word + 0.5);
    return words < 1 ? 1 : static_cast<uint64_t>(words);
  }
};

class OpenaiTemplate : public Template {
 public:
  OpenaiTemplate(const TemplateOptions& options, bool chat)
      : options_(options), chat_(chat), filler_(options.seed) {
    if (options_.target == "/") options_.target = chat ? "/v1/chat/completions" : "/v1/completions";
    if (options_.tokens_per_word) tokens_.per_word = *options_.tokens_per_word;
    if (options_.model) set_model(*options_.model);
  }

  void prepare(const Fetch& get) override {
    if (has_given(options_)) return;
    if (!options_.model) set_model(first_model(get));
    if (!options_.prompt_ids && !options_.tokens_per_word) measure(get);
  }

  std::vector<std::string> remarks() const override { return remarks_; }

  RequestLine render(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const override {
    if (!append_given(options_, arrival, i, body)) append_form(arrival, i, options_.stream, body);
    return {"POST", options_.target};
  }

  std::vector<std::string> headers() const override { return {"Content-Type: application/json"}; }
  std::string warm_target() const override { return models_target(); }
  AnswerRules answer_rules() const override { return rules_of(options_, "choices", true); }
  std::string_view api() const override { return chat_ ? "openai-chat" : "openai-completions"; }

 private:
  // Beside the path of the completions: /v1/models, behind whatever stands before /v1.
  std::string models_target() const {
    std::string_view path = path_of(options_.target);
    if (!path.ends_with(kEnd)) return "/v1/models";
    path.remove_suffix(kEnd.size());
    if (chat_ && path.ends_with("/chat")) path.remove_suffix(5);
    return std::string(path) + "/models";
  }

  void set_model(std::string_view model) {
    jsonl::Buffer head;
    head.raw("{\"model\":");
    if (head.string(model) > 0) throw usage_error("--model: the name is not UTF-8");
    head.raw(chat_ ? ",\"messages\":[{\"role\":\"user\",\"content\":" : ",\"prompt\":");
    head_ = head.view();
  }

  std::string first_model(const Fetch& get) {
    const std::string target = models_target();
    jsonl::OwnedObject json(fetch(get, target, "say --model NAME"));
    const jsonl::Value* data = json.ok() ? json.parser().find("data") : nullptr;
    const auto first = data ? jsonl::element(*data, 0) : std::nullopt;
    const auto id = first ? jsonl::member(*first, "id") : std::nullopt;
    if (!id || id->kind != jsonl::Kind::string)
      throw environment_error("GET {}: the answer names no model; say --model NAME", target);
    remarks_.push_back("model \"" + std::string(id->text) + "\", the first of " + target);
    return std::string(id->text);
  }

  void append_form(const records::Arrival& arrival, uint64_t i, bool stream, jsonl::Buffer& body) const {
    body.raw(head_);
    if (arrival.prompt) {
      append_text(*arrival.prompt, i, body);
    } else {
      append_filler(arrival, i, body);
    }
    if (chat_) body.raw("}]");
    if (arrival.output_tokens) {
      body.raw(",\"max_tokens\":");
      body.integer(std::max(1u, *arrival.output_tokens));  // servers refuse 0
    }
    body.raw(stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : ",\"stream\":false");
    body.raw(",\"temperature\":0");
    if (options_.ignore_eos) body.raw(",\"ignore_eos\":true");
    body.raw('}');
  }

  // The shared blocks in their order, then text of the request's own, cut at the length of the prompt.
  void append_filler(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const {
    const bool ids = options_.prompt_ids;
    const size_t blocks = arrival.prefix_ids ? arrival.prefix_ids->size() : 0;
    const uint64_t shared = blocks * options_.prefix_block_tokens;
    const uint64_t length = arrival.input_tokens ? *arrival.input_tokens : blocks > 0 ? shared : kUsualTokens;
    if (length > kMaxTokens)
      throw input_error("arrival {}: a prompt of {} tokens is over the limit of {}", i, length, kMaxTokens);
    const uint64_t block =
        ids ? options_.prefix_block_tokens : tokens_.words(options_.prefix_block_tokens, 0);
    uint64_t left = ids ? std::max<uint64_t>(1, length) : tokens_.words(length, tokens_.around);
    const size_t start = body.size();
    const auto append = [&](Content content, uint64_t index, uint64_t count) {
      const uint64_t n = std::min(left, count);
      left -= n;
      if (ids) {
        filler_.ids(content, index, n, body);
      } else {
        filler_.words(content, index, n, body);
      }
    };
    for (size_t k = 0; k < blocks && left > 0; ++k) append(Content::prefix, (*arrival.prefix_ids)[k], block);
    append(Content::request, i, left);
    // Every piece stands behind its separator; the first one makes room for the opening.
    body.data()[start] = ids ? '[' : '"';
    body.raw(ids ? ']' : '"');
  }

  // Two short requests of known words: the difference of what the server counts is that of their words.
  void measure(const Fetch& post) {
    const std::optional<uint32_t> few = counted(post, kShort);
    const std::optional<uint32_t> many = few ? counted(post, kLong) : std::nullopt;
    if (!many || *many <= *few) {
      remarks_.push_back("the server did not say how many tokens a prompt has: a word is taken for a token");
      return;
    }
    tokens_.per_word = static_cast<double>(*many - *few) / (kLong - kShort);
    tokens_.around = std::max(0.0, *few - kShort * tokens_.per_word);
    remarks_.push_back(fmt::format("{:.4g} tokens a word of filler text, {:.4g} around a prompt",
                                   tokens_.per_word, tokens_.around));
  }

  // usage.prompt_tokens of a prompt of `words`. A server that is busy is not one that is wrong.
  std::optional<uint32_t> counted(const Fetch& post, uint32_t words) const {
    records::Arrival arrival;
    arrival.input_tokens = words;
    arrival.output_tokens = 1;
    jsonl::Buffer body;
    append_form(arrival, ~uint64_t{0} - words, false, body);
    const Fetched got = post({options_.target, std::string(body.view())});
    if (got.status == 0) throw environment_error("POST {}: {}", options_.target, got.body);
    jsonl::OwnedObject json(got.body);
    if (got.status >= 400 && got.status < 500 && got.status != 429) {
      const std::string words_of_server = json.ok() ? error_words(json.parser()) : std::string();
      throw environment_error("POST {}: status {}{}{}", options_.target, got.status,
                              words_of_server.empty() ? "" : ": ", words_of_server);
    }
    if (got.status != 200 || !json.ok()) return std::nullopt;
    return read_completion(json.parser()).prompt_tokens;
  }

  TemplateOptions options_;
  bool chat_;
  Filler filler_;
  Tokens tokens_;
  std::string head_;
  std::vector<std::string> remarks_;
};

}  // namespace

std::unique_ptr<Template> make_openai(const TemplateOptions& options, bool chat) {
  return std::make_unique<OpenaiTemplate>(options, chat);
}

}  // namespace mlq::replay
