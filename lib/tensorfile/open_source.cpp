#include <algorithm>
#include <array>
#include <filesystem>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/tensorfile/npy_header.h"
#include "lib/tensorfile/safetensors_header.h"
#include "lib/tensorfile/shard_index.h"
#include "lib/tensorfile/shards.h"
#include "lib/tensorfile/source.h"
#include "lib/tensorfile/torch_file.h"
#include "lib/tensorfile/zip_directory.h"

namespace mlq::tensorfile {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";
constexpr std::string_view kGgufMagic = "GGUF";

// The first bytes of a file, as many as it has.
std::string head_of(const ByteFile& file) {
  std::string head(std::min<uint64_t>(file.size(), 9), '\0');
  file.read(0, std::as_writable_bytes(std::span(head)));
  return head;
}

// Header lengths look like the first bytes of other formats; the brace behind them does not.
bool may_be_safetensors(std::string_view head) { return head.size() == 9 && head[8] == '{'; }

bool is_pickle(std::string_view head) {
  return head.size() > 1 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
}

// Throws for formats that are known and not read.
void refuse_others(const std::string& name, std::string_view head) {
  if (may_be_safetensors(head)) return;
  if (is_pickle(head) || head.starts_with(kZipMagic)) {
    throw input_error(
        "{}: is a pickle or a zip archive (.pt, .pth, .bin), which can run code when it is read; convert "
        "it to safetensors",
        name);
  }
  if (head.starts_with(kGgufMagic))
    throw input_error("{}: is a GGUF file; GGUF is read in a later version", name);
}

// The name of a file without folder and endings: what numpy leaves for the tensor.
std::string stem(const std::string& path) {
  if (path == "-") return "stdin";
  fs::path name = fs::path(path).filename();
  if (name.extension() == ".zst") name = name.stem();
  return name.extension() == ".npy" ? name.stem().string() : name.string();
}

struct Opened {
  Source::File file;
  std::vector<TensorInfo> tensors;
};

Opened open_safetensors(std::unique_ptr<ByteFile> bytes) {
  refuse_others(bytes->name(), head_of(*bytes));
  SafetensorsHeader header = read_safetensors_header(*bytes);
  Shard shard{.file = bytes->name(),
              .size_bytes = bytes->size(),
              .data_offset = header.data_offset,
              .stored_bytes = bytes->size() - header.data_offset,
              .metadata = std::move(header.metadata)};
  return {{std::move(shard), std::move(bytes)}, std::move(header.tensors)};
}

Opened open_npy(std::unique_ptr<ByteFile> bytes, std::string name, const SourceOptions& options) {
  TensorInfo tensor = read_npy_header(*bytes, std::move(name), options.u2_is_bf16, options.strided);
  Shard shard{.file = bytes->name(),
              .format = FileFormat::npy,
              .size_bytes = bytes->size(),
              .data_offset = tensor.file_offset,
              .stored_bytes = tensor.size_bytes};
  return {{std::move(shard), std::move(bytes)}, {std::move(tensor)}};
}

Opened open_raw(std::unique_ptr<ByteFile> bytes, std::string name, const RawForm& raw) {
  const uint64_t width = bits_per_element(raw.dtype) / 8, elems = bytes->size() / width;
  if (bytes->size() % width != 0)
    throw input_error(
        "{}: its {} are no multiple of the {} of an element of {}; it is cut, or of another type",
        bytes->name(), format_count(bytes->size(), "byte"), width, dtype_name(raw.dtype));
  if (raw.elems && *raw.elems != elems)
    throw input_error("{}: has {} of {}, not {}; it is cut, or of another type", bytes->name(),
                      format_count(elems, "element"), dtype_name(raw.dtype), *raw.elems);
  TensorInfo tensor = make_tensor(bytes->name(), std::move(name), raw.dtype, {elems});
  Shard shard{.file = bytes->name(),
              .format = FileFormat::raw,
              .size_bytes = bytes->size(),
              .stored_bytes = tensor.size_bytes};
  return {{std::move(shard), std::move(bytes)}, {std::move(tensor)}};
}

Opened open_torch(std::unique_ptr<ByteFile> bytes) {
  TorchFile torch = read_torch_file(*bytes);
  Shard shard{.file = bytes->name(),
              .format = FileFormat::torch,
              .size_bytes = bytes->size(),
              .stored_bytes = torch.stored_bytes};
  return {{std::move(shard), std::move(bytes)}, std::move(torch.tensors)};
}

// By its first bytes.
Opened open_file(std::unique_ptr<ByteFile> bytes, std::string name, const SourceOptions& options) {
  if (options.raw) return open_raw(std::move(bytes), std::move(name), *options.raw);
  const std::string head = head_of(*bytes);
  if (head.starts_with(kNpyMagic)) return open_npy(std::move(bytes), std::move(name), options);
  if (options.strided && !may_be_safetensors(head)) {
    if (head.starts_with(kZipMagic)) return open_torch(std::move(bytes));
    if (is_pickle(head))
      throw input_error(
          "{}: is a bare pickle, as torch before 1.6 wrote it; load it with a newer torch and save it again",
          bytes->name());
  }
  return open_safetensors(std::move(bytes));
}

// The file itself where it can be read at any place, else a copy.
std::unique_ptr<ByteFile> open_bytes(const std::string& path, const SourceOptions& options) {
  std::error_code ignored;
  const bool stream = path == "-" || (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored));
  if (!stream) {
    auto bytes = open_byte_file(path);
    const std::string head = head_of(*bytes);
    if (may_be_safetensors(head) || !head.starts_with(kZstdMagic)) return bytes;
  }
  return spool(Input::open(path, options.stop), options.spool_folder);
}

