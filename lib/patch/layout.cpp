#include "lib/patch/layout.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/jsonl/utf8.h"
#include "lib/patch/base64.h"
#include "lib/tensorfile/safetensors_header.h"
#include "lib/tensorfile/shard_index.h"
#include "lib/tensorfile/shards.h"

namespace mlq::patch {
namespace {

namespace fs = std::filesystem;
using tensorfile::kModelFile;
using tensorfile::Metadata;
using tensorfile::TensorInfo;

constexpr std::string_view kFilePrefix = "mlq.file.", kHeaderPrefix = "mlq.header.";
constexpr std::string_view kIndexName = "mlq.index.name", kIndex = "mlq.index";

// The beginning of a file whose tensors are elsewhere.
class HeaderBytes final : public tensorfile::ByteFile {
 public:
  HeaderBytes(std::string name, std::string_view header, uint64_t size)
      : name_(std::move(name)), header_(header), size_(size) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return size_; }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > header_.size() || out.size() > header_.size() - offset)
      throw input_error("{}: is cut short; the file is damaged", name_);
    std::ranges::copy(std::as_bytes(std::span(header_)).subspan(offset, out.size()), out.begin());
  }

 private:
  std::string name_;
  std::string_view header_;
  uint64_t size_;
};

// What metadata cannot say gets the usual name.
std::string plain_name(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  const bool good = tensorfile::is_plain_name(name) && jsonl::is_utf8(name) && name != "standard input";
  return good ? name : std::string(kModelFile);
}

std::optional<IndexFile> index_of(const std::string& source) {
  std::error_code none;
  std::string path = source;
  if (fs::is_directory(source, none)) {
    path = (fs::path(source) / tensorfile::index_file_name(kModelFile)).string();
    if (!fs::exists(path, none)) return std::nullopt;
  } else if (!source.ends_with(".json")) {
    return std::nullopt;
  }
  return IndexFile{fs::path(path).filename().string(), read_file(path, tensorfile::kLargestHeader)};
}

void add_file(Layout& layout, ModelFile file, const std::string& where) {
  tensorfile::SafetensorsHeader header =
      tensorfile::read_safetensors_header(HeaderBytes(where, file.header, file.size_bytes));
  if (header.data_offset != file.header.size())
    throw input_error("{}: is longer than it says; the file is damaged", where);
  for (TensorInfo& tensor : header.tensors) {
    tensor.shard = layout.files.size();
    layout.tensors.push_back(std::move(tensor));
  }
  layout.files.push_back(std::move(file));
}

const std::string* find(const Metadata& metadata, std::string_view key) {
  const auto it = metadata.find(key);
  return it == metadata.end() ? nullptr : &it->second;
}

std::string decoded(const Metadata& metadata, std::string_view key, const std::string& where) {
  const std::string* text = find(metadata, key);
  std::optional<std::string> bytes;
  if (text != nullptr) bytes = from_base64(*text);
  if (!bytes)
    throw input_error("{}: its metadata \"{}\" are missing or no base64; the file is damaged", where, key);
  return *std::move(bytes);
}

uint64_t parse_bytes(std::string_view text, const std::string& where) {
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size())
    throw input_error("{}: {} is no size of a file; the file is damaged", where, tensorfile::in_quotes(text));
  return bytes;
}

}  // namespace

void Layout::sort() {
  by_name_.resize(tensors.size());
  std::iota(by_name_.begin(), by_name_.end(), size_t{0});
  std::ranges::sort(by_name_, {}, [this](size_t i) -> const std::string& { return tensors[i].name; });
}

std::optional<size_t> Layout::find(std::string_view name) const {
  const auto name_of = [this](size_t i) -> std::string_view { return tensors[i].name; };
  const auto at = std::ranges::lower_bound(by_name_, name, {}, name_of);
  if (at == by_name_.end() || name_of(*at) != name) return std::nullopt;
  return *at;
}

std::optional<size_t> Layout::twice() const {
  const auto at = std::ranges::adjacent_find(
      by_name_, {}, [this](size_t i) -> const std::string& { return tensors[i].name; });
  if (at == by_name_.end()) return std::nullopt;
  return *at;
}

uint64_t Layout::tensor_bytes() const {
  uint64_t bytes = 0;
  for (const TensorInfo& tensor : tensors) bytes += tensor.size_bytes;
  return bytes;
}

