// The input tensors of a model, as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/replay/filler.h"
#include "lib/replay/template.h"

namespace mlq::replay {

enum class Element : uint8_t {
  boolean,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  real,
  text
};
// Of a datatype by its name in KServe's protocol (FP32) or TensorFlow's (DT_FLOAT); none if JSON cannot carry
// it.
std::optional<Element> element_named(std::string_view datatype);

enum class Fill : uint8_t {
  random,  // BOOL: either; 8-bit integers: all of them; other integers: 0 to 999; reals: 0.0000 to 0.9999 in
           // steps of 0.0001; BYTES: words
  zeros,   // 0, false, ""
  seq,     // 0, 1, 2, ... by place in the tensor, from 0 again past the largest value of the type
  file,    // values of a row, the same for each
};

struct Tensor {
  std::string name;
  std::string datatype;
  Element element = Element::real;
  bool open_rows = false;       // the first dimension is the number of rows, and free
  std::vector<uint64_t> shape;  // where open_rows, the first is 1
  Fill fill = Fill::random;
  std::vector<std::string> values;  // file: JSON text of each

  uint64_t row_size() const;  // elements of one row; of the whole tensor, if it has no rows
};

// How the user wants inputs filled; reads the files. A usage Error on a name given twice, an input Error on a
// file that is no JSON array of values.
class InputFills {
 public:
  explicit InputFills(const TemplateOptions& options);
  // A tensor of the shape that metadata has (-1: open). A usage Error names the input and the option where a
  // size is missing or a file does not fit; an environment Error where the datatype is none for JSON.
  Tensor resolve(std::string name, std::string datatype, const std::vector<int64_t>& shape) const;
  // A usage Error if --dim or --input names an input that the model does not have.
  void check_names(const std::vector<Tensor>& tensors) const;

 private:
  struct File {
    std::string path;
    std::vector<std::string> values;
    std::vector<Element> kinds;  // boolean, real or text
  };
  struct Choice {
    std::string name;
    Fill fill;
    File file;
  };
  static File read_values(const std::string& path);
  void fill(Tensor& tensor) const;

  std::vector<std::pair<std::string, uint64_t>> dims_;
  std::vector<Choice> choices_;
};

// The number of rows of the request of an arrival: its `rows`, 1 without; where no input has open rows, the
// first size of the first input, and an input Error if `rows` is neither that nor 1. An input Error too if
// there are none or too many.
uint64_t rows_of(const std::vector<Tensor>& tensors, const records::Arrival& arrival, uint64_t i);

// Writes elements of one tensor of one request.
class ElementWriter {
 public:
  // `place`: which input it is. `prompt`: the text of every element of BYTES, if the arrival has one.
  ElementWriter(const Tensor& tensor, const Filler& filler, size_t place, uint64_t i,
                const records::Arrival& arrival);
  // Elements [begin, end), between commas.
  void flat(uint64_t begin, uint64_t end, jsonl::Buffer& out);
  // The row `row` as arrays in each other, by the shape without its first dimension.
  void nested_row(uint64_t row, jsonl::Buffer& out);

 private:
  void one(uint64_t k, jsonl::Buffer& out);
  void random(uint64_t k, jsonl::Buffer& out);
  void words(uint64_t k, jsonl::Buffer& out) const;
  uint16_t draw(uint64_t k);
  void nest(size_t dimension, uint64_t& k, jsonl::Buffer& out);

  const Tensor& tensor_;
  const Filler& filler_;
  Content content_;
  uint64_t i_;
  const records::Arrival& arrival_;
  uint64_t drawn_ = ~uint64_t{0};  // which eight draws are in bits_
  PhiloxCounter bits_{};
};

}  // namespace mlq::replay