Source join(const std::string& name, std::vector<Opened> opened) {
  std::vector<Source::File> files;
  std::vector<TensorInfo> tensors;
  for (Opened& each : opened) {
    for (TensorInfo& tensor : each.tensors) {
      tensor.shard = files.size();
      tensors.push_back(std::move(tensor));
    }
    if (tensors.size() > kMostTensors)
      throw input_error("{}: more than {} tensors, which is as many as are read", name, kMostTensors);
    files.push_back(std::move(each.file));
  }
  return Source(name, std::move(files), std::move(tensors));
}

Source open_single(const std::string& path, const SourceOptions& options) {
  auto bytes = open_bytes(path, options);
  const std::string name = bytes->name();
  std::vector<Opened> opened;
  opened.push_back(open_file(std::move(bytes), stem(path), options));
  return join(name, std::move(opened));
}

Source open_index(const std::string& path) {
  const WeightMap map = read_shard_index(*open_byte_file(path));
  std::vector<std::string> names;
  for (const auto& [tensor, file] : map) names.push_back(file);
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Opened> opened;
  for (const std::string& name : names) {
    const fs::path file = fs::path(path).parent_path() / name;
    if (!fs::exists(file)) throw input_error("{}: names {}, which is not there", path, in_quotes(name));
    opened.push_back(open_safetensors(open_byte_file(file.string())));
  }
  Source source = join(path, std::move(opened));
  check_against_index(path, map, source);
  return source;
}

Source open_folder(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    names.push_back(entry.path().filename().string());
  if (error) throw environment_error("{}: cannot read: {}", folder, error.message());
  const std::vector<std::string> files = model_in_folder(names);
  if (files.empty())
    throw input_error("{}: has no .safetensors file; pickled weights (.pt, .bin) must be converted first",
                      folder);
  std::vector<Opened> opened;
  for (const std::string& file : files) {
    const std::string path = (fs::path(folder) / file).string();
    if (file.ends_with(".json")) return open_index(path);
    opened.push_back(open_safetensors(open_byte_file(path)));
  }
  return join(folder, std::move(opened));
}

}  // namespace

Source open_source(const std::string& path, const SourceOptions& options) {
  std::error_code ignored;
  if (path != "-" && fs::is_directory(path, ignored)) return open_folder(path);
  if (path.ends_with(".json")) return open_index(path);
  return open_single(path, options);
}

}  // namespace mlq::tensorfile
