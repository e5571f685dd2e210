#include "lib/tensorfile/torch_file.h"

#include <algorithm>
#include <map>

#include "lib/base/error.h"
#include "lib/tensorfile/torch_pickle.h"
#include "lib/tensorfile/zip_directory.h"

namespace mlq::tensorfile {
namespace {

constexpr std::string_view kPickle = "data.pkl";

std::string text_of(const ByteFile& file, const ZipEntry& entry) {
  std::string text(entry.size, '\0');
  file.read(entry.offset, std::as_writable_bytes(std::span(text)));
  return text;
}

const ZipEntry* find(const std::vector<ZipEntry>& entries, std::string_view name) {
  const auto at = std::ranges::lower_bound(entries, name, {},
                                           [](const ZipEntry& e) -> std::string_view { return e.name; });
  return at != entries.end() && at->name == name ? &*at : nullptr;
}

// All names of an archive begin with its folder.
const ZipEntry& pickle_of(const ByteFile& file, const std::vector<ZipEntry>& entries) {
  for (const ZipEntry& entry : entries) {
    const size_t slash = entry.name.find('/');
    if (slash == std::string::npos || std::string_view(entry.name).substr(slash + 1) != kPickle) continue;
    if (entry.size > kLargestPickle)
      throw input_error("{}: {} is {} bytes; at most {} are read", file.name(), in_quotes(entry.name),
                        entry.size, kLargestPickle);
    return entry;
  }
  throw input_error("{}: is a zip archive, but none of torch.save: it has no FOLDER/{}", file.name(),
                    kPickle);
}

void check_byte_order(const ByteFile& file, const ZipEntry* entry) {
  if (entry == nullptr) return;  // older versions had one order only
  constexpr std::string_view kLittle = "little";
  if (entry->size == kLittle.size() && text_of(file, *entry) == kLittle) return;
  throw input_error("{}: its numbers are not little-endian; save it again on another machine", file.name());
}

bool dense(const TorchTensor& tensor) {
  const std::vector<uint64_t> strides = dense_strides(tensor.info.shape);
  for (size_t i = 0; i < strides.size(); ++i)
    if (tensor.info.shape[i] > 1 && tensor.strides[i] != strides[i]) return false;
  return true;
}

struct Use {
  const ZipEntry* entry;
  unsigned tensors = 0;
};

}  // namespace

TorchFile read_torch_file(const ByteFile& file) {
  const std::vector<ZipEntry> entries = read_zip_directory(file);
  const ZipEntry& pickle = pickle_of(file, entries);
  const std::string folder = pickle.name.substr(0, pickle.name.size() - kPickle.size());
  check_byte_order(file, find(entries, folder + "byteorder"));
  std::vector<TorchTensor> tensors = read_torch_pickle(file.name(), text_of(file, pickle));

  TorchFile out;
  std::map<std::string, Use, std::less<>> storages;
  for (TorchTensor& tensor : tensors) {
    auto [at, is_new] = storages.try_emplace(tensor.storage);
    Use& use = at->second;
    if (is_new) {
      use.entry = find(entries, folder + "data/" + tensor.storage);
      if (use.entry == nullptr)
        throw input_error("{}: tensor {}: its storage {} is missing; the file is damaged", file.name(),
                          in_quotes(tensor.info.name), in_quotes(tensor.storage));
      out.stored_bytes += use.entry->size;
    }
    ++use.tensors;
    // A view lies within the elements that the pickle speaks of.
    const uint64_t bytes = tensor.storage_elems * bits_per_element(tensor.info.dtype) / 8;
    if (bytes > use.entry->size)
      throw input_error("{}: tensor {}: its storage {} has {} bytes, not {}; the file is cut or damaged",
                        file.name(), in_quotes(tensor.info.name), in_quotes(tensor.storage), use.entry->size,
                        bytes);
    tensor.info.file_offset += use.entry->offset;
    if (!dense(tensor)) tensor.info.strides = tensor.strides;
  }
  for (TorchTensor& tensor : tensors) {
    tensor.info.storage_shared = storages.find(tensor.storage)->second.tensors > 1;
    out.tensors.push_back(std::move(tensor.info));
  }
  std::ranges::stable_sort(out.tensors, {}, &TensorInfo::file_offset);
  return out;
}

}  // namespace mlq::tensorfile