Layout layout_of(const tensorfile::Source& source) {
  Layout layout;
  layout.index = index_of(source.name());
  for (const auto& file : source.files()) {
    if (file.shard.format != tensorfile::FileFormat::safetensors)
      throw input_error("{}: is a file of {}; patches are made between safetensors", file.shard.file,
                        tensorfile::format_name(file.shard.format));
    std::string header(file.shard.data_offset, '\0');
    file.bytes->read(0, std::as_writable_bytes(std::span(header)));
    layout.files.push_back({plain_name(file.shard.file), std::move(header), file.shard.size_bytes});
  }
  layout.tensors = source.tensors();
  layout.sort();
  return layout;
}

void add_layout(const Layout& layout, Metadata& metadata) {
  for (size_t i = 0; i < layout.files.size(); ++i) {
    const ModelFile& file = layout.files[i];
    metadata[fmt::format("{}{}", kFilePrefix, i)] = fmt::format("{} {}", file.size_bytes, file.name);
    metadata[fmt::format("{}{}", kHeaderPrefix, i)] = base64_of(file.header);
  }
  if (!layout.index) return;
  metadata[std::string(kIndexName)] = layout.index->name;
  metadata[std::string(kIndex)] = base64_of(layout.index->text);
}

Layout read_layout(const Metadata& metadata, const std::string& where) {
  Layout layout;
  std::vector<std::string> names;
  const auto take_name = [&](const std::string& name) {
    if (!tensorfile::is_plain_name(name) || std::ranges::find(names, name) != names.end())
      throw input_error("{}: {} is no name for a file of the model; the file is damaged", where,
                        tensorfile::in_quotes(name));
    names.push_back(name);
  };
  for (size_t i = 0;; ++i) {
    const std::string* said = find(metadata, fmt::format("{}{}", kFilePrefix, i));
    if (said == nullptr) break;
    const size_t space = said->find(' ');
    if (space == std::string::npos)
      throw input_error("{}: \"{}{}\" is no size and name; the file is damaged", where, kFilePrefix, i);
    ModelFile file{said->substr(space + 1), decoded(metadata, fmt::format("{}{}", kHeaderPrefix, i), where),
                   0};
    take_name(file.name);
    const std::string at = fmt::format("{}: {}{}", where, kHeaderPrefix, i);
    file.size_bytes = parse_bytes(std::string_view(*said).substr(0, space), at);
    add_file(layout, std::move(file), at);
    if (layout.tensors.size() > tensorfile::kMostTensors)
      throw input_error("{}: more than {} tensors, which is as many as are read", where,
                        tensorfile::kMostTensors);
  }
  if (layout.files.empty()) throw input_error("{}: says of no file of the model; the file is damaged", where);
  if (const std::string* name = find(metadata, kIndexName)) {
    take_name(*name);
    layout.index = IndexFile{*name, decoded(metadata, kIndex, where)};
  }
  layout.sort();
  if (const auto twice = layout.twice())
    throw input_error("{}: tensor {} is in two files of the model; the file is damaged", where,
                      tensorfile::in_quotes(layout.tensors[*twice].name));
  return layout;
}

Layout retyped(const Layout& layout, const std::vector<tensorfile::Dtype>& dtypes) {
  Layout result;
  for (size_t i = 0; i < layout.tensors.size(); ++i)
    result.tensors.push_back(tensorfile::make_tensor(layout.files[layout.tensors[i].shard].name,
                                                     layout.tensors[i].name, dtypes[i],
                                                     layout.tensors[i].shape));
  // As the reference writer has them, so that each is aligned.
  std::ranges::stable_sort(result.tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  const HeaderBytes first(layout.files[0].name, layout.files[0].header, layout.files[0].size_bytes);
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& tensor : result.tensors) order.push_back(&tensor);
  ModelFile file{layout.files[0].name,
                 tensorfile::safetensors_header(tensorfile::read_safetensors_header(first).metadata, order),
                 0};
  file.size_bytes = file.header.size();
  for (TensorInfo& tensor : result.tensors) {
    tensor.file_offset = file.size_bytes;
    file.size_bytes += tensor.size_bytes;
  }
  result.files.push_back(std::move(file));
  result.sort();
  return result;
}

}  // namespace mlq::patch
