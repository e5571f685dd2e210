// From an arrival to a request: the forms of the APIs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/records/arrival.h"
#include "lib/replay/answer.h"

namespace mlq::replay {

// What the user says of requests.
struct TemplateOptions {
  std::string api = "auto";  // auto (by the URL's path), raw, kserve-v2, openai-chat, openai-completions,
                             // tf-serving
  std::string target = "/";  // path and query of the URL; of OpenAI's APIs, / stands for the usual path
  std::optional<std::string> method;   // raw; default: GET, or POST with a body
  std::optional<std::string> body;     // the body of every request, as it is
  std::vector<std::string> bodies;     // bodies, taken in turn by i
  std::optional<uint64_t> body_bytes;  // raw: a body of this many seeded printable bytes
  std::optional<std::string> model;    // openai: "model" of the request; default: the first of /v1/models
  // kserve-v2, tf-serving: sizes of open dimensions by input name, in their order. The first dimension is
  // that of the rows, unless sizes are given for it too.
  std::vector<std::pair<std::string, uint64_t>> dims;
  // kserve-v2, tf-serving: NAME = random, zeros, seq or the path of a JSON file with the values of one row
  // (of the whole input, where it has no rows); default: random.
  std::vector<std::pair<std::string, std::string>> inputs;
  bool stream = true;                     // openai: ask for a stream
  bool ignore_eos = false;                // openai, vLLM
  bool prompt_ids = false;                // openai-completions: the prompt as token ids
  std::optional<double> tokens_per_word;  // openai: of filler text; default: measured by two short requests
  uint32_t prefix_block_tokens = 512;     // from the trace's run record
  Check check = Check::json;
  double stall_factor = 5;
  bool keep_gaps = false;
  uint64_t seed = 1;
};

// A request to the same server, made once, before the start: with headers(), if it has a body, as a POST.
struct FetchRequest {
  std::string target;
  std::string body;
};
struct Fetched {
  long status = 0;  // 0: no answer; `body` says why
  std::string body;
};
using Fetch = std::function<Fetched(const FetchRequest& request)>;

// The request line of one rendered request; the body was appended to the buffer. Views are valid as long as
// the arrival and the template.
struct RequestLine {
  std::string_view method;
  std::string_view target;  // path and query
};

// Immutable after prepare(); render() is thread-safe.
class Template {
 public:
  virtual ~Template() = default;
  // Asks the server what must be known (metadata of the model, its name, tokens per word). An environment
  // Error if it does not say; a usage Error if the options do not fit what it says. To be called once, before
  // render().
  virtual void prepare(const Fetch&) {}
  // What prepare() found out, for people: lines without an end.
  virtual std::vector<std::string> remarks() const { return {}; }
  // Appends the body of the request of `arrival`, whose index is `i`. An input Error if the arrival asks for
  // what this API cannot say. The same arrival, index, options and findings of prepare() give the same bytes.
  // `body` of the arrival, else of the options, is sent as it is; else the API's form is filled in: with
  // `prompt`, with words or token ids for input_tokens and prefix_ids, with tensors of `rows`. Bodies that
  // are rendered are valid JSON (raw: bytes).
  virtual RequestLine render(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const = 0;
  // Headers of every request, as "Name: value". The user's own of the same name stand instead.
  virtual std::vector<std::string> headers() const { return {}; }
  // What to GET when connections are opened before the start; empty: nothing is known to be harmless.
  virtual std::string warm_target() const { return {}; }
  virtual AnswerRules answer_rules() const = 0;
  // The API's name, as in --api.
  virtual std::string_view api() const = 0;
};

// A usage Error if the options do not fit the API; reads the files of `inputs`.
std::unique_ptr<Template> make_template(const TemplateOptions& options);

struct ApiInfo {
  std::string_view name;
  std::string_view summary;
};
// For help texts, auto first.
const std::vector<ApiInfo>& api_infos();

}  // namespace mlq::replay
