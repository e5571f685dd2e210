// Model files: JSON objects, read strictly. A field that is missing, unknown, twice there, of the wrong type
// or the wrong size is an input Error that names the file and the field.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"

namespace mlq::serve::model {

struct Matrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<double> values;  // row by row
  const double* row(size_t i) const { return values.data() + i * columns; }
};

// The fields of an object in a model file. All numbers are finite: JSON has no others.
class ModelFields {
 public:
  // `where` is `FILE` or `FILE: tree 3`. Other fields than `known` are errors.
  ModelFields(std::string where, std::vector<jsonl::Member> members, std::span<const std::string_view> known);

  double number(std::string_view key) const;
  int64_t integer(std::string_view key, int64_t least, int64_t most) const;
  // One of `words`.
  std::string word(std::string_view key, std::initializer_list<std::string_view> words) const;
  // `size` integers, or any number of them if it is 0.
  std::vector<int64_t> integers(std::string_view key, size_t size = 0) const;
  std::vector<double> numbers(std::string_view key, size_t size = 0) const;
  // Rows of equal length, which are neither none nor empty.
  Matrix matrix(std::string_view key) const;
  // The elements of an array of objects.
  std::vector<std::vector<jsonl::Member>> objects(std::string_view key) const;

  template <class... Args>
  [[noreturn]] void refuse(std::string_view key, fmt::format_string<Args...> format, Args&&... args) const {
    throw input_error("{}: field \"{}\": {}", where_, key, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  const jsonl::Value& find(std::string_view key) const;
  std::vector<jsonl::Value> elements(std::string_view key, size_t size) const;

  std::string where_;
  std::vector<jsonl::Member> members_;
};

// A file that says what it is in `format` and `version`; `known` are its further fields.
class ModelFile : public ModelFields {
 public:
  ModelFile(const std::string& name, std::string_view text, std::string_view format,
            std::initializer_list<std::string_view> known);

 private:
  ModelFile(const std::string& name, std::string_view format, std::initializer_list<std::string_view> known,
            std::unique_ptr<jsonl::OwnedObject> parsed);
  std::unique_ptr<jsonl::OwnedObject> parsed_;  // what the values of the fields lie in
};

// Distinct labels of at least two classes.
std::vector<int64_t> read_classes(const ModelFields& file);

}  // namespace mlq::serve::model
