// Inference by KServe's open protocol, version 2 (Triton, OpenVINO Model Server, KServe, mlserver).
#include <algorithm>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/replay/template_forms.h"
#include "lib/replay/tensor.h"

namespace mlq::replay {
namespace {

constexpr std::string_view kModels = "/v2/models/", kInfer = "/infer";

class KserveTemplate : public Template {
 public:
  explicit KserveTemplate(const TemplateOptions& options)
      : options_(options), fills_(options), filler_(options.seed) {
    const std::string_view path = path_of(options_.target);
    const size_t models = path.find(kModels);
    if (models == path.npos || !path.ends_with(kInfer) ||
        models + kModels.size() + kInfer.size() >= path.size())
      throw usage_error(
          "kserve-v2: the URL's path must be /v2/models/M/infer or /v2/models/M/versions/V/infer");
    model_target_ = path.substr(0, path.size() - kInfer.size());
    warm_target_ = std::string(path.substr(0, models)) + "/v2/health/live";
  }

  void prepare(const Fetch& get) override {
    if (has_given(options_)) return;
    jsonl::OwnedObject json(
        fetch(get, model_target_, "the form of a request is taken from the model's metadata"));
    std::vector<jsonl::Value> inputs;
    const jsonl::Value* list = json.ok() ? json.parser().find("inputs") : nullptr;
    if (list == nullptr || !jsonl::read_elements(*list, inputs) || inputs.empty()) fail();
    for (const jsonl::Value& input : inputs) add(input);
    fills_.check_names(tensors_);
    texts_ = std::count_if(tensors_.begin(), tensors_.end(),
                           [](const Tensor& t) { return t.element == Element::text; });
  }

  RequestLine render(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const override {
    if (!append_given(options_, arrival, i, body)) append_form(arrival, i, body);
    return {"POST", options_.target};
  }

  std::vector<std::string> headers() const override { return {"Content-Type: application/json"}; }
  std::string warm_target() const override { return warm_target_; }
  AnswerRules answer_rules() const override { return rules_of(options_, "outputs", false); }
  std::string_view api() const override { return "kserve-v2"; }

 private:
  [[noreturn]] void fail() const {
    throw environment_error("GET {}: the answer is no metadata with the inputs' names, datatypes and shapes",
                            model_target_);
  }

  void add(const jsonl::Value& input) {
    const auto name = jsonl::member(input, "name");
    const auto datatype = jsonl::member(input, "datatype");
    const auto shape = jsonl::member(input, "shape");
    std::vector<jsonl::Value> sizes;
    if (!name || name->kind != jsonl::Kind::string || !datatype || datatype->kind != jsonl::Kind::string ||
        !shape || !jsonl::read_elements(*shape, sizes))
      fail();
    std::vector<int64_t> numbers;
    for (const jsonl::Value& size : sizes) {
      const std::optional<int64_t> number = size.as_int64();
      if (!number || *number < -1) fail();
      numbers.push_back(*number);
    }
    tensors_.push_back(fills_.resolve(std::string(name->text), std::string(datatype->text), numbers));
  }

  void append_form(const records::Arrival& arrival, uint64_t i, jsonl::Buffer& body) const {
    if (arrival.prompt && texts_ != 1)
      throw input_error("arrival {}: it has a prompt, and the model has {} inputs of BYTES", i, texts_);
    const uint64_t rows = rows_of(tensors_, arrival, i);
    body.raw("{\"id\":\"");
    body.integer(i);
    body.raw("\",\"inputs\":[");
    for (size_t k = 0; k < tensors_.size(); ++k) {
      if (k > 0) body.raw(',');
      append_tensor(k, arrival, i, rows, body);
    }
    body.raw("]}");
  }

  void append_tensor(size_t place, const records::Arrival& arrival, uint64_t i, uint64_t rows,
                     jsonl::Buffer& body) const {
    const Tensor& tensor = tensors_[place];
    body.raw("{\"name\":");
    body.string(tensor.name);
    body.raw(",\"shape\":[");
    for (size_t d = 0; d < tensor.shape.size(); ++d) {
      if (d > 0) body.raw(',');
      body.integer(d == 0 && tensor.open_rows ? rows : tensor.shape[d]);
    }
    body.raw("],\"datatype\":");
    body.string(tensor.datatype);
    body.raw(",\"data\":[");
    ElementWriter(tensor, filler_, place, i, arrival)
        .flat(0, tensor.row_size() * (tensor.open_rows ? rows : 1), body);
    body.raw("]}");
  }

  TemplateOptions options_;
  InputFills fills_;
  Filler filler_;
  std::string model_target_;
  std::string warm_target_;
  std::vector<Tensor> tensors_;
  ptrdiff_t texts_ = 0;
};

}  // namespace

std::unique_ptr<Template> make_kserve(const TemplateOptions& options) {
  return std::make_unique<KserveTemplate>(options);
}

}  // namespace mlq::replay
