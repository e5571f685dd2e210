#include <optional>
#include <set>

#include "lib/base/error.h"
#include "lib/serve/model/onnx.h"

namespace mlq::serve::model {
namespace {

// One field of a message in protocol buffers' wire format: a number, or bytes.
struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

// Walks over the fields of a message (protobuf.dev/programming-guides/encoding). What is cut or of a form
// that messages do not have ends in ok() being false.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  bool next(Field& field) {
    if (!ok_ || rest_.empty()) return false;
    const uint64_t key = varint();
    field = {key >> 3, 0, {}};
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        ok_ = false;
    }
    return ok_;
  }
  bool ok() const { return ok_; }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::string_view byte = take(1);
      if (!ok_) return 0;
      value |= uint64_t{static_cast<unsigned char>(byte[0]) & 0x7Fu} << shift;
      if ((byte[0] & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view take(uint64_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

constexpr uint64_t kFloat = 1;  // TensorProto.DataType
constexpr uint64_t kLargestDimension = 1 << 24;

struct Value {
  std::string name;
  uint64_t element_type = 0;
  std::vector<uint64_t> shape;  // 0: not said, or by a name
};

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  ModelInfo model(std::string_view bytes) {
    std::string_view graph;
    walk(bytes, "the model", [&](const Field& field) {
      if (field.number == 7) graph = field.bytes;
    });
    if (graph.empty()) refuse("there is no graph in it");
    walk(graph, "the graph", [&](const Field& field) {
      if (field.number == 5) initializers_.insert(tensor_name(field.bytes));
      if (field.number == 11) inputs_.push_back(value(field.bytes));
      if (field.number == 12) outputs_.push_back(value(field.bytes));
    });
    return info();
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw input_error("{}: {}; the file is damaged, or no ONNX model that can be served", name_, what);
  }

  template <class Take>
  void walk(std::string_view bytes, const char* what, Take take) const {
    Message message(bytes);
    for (Field field; message.next(field);) take(field);
    if (!message.ok()) refuse(fmt::format("{} is cut or garbled", what));
  }

  std::string tensor_name(std::string_view bytes) const {
    std::string name;
    walk(bytes, "an initializer", [&](const Field& field) {
      if (field.number == 8) name = field.bytes;
    });
    return name;
  }

  Value value(std::string_view bytes) const {
    Value value;
    const auto dimension = [&](std::string_view text) {
      uint64_t& size = value.shape.emplace_back(0);
      walk(text, "a dimension", [&](const Field& field) {
        if (field.number == 1) size = field.value;
      });
    };
    const auto shape = [&](const Field& field) {
      if (field.number == 1) dimension(field.bytes);
    };
    const auto tensor = [&](const Field& field) {
      if (field.number == 1) value.element_type = field.value;
      if (field.number == 2) walk(field.bytes, "a shape", shape);
    };
    const auto type = [&](const Field& field) {
      if (field.number == 1) walk(field.bytes, "a tensor's type", tensor);
    };
    walk(bytes, "an input or output", [&](const Field& field) {
      if (field.number == 1) value.name = field.bytes;
      if (field.number == 2) walk(field.bytes, "a type", type);
    });
    return value;
  }

  // The sizes behind the batch's.
  std::vector<size_t> row_shape(const Value& value) const {
    if (value.element_type != kFloat)
      refuse(fmt::format("tensor \"{}\" is not of 32-bit floats", value.name));
    if (value.shape.empty()) refuse(fmt::format("tensor \"{}\" has no shape", value.name));
    std::vector<size_t> shape;
    uint64_t product = 1;
    for (size_t k = 1; k < value.shape.size(); ++k) {
      const uint64_t size = value.shape[k];
      if (size == 0) refuse(fmt::format("dimension {} of tensor \"{}\" is not fixed", k, value.name));
      if (size > kLargestDimension || (product *= size) > kLargestDimension)
        refuse(fmt::format("tensor \"{}\" has more than 2^24 values a row", value.name));
      shape.push_back(size);
    }
    return shape;
  }

  ModelInfo info() const {
    ModelInfo info{.platform = "onnx_opencv", .input_type = Datatype::fp32};
    size_t inputs = 0;
    for (const Value& input : inputs_) {
      if (initializers_.contains(input.name)) continue;  // as files of before IR version 4 list them
      if (++inputs > 1) refuse("it has several inputs");
      info.input = input.name;
      info.row_shape = row_shape(input);
    }
    if (inputs == 0) refuse("it has no input");
    if (info.row_shape.empty())
      refuse(fmt::format("input \"{}\" has no dimension but the batch's", info.input));
    for (const Value& output : outputs_) {
      const std::vector<size_t> shape = row_shape(output);
      size_t width = 1;
      for (const size_t size : shape) width *= size;
      info.outputs.push_back({output.name, Datatype::fp32, width, shape.empty()});
    }
    if (info.outputs.empty()) refuse("it has no output");
    return info;
  }

  const std::string& name_;
  std::set<std::string, std::less<>> initializers_;
  std::vector<Value> inputs_, outputs_;
};

}  // namespace

ModelInfo read_onnx_info(const std::string& name, std::string_view bytes) {
  return Reader(name).model(bytes);
}

}  // namespace mlq::serve::model
