// Any request: what the options and the arrival say, and nothing else.
#include <algorithm>

#include "lib/base/error.h"
#include "lib/replay/filler.h"
#include "lib/replay/template_forms.h"

namespace mlq::replay {
namespace {

// A token of RFC 9110, section 5.6.2.
bool is_method(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           marks.find(c) != marks.npos;
  });
}

// What may stand in a request line without ending it.
bool is_target(std::string_view text) {
  return text.starts_with('/') &&
         std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c <= ' ') || c == '\x7F'; });
}

// By its brackets, as servers that want JSON get nothing else.
bool looks_like_json(std::string_view body) {
  constexpr std::string_view blanks = " \t\r\n";
  const size_t first = body.find_first_not_of(blanks);
  if (first == body.npos) return false;
  const char last = body[body.find_last_not_of(blanks)];
  return (body[first] == '{' && last == '}') || (body[first] == '[' && last == ']');
}

class RawTemplate : public Template {
 public:
  explicit RawTemplate(const TemplateOptions& options) : options_(options), filler_(options.seed) {
    if (options.method && !is_method(*options.method))
      throw usage_error("--method {}: this is no HTTP method", *options.method);
  }

  RequestLine render(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const override {
    if (arrival.method && !is_method(*arrival.method))
      throw input_error("arrival {}: \"{}\" is no HTTP method", i, *arrival.method);
    if (arrival.path && !is_target(*arrival.path))
      throw input_error("arrival {}: its path is no request target: it must begin with / and have no space",
                        i);
    const size_t before = body.size();
    append_body(arrival, i, body);
    const std::string_view usual = body.size() > before ? "POST" : "GET";
    return {arrival.method    ? *arrival.method
            : options_.method ? std::string_view(*options_.method)
                              : usual,
            arrival.path ? *arrival.path : std::string_view(options_.target)};
  }

  std::vector<std::string> headers() const override {
    const bool json = options_.body
                          ? looks_like_json(*options_.body)
                          : !options_.bodies.empty() && std::ranges::all_of(options_.bodies, looks_like_json);
    if (!json) return {};
    return {"Content-Type: application/json"};
  }
  AnswerRules answer_rules() const override { return rules_of(options_, "", false); }
  std::string_view api() const override { return "raw"; }

 private:
  // size_bytes of an arrival that comes from a log (it has a method) is what the server sent.
  void append_body(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const {
    if (arrival.prompt && !arrival.body) {
      body.raw(*arrival.prompt);
    } else if (!append_given(options_, arrival, i, body)) {
      const std::optional<uint64_t> size =
          arrival.size_bytes && !arrival.method ? arrival.size_bytes : options_.body_bytes;
      if (size.value_or(0) > kMaxBody)
        throw input_error("arrival {}: a body of {} bytes is over the limit of 256 MiB", i, *size);
      filler_.bytes(i, size.value_or(0), body);
    }
  }

  static constexpr uint64_t kMaxBody = uint64_t{256} << 20;

  TemplateOptions options_;
  Filler filler_;
};

}  // namespace

std::unique_ptr<Template> make_raw(const TemplateOptions& options) {
  return std::make_unique<RawTemplate>(options);
}

}  // namespace mlq::replay
