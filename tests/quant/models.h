// Models to encode: small files of safetensors, made in a test's own folder.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "kernels/float_convert.h"
#include "lib/quant/bench.h"
#include "lib/quant/decode.h"
#include "lib/quant/encode.h"
#include "lib/tensorfile/sink.h"
#include "lib/tensorfile/source.h"
#include "tests/support/temp_dir.h"

namespace mlq::quant::test {

using tensorfile::Dtype;

struct TestTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<uint64_t> shape;
  std::vector<std::byte> bytes;
};

inline std::vector<std::byte> bytes_of(Dtype dtype, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * tensorfile::bits_per_element(dtype) / 8);
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == Dtype::f64) {
      const double wide = values[i];
      std::memcpy(bytes.data() + 8 * i, &wide, 8);
    } else {
      kernels::store(*source_float(dtype), bytes.data(), i, values[i]);
    }
  }
  return bytes;
}

// Normal values, `spread` times as wide.
inline TestTensor normal_tensor(std::string name, Dtype dtype, std::vector<uint64_t> shape, uint64_t seed = 1,
                                float spread = 1) {
  uint64_t elems = 1;
  for (const uint64_t extent : shape) elems *= extent;
  const std::vector<std::byte> raw = normal_values(Float::f32, elems, seed);
  std::vector<float> values(elems);
  std::memcpy(values.data(), raw.data(), raw.size());
  for (float& value : values) value *= spread;
  return {std::move(name), dtype, std::move(shape), bytes_of(dtype, values)};
}

inline void write_model(const std::string& path, const std::vector<TestTensor>& tensors,
                        const tensorfile::Metadata& metadata = {}) {
  std::vector<tensorfile::Declaration> declared;
  for (const TestTensor& tensor : tensors) declared.push_back({tensor.name, tensor.dtype, tensor.shape, {}});
  tensorfile::SafetensorsSink sink(path, declared, metadata);
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!tensors[i].bytes.empty()) sink.write(i, 0, tensors[i].bytes);
  sink.finish();
}

// The bytes of all tensors of a file, by name.
inline std::map<std::string, std::vector<std::byte>> read_model(const std::string& path) {
  const tensorfile::Source source = tensorfile::open_source(path);
  std::map<std::string, std::vector<std::byte>> tensors;
  for (size_t i = 0; i < source.tensors().size(); ++i) {
    const auto& info = source.tensors()[i];
    std::vector<std::byte> bytes(info.size_bytes);
    if (!bytes.empty()) source.read(i, 0, bytes);
    tensors[info.name] = std::move(bytes);
  }
  return tensors;
}

// Encodes `in` to `out` and returns what was said of each tensor.
inline std::vector<TensorReport> encode_file(const std::string& in, const std::string& out,
                                             const EncodeOptions& options, ModelReport* model = nullptr) {
  const tensorfile::Source source = tensorfile::open_source(in);
  std::vector<TensorReport> reports;
  const ModelReport report =
      encode(source, out, options, [&](const TensorReport& tensor) { reports.push_back(tensor); });
  if (model != nullptr) *model = report;
  return reports;
}

inline VerifyReport verify_file(const std::string& path, const std::string& against = {},
                                std::vector<std::string>* notes = nullptr) {
  const tensorfile::Source source = tensorfile::open_source(path);
  const StoredModel stored(source);
  std::optional<tensorfile::Source> other;
  VerifyOptions options;
  if (!against.empty()) other.emplace(tensorfile::open_source(against));
  if (other) options.against = &*other;
  return verify(stored, options, [&](const DecodedTensor& tensor) {
    if (notes != nullptr && !tensor.note.empty()) notes->push_back(tensor.note);
  });
}

inline ModelReport decode_file(const std::string& in, const std::string& out,
                               const DecodeOptions& options = {}) {
  const tensorfile::Source source = tensorfile::open_source(in);
  const StoredModel stored(source);
  return decode(stored, out, options, {});
}

// The message of the Error that `work` throws; empty if it throws none.
template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return fmt::format("{}: {}", static_cast<int>(error.kind()), error.what());
  }
  return {};
}

}  // namespace mlq::quant::test
