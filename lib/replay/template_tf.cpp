// Prediction by TensorFlow Serving's REST API, in its row form (`instances`).
#include <algorithm>
#include <charconv>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/replay/template_forms.h"
#include "lib/replay/tensor.h"

namespace mlq::replay {
namespace {

constexpr std::string_view kModels = "/v1/models/", kPredict = ":predict";

using Found = std::optional<jsonl::Value>;

Found at(const Found& object, std::string_view key) {
  return object ? jsonl::member(*object, key) : std::nullopt;
}

class TfTemplate : public Template {
 public:
  explicit TfTemplate(const TemplateOptions& options)
      : options_(options), fills_(options), filler_(options.seed) {
    const std::string_view path = path_of(options_.target);
    const size_t models = path.find(kModels);
    if (models == path.npos || !path.ends_with(kPredict) ||
        models + kModels.size() + kPredict.size() >= path.size())
      throw usage_error("tf-serving: the URL's path must be /v1/models/M:predict");
    model_target_ = path.substr(0, path.size() - kPredict.size());
  }

  void prepare(const Fetch& get) override {
    if (has_given(options_)) return;
    jsonl::OwnedObject json(
        fetch(get, metadata_target(), "the form of a request is taken from the model's metadata"));
    const jsonl::Value* metadata = json.ok() ? json.parser().find("metadata") : nullptr;
    const Found outer = metadata ? jsonl::member(*metadata, "signature_def") : std::nullopt;
    std::vector<jsonl::Member> inputs;
    const Found list = at(signature(at(outer, "signature_def")), "inputs");
    if (!list || !jsonl::read_members(*list, inputs) || inputs.empty()) fail();
    // By name, since the server's order is that of a hash.
    std::sort(inputs.begin(), inputs.end(),
              [](const jsonl::Member& a, const jsonl::Member& b) { return a.key < b.key; });
    for (const jsonl::Member& input : inputs) add(input);
    fills_.check_names(tensors_);
    texts_ = std::count_if(tensors_.begin(), tensors_.end(),
                           [](const Tensor& t) { return t.element == Element::text; });
  }

  RequestLine render(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const override {
    if (!append_given(options_, arrival, i, body)) append_form(arrival, i, body);
    return {"POST", options_.target};
  }

  std::vector<std::string> headers() const override { return {"Content-Type: application/json"}; }
  std::string warm_target() const override { return model_target_; }
  AnswerRules answer_rules() const override { return rules_of(options_, "predictions", false); }
  std::string_view api() const override { return "tf-serving"; }

 private:
  std::string metadata_target() const { return model_target_ + "/metadata"; }

  [[noreturn]] void fail() const {
    throw environment_error("GET {}: the answer is no metadata with the inputs' names, types and shapes",
                            metadata_target());
  }

  // `serving_default`, or else the first that is not TensorFlow's own.
  Found signature(const Found& all) {
    std::vector<jsonl::Member> members;
    if (!all || !jsonl::read_members(*all, members)) return std::nullopt;
    for (const jsonl::Member& each : members) {
      if (each.key == "serving_default") return each.value;
    }
    for (const jsonl::Member& each : members) {
      if (each.key.starts_with("__")) continue;
      signature_ = each.key;
      return each.value;
    }
    return std::nullopt;
  }

  void add(const jsonl::Member& input) {
    const Found datatype = jsonl::member(input.value, "dtype");
    const Found shape = jsonl::member(input.value, "tensor_shape");
    const Found unknown = at(shape, "unknown_rank");
    const Found dims = at(shape, "dim");
    std::vector<jsonl::Value> sizes;
    if (!datatype || datatype->kind != jsonl::Kind::string || !shape) fail();
    if (!dims || !jsonl::read_elements(*dims, sizes) || sizes.empty() ||
        (unknown && unknown->kind == jsonl::Kind::boolean && unknown->boolean))
      throw environment_error(
          "GET {}: the input \"{}\" has no known shape with rows; give the request by --body",
          metadata_target(), input.key);
    std::vector<int64_t> numbers;
    for (const jsonl::Value& size : sizes) numbers.push_back(size_of(size));
    Tensor tensor = fills_.resolve(std::string(input.key), std::string(datatype->text), numbers);
    if (!tensors_.empty() && (tensors_.front().open_rows != tensor.open_rows ||
                              tensors_.front().shape.front() != tensor.shape.front()))
      throw environment_error(
          "GET {}: the inputs \"{}\" and \"{}\" differ in their rows; give the request by --body",
          metadata_target(), tensors_.front().name, tensor.name);
    tensors_.push_back(std::move(tensor));
  }

  // Sizes are 64-bit integers, which TensorFlow writes as text.
  int64_t size_of(const jsonl::Value& dim) const {
    const Found size = jsonl::member(dim, "size");
    if (!size) fail();
    std::optional<int64_t> number = size->as_int64();
    if (size->kind == jsonl::Kind::string) {
      int64_t value = 0;
      const char* end = size->text.data() + size->text.size();
      const auto [stop, error] = std::from_chars(size->text.data(), end, value);
      if (error == std::errc() && stop == end) number = value;
    }
    if (!number || *number < -1) fail();
    return *number;
  }

  void append_form(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const {
    if (arrival.prompt && texts_ != 1)
      throw input_error("arrival {}: it has a prompt, and the model has {} inputs of strings", i, texts_);
    const uint64_t rows = rows_of(tensors_, arrival, i);
    body.raw('{');
    if (!signature_.empty()) {
      body.raw("\"signature_name\":");
      body.string(signature_);
      body.raw(',');
    }
    body.raw("\"instances\":[");
    std::vector<ElementWriter> writers;
    for (size_t k = 0; k < tensors_.size(); ++k) writers.emplace_back(tensors_[k], filler_, k, i, arrival);
    for (uint64_t row = 0; row < rows; ++row) {
      for (size_t k = 0; k < tensors_.size(); ++k) {
        body.raw(k > 0 ? "," : row > 0 ? ",{" : "{");
        body.string(tensors_[k].name);
        body.raw(':');
        writers[k].nested_row(row, body);
      }
      body.raw('}');
    }
    body.raw("]}");
  }

  TemplateOptions options_;
  InputFills fills_;
  Filler filler_;
  std::string model_target_;
  std::string signature_;
  std::vector<Tensor> tensors_;
  ptrdiff_t texts_ = 0;
};

}  // namespace

std::unique_ptr<Template> make_tf(const TemplateOptions& options) {
  return std::make_unique<TfTemplate>(options);
}

}  // namespace mlq::replay
