// Files of tensors as bytes, and what their reading says.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/tensorfile/source.h"

namespace mlq::tensorfile::test {

// A safetensors file with this header and so many bytes of data: 0, 1, 2, ...
inline std::string safetensors(std::string_view json, size_t data_bytes = 0) {
  const uint64_t length = json.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  file += json;
  for (size_t i = 0; i < data_bytes; ++i) file += static_cast<char>(i);
  return file;
}

// An npy file: `dict` as numpy pads it, and the data.
inline std::string npy(std::string_view dict, std::string_view data, unsigned major = 1) {
  std::string header(dict);
  const size_t fixed = major == 1 ? 10 : 12;
  while ((fixed + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += static_cast<char>(major);
  file += '\0';
  for (size_t i = 0; i < fixed - 8; ++i) file += static_cast<char>(header.size() >> 8 * i & 0xFF);
  return file + header + std::string(data);
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// All bytes of a tensor.
inline std::string data_of(const Source& source, std::string_view name) {
  const size_t index = source.find(name).value();
  std::string data(source.tensors()[index].size_bytes, '?');
  source.read(index, 0, std::as_writable_bytes(std::span(data)));
  return data;
}

// "KIND: message" of the Error that `work` throws, with `folder` and its slash taken out; "no error".
template <class Work>
std::string error_of(Work&& work, const std::string& folder = "") {
  try {
    work();
  } catch (const Error& error) {
    std::string message = error.what();
    const std::string prefix = folder + "/";
    for (size_t at; !folder.empty() && (at = message.find(prefix)) != std::string::npos;)
      message.erase(at, prefix.size());
    return fmt::format("{}: {}", static_cast<int>(error.kind()), message);
  }
  return "no error";
}

}  // namespace mlq::tensorfile::test
