#include "lib/replay/tensor.h"

#include <algorithm>
#include <array>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/jsonl/object.h"
#include "lib/replay/template_forms.h"

namespace mlq::replay {
namespace {

constexpr uint64_t kMaxElements = uint64_t{64} << 20;
constexpr uint64_t kUsualWords = 8;  // of an element of text of which the arrival says nothing

struct Datatype {
  std::string_view kserve, tensorflow;
  Element element;
};
constexpr std::array<Datatype, 13> kDatatypes = {{
    {"BOOL", "DT_BOOL", Element::boolean},
    {"UINT8", "DT_UINT8", Element::uint8},
    {"UINT16", "DT_UINT16", Element::uint16},
    {"UINT32", "DT_UINT32", Element::uint32},
    {"UINT64", "DT_UINT64", Element::uint64},
    {"INT8", "DT_INT8", Element::int8},
    {"INT16", "DT_INT16", Element::int16},
    {"INT32", "DT_INT32", Element::int32},
    {"INT64", "DT_INT64", Element::int64},
    {"FP16", "DT_HALF", Element::real},
    {"FP32", "DT_FLOAT", Element::real},
    {"FP64", "DT_DOUBLE", Element::real},
    {"BYTES", "DT_STRING", Element::text},
}};

// The largest value of an integer type, so that a sequence stays in it.
uint64_t largest(Element element) {
  switch (element) {
    case Element::boolean:
      return 1;
    case Element::uint8:
      return std::numeric_limits<uint8_t>::max();
    case Element::int8:
      return std::numeric_limits<int8_t>::max();
    case Element::uint16:
      return std::numeric_limits<uint16_t>::max();
    case Element::int16:
      return std::numeric_limits<int16_t>::max();
    default:
      return std::numeric_limits<int32_t>::max();
  }
}

// What kind of JSON value an element takes.
Element kind_of(Element element) {
  return element == Element::boolean || element == Element::text ? element : Element::real;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

}  // namespace

std::optional<Element> element_named(std::string_view datatype) {
  for (const Datatype& each : kDatatypes) {
    if (datatype == each.kserve || datatype == each.tensorflow) return each.element;
  }
  return std::nullopt;
}

uint64_t Tensor::row_size() const {
  uint64_t size = 1;
  for (const uint64_t n : shape) size *= n;
  return size;
}

InputFills::InputFills(const TemplateOptions& options) : dims_(options.dims) {
  for (const auto& [name, size] : dims_) {
    if (size == 0 || size > kMaxElements)
      throw usage_error("--dim {}={}: a size lies between 1 and {}", name, size, kMaxElements);
  }
  for (const auto& [name, how] : options.inputs) {
    for (const Choice& before : choices_) {
      if (before.name == name) throw usage_error("--input {} is given twice", name);
    }
    const Fill fill = how == "random"  ? Fill::random
                      : how == "zeros" ? Fill::zeros
                      : how == "seq"   ? Fill::seq
                                       : Fill::file;
    choices_.push_back({name, fill, fill == Fill::file ? read_values(how) : File{}});
  }
}

// Arrays in the file may lie in each other; only the order of the values counts.
InputFills::File InputFills::read_values(const std::string& path) {
  jsonl::OwnedObject json("{\"values\":" + read_file(path, size_t{64} << 20) + "}");
  File file{path, {}, {}};
  std::vector<jsonl::Value> stack;
  if (!json.ok() || json.parser().members().size() != 1 ||
      !jsonl::read_elements(json.parser().members()[0].value, stack))
    throw input_error("{}: this is no JSON array of values", path);
  std::reverse(stack.begin(), stack.end());
  while (!stack.empty()) {
    const jsonl::Value value = stack.back();
    stack.pop_back();
    const size_t before = stack.size();
    if (jsonl::read_elements(value, stack)) {
      std::reverse(stack.begin() + static_cast<ptrdiff_t>(before), stack.end());
      continue;
    }
    jsonl::Buffer text;
    Element kind = Element::real;
    if (value.kind == jsonl::Kind::boolean) {
      text.boolean(value.boolean);
      kind = Element::boolean;
    } else if (value.kind == jsonl::Kind::string) {
      text.string(value.text);
      kind = Element::text;
    } else if (value.kind == jsonl::Kind::signed_integer) {
      text.integer(value.signed_integer);
    } else if (value.kind == jsonl::Kind::unsigned_integer) {
      text.integer(value.unsigned_integer);
    } else if (value.kind == jsonl::Kind::real) {
      text.number(value.real);
    } else {
      throw input_error("{}: values are numbers, booleans or strings", path);
    }
    file.values.emplace_back(text.view());
    file.kinds.push_back(kind);
  }
  return file;
}

Tensor InputFills::resolve(std::string name, std::string datatype, const std::vector<int64_t>& shape) const {
  Tensor tensor;
  const std::optional<Element> element = element_named(datatype);
  if (!element)
    throw environment_error("the model's input \"{}\" has the datatype {}, which JSON does not carry", name,
                            datatype);
  tensor.element = *element;
  std::vector<uint64_t> sizes;
  for (const auto& [input, size] : dims_) {
    if (input == name) sizes.push_back(size);
  }
  const auto open = static_cast<size_t>(std::count(shape.begin(), shape.end(), -1));
  tensor.open_rows = !shape.empty() && shape.front() == -1 && sizes.size() < open;
  const size_t needed = open - tensor.open_rows;
  if (sizes.size() != needed)
    throw usage_error(
        "the model's input \"{}\" has the shape {}: {} of its sizes are open and {} given; say "
        "--dim {}=N for each in turn",
        name, shape_text(shape), needed, sizes.size(), name);
  auto next = sizes.begin();
  uint64_t elements = 1;
  for (size_t k = 0; k < shape.size(); ++k) {
    const bool is_rows = k == 0 && tensor.open_rows;
    const int64_t size = is_rows ? 1 : shape[k] == -1 ? static_cast<int64_t>(*next++) : shape[k];
    if (size < 0 || (size > 0 && elements > kMaxElements / static_cast<uint64_t>(size)))
      throw environment_error("the model's input \"{}\" has the shape {}, which is none or over {} elements",
                              name, shape_text(shape), kMaxElements);
    elements *= static_cast<uint64_t>(size);
    tensor.shape.push_back(static_cast<uint64_t>(size));
  }
  tensor.name = std::move(name);
  tensor.datatype = std::move(datatype);
  fill(tensor);
  return tensor;
}

void InputFills::fill(Tensor& tensor) const {
  const auto choice =
      std::find_if(choices_.begin(), choices_.end(), [&](const Choice& c) { return c.name == tensor.name; });
  if (choice == choices_.end()) return;
  tensor.fill = choice->fill;
  if (tensor.fill != Fill::file) return;
  const File& file = choice->file;
  if (file.values.size() != tensor.row_size())
    throw usage_error("--input {}={}: the file has {} values, and {} takes {}", tensor.name, file.path,
                      file.values.size(), tensor.open_rows ? "a row" : "the input", tensor.row_size());
  const Element kind = kind_of(tensor.element);
  if (std::any_of(file.kinds.begin(), file.kinds.end(), [&](Element each) { return each != kind; }))
    throw usage_error("--input {}={}: the file has values that are no {}", tensor.name, file.path,
                      tensor.datatype);
  tensor.values = file.values;
}

void InputFills::check_names(const std::vector<Tensor>& tensors) const {
  const auto check = [&](std::string_view option, const std::string& name) {
    std::vector<std::string_view> names;
    for (const Tensor& tensor : tensors) {
      if (tensor.name == name) return;
      names.push_back(tensor.name);
    }
    throw usage_error("{} {}: the model has no such input; it has {}", option, name, fmt::join(names, ", "));
  };
  for (const auto& [name, size] : dims_) check("--dim", name);
  for (const Choice& choice : choices_) check("--input", choice.name);
}

uint64_t rows_of(const std::vector<Tensor>& tensors, const records::Arrival& arrival, uint64_t i) {
  const bool open = std::any_of(tensors.begin(), tensors.end(), [](const Tensor& t) { return t.open_rows; });
  const uint64_t fixed = tensors.empty() || tensors.front().shape.empty() ? 1 : tensors.front().shape.front();
  if (!open) {
    // One row is what every request is, whatever the first dimension means.
    if (arrival.rows.value_or(1) != 1 && *arrival.rows != fixed)
      throw input_error("arrival {}: it has {} rows, and the model takes {} only", i, *arrival.rows, fixed);
    return fixed;
  }
  const uint64_t rows = arrival.rows.value_or(1);
  for (const Tensor& tensor : tensors) {
    if (rows == 0 || (tensor.open_rows && rows * std::max<uint64_t>(1, tensor.row_size()) > kMaxElements))
      throw input_error("arrival {}: {} rows are none or over {} elements", i, rows, kMaxElements);
  }
  return rows;
}

ElementWriter::ElementWriter(const Tensor& tensor, const Filler& filler, size_t place, uint64_t i,
                             const records::Arrival& arrival)
    : tensor_(tensor),
      filler_(filler),
      content_(static_cast<Content>(static_cast<uint32_t>(Content::tensor) + place)),
      i_(i),
      arrival_(arrival) {}

void ElementWriter::flat(uint64_t begin, uint64_t end, jsonl::Buffer& out) {
  for (uint64_t k = begin; k < end; ++k) {
    if (k > begin) out.raw(',');
    one(k, out);
  }
}

void ElementWriter::nested_row(uint64_t row, jsonl::Buffer& out) {
  uint64_t size = 1;
  for (size_t d = 1; d < tensor_.shape.size(); ++d) size *= tensor_.shape[d];
  uint64_t k = row * size;
  nest(1, k, out);
}

void ElementWriter::nest(size_t dimension, uint64_t& k, jsonl::Buffer& out) {
  if (dimension >= tensor_.shape.size()) return one(k++, out);
  out.raw('[');
  for (uint64_t n = 0; n < tensor_.shape[dimension]; ++n) {
    if (n > 0) out.raw(',');
    nest(dimension + 1, k, out);
  }
  out.raw(']');
}

void ElementWriter::one(uint64_t k, jsonl::Buffer& out) {
  const Element element = tensor_.element;
  if (element == Element::text && arrival_.prompt) return append_text(*arrival_.prompt, i_, out);
  switch (tensor_.fill) {
    case Fill::random:
      return random(k, out);
    case Fill::file:
      return out.raw(tensor_.values[k % tensor_.values.size()]);
    case Fill::zeros:
      return out.raw(element == Element::boolean ? "false" : element == Element::text ? "\"\"" : "0");
    case Fill::seq: {
      const uint64_t value = k % (largest(element) + 1);
      if (element == Element::boolean) return out.boolean(value == 1);
      if (element == Element::text) out.raw('"');
      out.integer(value);
      if (element == Element::text) out.raw('"');
      return;
    }
  }
}

void ElementWriter::random(uint64_t k, jsonl::Buffer& out) {
  switch (tensor_.element) {
    case Element::text:
      return words(k, out);
    case Element::boolean:
      return out.boolean(draw(k) & 1);
    case Element::uint8:
      return out.integer(draw(k) >> 8);
    case Element::int8:
      return out.integer((draw(k) >> 8) - 128);
    case Element::real: {
      const uint32_t value = uint32_t{draw(k)} * 10'000 >> 16;
      const char digit[4] = {static_cast<char>('0' + value / 1'000),
                             static_cast<char>('0' + value / 100 % 10),
                             static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
      out.raw("0.");
      return out.raw({digit, 4});
    }
    default:
      return out.integer(uint32_t{draw(k)} * 1'000 >> 16);
  }
}

void ElementWriter::words(uint64_t k, jsonl::Buffer& out) const {
  const uint64_t count = std::max<uint64_t>(1, arrival_.input_tokens.value_or(kUsualWords));
  const size_t start = out.size();
  filler_.words(content_, i_, count, out, k * ((count + 15) / 16 * 16));
  out.data()[start] = '"';  // over the space before the first word
  out.raw('"');
}

uint16_t ElementWriter::draw(uint64_t k) {
  if (k / 8 != drawn_) {
    drawn_ = k / 8;
    bits_ = filler_.draws().bits(i_, static_cast<uint32_t>(drawn_), static_cast<uint32_t>(content_));
  }
  const uint32_t lane = k % 8;
  const uint32_t word = lane < 2 ? bits_.c0 : lane < 4 ? bits_.c1 : lane < 6 ? bits_.c2 : bits_.c3;
  return static_cast<uint16_t>(word >> (lane % 2 * 16));
}

}  // namespace mlq::replay
