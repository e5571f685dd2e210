#include "lib/tensorfile/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <tuple>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/jsonl/damage.h"
#include "lib/jsonl/line_reader.h"
#include "lib/jsonl/object.h"

namespace mlq::tensorfile {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

struct Entry {
  TensorInfo tensor;
  uint64_t begin = 0, end = 0;  // of its bytes, in the data
};

// An entry's members, each at most once; others than these are passed over, as the reference does.
struct Fields {
  const jsonl::Value* dtype = nullptr;
  const jsonl::Value* shape = nullptr;
  const jsonl::Value* offsets = nullptr;
};

class HeaderReader {
 public:
  explicit HeaderReader(const ByteFile& file) : file_(file.name()) {}

  SafetensorsHeader read(std::string_view text, uint64_t data_bytes) {
    jsonl::ObjectParser parser(kDeepestJson);
    if (!parser.parse(text)) {
      throw input_error("{}: header: {}{}; the file is damaged", file_, parser.error(),
                        jsonl::damage_place(text));
    }
    refuse_duplicates(parser.members());
    for (const jsonl::Member& member : parser.members()) {
      if (member.key == "__metadata__") {
        read_metadata(member.value);
      } else {
        read_entry(member);
      }
    }
    place(data_bytes);
    SafetensorsHeader header;
    header.metadata = std::move(metadata_);
    for (Entry& entry : entries_) header.tensors.push_back(std::move(entry.tensor));
    return header;
  }

 private:
  void refuse_duplicates(std::span<const jsonl::Member> members) const {
    if (members.size() > kMostTensors + 1)
      throw input_error("{}: header: {} tensors; at most {} are read", file_, members.size(), kMostTensors);
    std::vector<std::string_view> keys;
    for (const jsonl::Member& member : members) keys.push_back(member.key);
    std::ranges::sort(keys);
    if (const auto twice = std::ranges::adjacent_find(keys); twice != keys.end())
      throw input_error("{}: header: {} stands in it twice; the file is damaged", file_, in_quotes(*twice));
  }

  void read_metadata(const jsonl::Value& value) {
    std::vector<jsonl::Member> members;
    if (!jsonl::read_members(value, members))
      throw input_error("{}: header: __metadata__ is not an object; the file is damaged", file_);
    if (members.size() > kMostMetadata)
      throw input_error("{}: header: {} entries of __metadata__; at most {} are read", file_, members.size(),
                        kMostMetadata);
    for (const auto& [key, text] : members) {
      if (text.kind != jsonl::Kind::string)
        throw input_error("{}: header: __metadata__: {} is not a string; the file is damaged", file_,
                          in_quotes(key));
      if (!metadata_.emplace(key, text.text).second)
        throw input_error("{}: header: __metadata__: {} stands in it twice; the file is damaged", file_,
                          in_quotes(key));
    }
  }

  [[noreturn]] void fail(std::string_view name, std::string_view what) const {
    throw input_error("{}: tensor {}: {}; the file is damaged", file_, in_quotes(name), what);
  }

  Fields fields_of(std::string_view name, const jsonl::Value& value) {
    members_.clear();
    if (!jsonl::read_members(value, members_)) fail(name, "its entry is not an object");
    Fields fields;
    for (size_t i = 0; i < members_.size(); ++i) {
      const auto [key, member] = members_[i];
      const auto before = std::span(members_).first(i);
      if (std::ranges::find(before, key, &jsonl::Member::key) != before.end())
        fail(name, fmt::format("{} stands in its entry twice", in_quotes(key)));
      if (i > 8) fail(name, "its entry has too many members");
      if (key == "dtype") fields.dtype = &members_[i].value;
      if (key == "shape") fields.shape = &members_[i].value;
      if (key == "data_offsets") fields.offsets = &members_[i].value;
    }
    return fields;
  }

