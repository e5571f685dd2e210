#include "lib/tensorfile/source.h"

#include <algorithm>
#include <numeric>

#include "lib/base/error.h"

namespace mlq::tensorfile {

std::string_view format_name(FileFormat format) {
  switch (format) {
    case FileFormat::safetensors:
      return "safetensors";
    case FileFormat::npy:
      return "npy";
    case FileFormat::raw:
      return "raw";
    case FileFormat::torch:
      return "torch";
  }
  return "";
}

Source::Source(std::string name, std::vector<File> files, std::vector<TensorInfo> tensors)
    : name_(std::move(name)),
      files_(std::move(files)),
      tensors_(std::move(tensors)),
      by_name_(tensors_.size()) {
  std::iota(by_name_.begin(), by_name_.end(), size_t{0});
  const auto name_of = [this](size_t i) -> const std::string& { return tensors_[i].name; };
  std::ranges::stable_sort(by_name_, {}, name_of);
  const auto twice = std::ranges::adjacent_find(by_name_, {}, name_of);
  if (twice == by_name_.end()) return;
  const auto file_of = [this](size_t i) -> const std::string& { return shard(tensors_[i].shard).file; };
  throw input_error("{}: tensor {} is in {} and in {}; name one of the files, or their index", name_,
                    in_quotes(name_of(*twice)), file_of(twice[0]), file_of(twice[1]));
}

std::optional<size_t> Source::find(std::string_view name) const {
  const auto name_of = [this](size_t i) -> std::string_view { return tensors_[i].name; };
  const auto at = std::ranges::lower_bound(by_name_, name, {}, name_of);
  if (at == by_name_.end() || name_of(*at) != name) return std::nullopt;
  return *at;
}

void Source::read(size_t index, uint64_t offset, std::span<std::byte> out) const {
  const TensorInfo& tensor = tensors_.at(index);
  if (!tensor.strides.empty())
    throw Error(ExitKind::bug, fmt::format("tensor {} is read as if it were dense", in_quotes(tensor.name)));
  if (offset > tensor.size_bytes || out.size() > tensor.size_bytes - offset) {
    throw Error(ExitKind::bug,
                fmt::format("tensor {}: bytes {} to {} are asked for, of {}", in_quotes(tensor.name), offset,
                            offset + out.size(), tensor.size_bytes));
  }
  files_[tensor.shard].bytes->read(tensor.file_offset + offset, out);
}

void Source::will_need(size_t index, uint64_t offset, uint64_t size) const {
  const TensorInfo& tensor = tensors_.at(index);
  files_[tensor.shard].bytes->will_need(tensor.file_offset + offset, size);
}

void Source::check_unchanged() const {
  for (const File& file : files_) file.bytes->check_unchanged();
}

}  // namespace mlq::tensorfile