  void read_entry(const jsonl::Member& member) {
    const std::string_view name = member.key;
    if (name.size() > kLongestName) fail(name, fmt::format("a name may have {} bytes", kLongestName));
    const Fields fields = fields_of(name, member.value);
    if (fields.dtype == nullptr || fields.dtype->kind != jsonl::Kind::string) fail(name, "it has no dtype");
    const auto dtype = find_dtype(fields.dtype->text);
    if (!dtype) {
      throw input_error(
          "{}: tensor {}: dtype {} is not known; the file is damaged or newer than this program", file_,
          in_quotes(name), in_quotes(fields.dtype->text));
    }
    std::vector<uint64_t> shape, offsets;
    if (fields.shape == nullptr || !jsonl::read_uint64_array(*fields.shape, shape))
      fail(name, "its shape is not an array of integers from 0 to 2^64-1");
    if (shape.size() > kMostDimensions)
      fail(name, fmt::format("its shape has {} dimensions, of at most {}", shape.size(), kMostDimensions));
    if (fields.offsets == nullptr || !jsonl::read_uint64_array(*fields.offsets, offsets) ||
        offsets.size() != 2)
      fail(name, "its data_offsets are not two integers from 0 to 2^64-1");
    add(make_tensor(file_, std::string(name), *dtype, std::move(shape)), offsets[0], offsets[1]);
  }

  void add(TensorInfo tensor, uint64_t begin, uint64_t end) {
    if (end < begin) fail(tensor.name, "data_offsets end before they begin");
    if (end - begin != tensor.size_bytes) {
      fail(tensor.name, fmt::format("data_offsets span {} bytes, but its shape and dtype need {}",
                                    end - begin, tensor.size_bytes));
    }
    entries_.push_back({std::move(tensor), begin, end});
  }

  // Puts the tensors in order and sees that they fill the data without overlaps and holes.
  void place(uint64_t data_bytes) {
    if (entries_.size() > kMostTensors)
      throw input_error("{}: header: {} tensors; at most {} are read", file_, entries_.size(), kMostTensors);
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
    });
    uint64_t end = 0;
    const Entry* before = nullptr;
    for (Entry& entry : entries_) {
      if (entry.begin < end)
        fail(entry.tensor.name, "data_offsets overlap " + in_quotes(before->tensor.name));
      if (entry.begin > end) {
        fail(entry.tensor.name,
             fmt::format("data_offsets leave {} before it unused", format_count(entry.begin - end, "byte")));
      }
      entry.tensor.file_offset = entry.begin;
      end = entry.end;
      before = &entry;
    }
    if (end > data_bytes) {
      throw input_error("{}: tensor {}: data_offsets reach {} past the end of the file; it was cut", file_,
                        in_quotes(before->tensor.name), format_count(end - data_bytes, "byte"));
    }
    if (end < data_bytes)
      throw input_error("{}: {} after the last tensor; the file is damaged", file_,
                        format_count(data_bytes - end, "byte"));
  }

  const std::string& file_;
  Metadata metadata_;
  std::vector<Entry> entries_;
  std::vector<jsonl::Member> members_;  // of the entry at hand
};

uint64_t header_length(const ByteFile& file) {
  if (file.size() < 8)
    throw input_error("{}: {} can be no safetensors file", file.name(), format_count(file.size(), "byte"));
  uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kLargestHeader || length > file.size() - 8) {
    throw input_error(
        "{}: its header would be {} bytes (in {}; at most {} are read); this is no safetensors file, or it "
        "is damaged",
        file.name(), length, file.size(), kLargestHeader);
  }
  return length;
}

}  // namespace

SafetensorsHeader read_safetensors_header(const ByteFile& file) {
  const uint64_t length = header_length(file);
  const auto bytes = std::make_unique_for_overwrite<char[]>(length + jsonl::kLinePadding);
  std::memset(bytes.get() + length, 0, jsonl::kLinePadding);
  const std::span text(bytes.get(), length);
  file.read(8, std::as_writable_bytes(text));
  if (length == 0 || text[0] != '{')
    throw input_error("{}: its header does not begin with {{; this is no safetensors file, or it is damaged",
                      file.name());
  SafetensorsHeader header = HeaderReader(file).read({text.data(), text.size()}, file.size() - 8 - length);
  header.data_offset = 8 + length;
  for (TensorInfo& tensor : header.tensors) tensor.file_offset += header.data_offset;
  return header;
}

}  // namespace mlq::tensorfile
