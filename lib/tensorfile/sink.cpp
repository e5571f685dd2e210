#include "lib/tensorfile/sink.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "lib/base/error.h"
#include "lib/jsonl/utf8.h"
#include "lib/tensorfile/part_file.h"
#include "lib/tensorfile/safetensors_header.h"

namespace mlq::tensorfile {
namespace {

Error bug(const std::string& message) { return Error(ExitKind::bug, message); }

TensorInfo tensor_of(const std::string& path, const Declaration& declared) {
  if (declared.name == "__metadata__" || declared.name.size() > kLongestName ||
      !jsonl::is_utf8(declared.name)) {
    throw input_error("{}: a tensor cannot be named {}; readers would refuse it", path,
                      in_quotes(declared.name));
  }
  if (declared.largest_bytes) return make_tensor(path, declared.name, Dtype::u8, {*declared.largest_bytes});
  return make_tensor(path, declared.name, declared.dtype, declared.shape);
}

// Ids in the order of the file.
std::vector<size_t> file_order(const std::vector<Declaration>& declared,
                               const std::vector<TensorInfo>& tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    const bool variable_a = declared[a].largest_bytes.has_value();
    const bool variable_b = declared[b].largest_bytes.has_value();
    if (variable_a || variable_b) return variable_a < variable_b;
    if (tensors[a].dtype != tensors[b].dtype) return tensors[a].dtype > tensors[b].dtype;
    return tensors[a].name < tensors[b].name;
  });
  return order;
}

void refuse_duplicates(const std::vector<TensorInfo>& tensors) {
  std::vector<std::string_view> names;
  for (const TensorInfo& tensor : tensors) names.push_back(tensor.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    throw bug("tensor " + in_quotes(*twice) + " is declared twice");
}

}  // namespace

struct SafetensorsSink::State {
  std::string path;
  Metadata metadata;
  std::vector<Declaration> declared;
  std::vector<TensorInfo> tensors;  // by id; size and place of variable ones as far as they are written
  std::vector<size_t> order;        // ids in file order
  size_t fixed = 0;                 // how many of `order` are of known size
  std::vector<size_t> place;        // of an id in `order`
  std::vector<std::atomic<uint64_t>> written;  // bytes, by id
  uint64_t header_bytes = 0;                   // with the length
  uint64_t end = 0;                            // of all that is written or reserved
  size_t open;                                 // place of the variable tensor that grows, or of the first
  PartFile part;
  bool resumed = false;
  bool sealed = false;

  State(std::string file, std::vector<Declaration> declarations, Metadata first_metadata,
        const SinkOptions& options)
      : path(std::move(file)),
        metadata(std::move(first_metadata)),
        declared(std::move(declarations)),
        tensors(declared_tensors()),
        order(file_order(declared, tensors)),
        fixed(static_cast<size_t>(
            std::ranges::count_if(declared, [](const auto& d) { return !d.largest_bytes; }))),
        place(tensors.size()),
        written(tensors.size()),
        open(fixed),
        part(path, options.keep_part, options.spool_folder) {
    refuse_duplicates(tensors);
    for (size_t k = 0; k < order.size(); ++k) place[order[k]] = k;
    begin(options);
  }

  std::vector<TensorInfo> declared_tensors() const {
    std::vector<TensorInfo> all;
    for (const Declaration& each : declared) all.push_back(tensor_of(path, each));
    return all;
  }

  // Of unknown size, and nothing was appended.
  bool left_out(size_t id) const { return declared[id].largest_bytes && tensors[id].size_bytes == 0; }

  std::string header(const Metadata& of, uint64_t room) const {
    std::vector<const TensorInfo*> in_order;
    for (const size_t id : order)
      if (!left_out(id)) in_order.push_back(&tensors[id]);
    return safetensors_header(of, in_order, room);
  }

  // Lays out the file. The header is written at once, with the largest sizes: the sink that resumes knows the
  // layout by it.
  void begin(const SinkOptions& options) {
    std::string first = header(metadata, 0);
    const uint64_t more = options.metadata_room - std::min(options.metadata_room, metadata_bytes(metadata));
    if (more > 0) first = header(metadata, (first.size() - 8 + more + 7) / 8 * 8);
    if (first.size() - 8 > kLargestHeader)
      throw input_error("{}: its header would be {} bytes, of at most {}; write several shards", path,
                        first.size() - 8, kLargestHeader);
    header_bytes = end = first.size();
    for (size_t k = 0; k < order.size(); ++k) {
      TensorInfo& tensor = tensors[order[k]];
      tensor.file_offset = end;
      if (k < fixed) {
        end += tensor.size_bytes;
      } else {
        set_size(tensor, 0);
      }
    }
    if (!(resumed = is_there(first))) {
      part.resize(0);
      part.write(0, std::as_bytes(std::span(first)));
    }
    part.reserve(end);
  }

  bool is_there(const std::string& first) const {
    if (part.kept_bytes() < end) return false;
    std::string found(first.size(), '\0');
    part.read(0, std::as_writable_bytes(std::span(found)));
    return found == first;
  }

  static void set_size(TensorInfo& tensor, uint64_t size) {
    tensor.shape = {size};
    tensor.elems = tensor.size_bytes = size;
  }

  // The place in the file of `size` more bytes of variable tensor `id`.
  uint64_t grow(Id id, uint64_t size) {
    TensorInfo& tensor = tensors.at(id);
    if (!declared[id].largest_bytes)
      throw bug("tensor " + in_quotes(tensor.name) + " has a known size: write, not append");
    if (place[id] < open)
      throw bug("tensor " + in_quotes(tensor.name) + " is complete: another was appended to");
    if (size > *declared[id].largest_bytes - tensor.size_bytes)
      throw bug(fmt::format("tensor {} is larger than the {} bytes declared", in_quotes(tensor.name),
                            *declared[id].largest_bytes));
    open = place[id];
    if (tensor.size_bytes == 0) tensor.file_offset = end;
    set_size(tensor, tensor.size_bytes + size);
    written[id] += size;
    return std::exchange(end, end + size);
  }

  // That bytes offset to offset + size - 1 are in the tensor, of `limit` bytes; their place in the file.
  uint64_t place_of(Id id, uint64_t offset, uint64_t size) const {
    const TensorInfo& tensor = tensors.at(id);
    if (offset > tensor.size_bytes || size > tensor.size_bytes - offset)
      throw bug(fmt::format("tensor {}: bytes {} to {} are written or read, of {}", in_quotes(tensor.name),
                            offset, offset + size, tensor.size_bytes));
    return tensor.file_offset + offset;
  }

  void settle_empty_tensors() {
    uint64_t at = header_bytes;
    for (const size_t id : order) {
      tensors[id].file_offset = at;
      at += tensors[id].size_bytes;
    }
  }

  void refuse_unwritten() const {
    for (size_t id = 0; id < tensors.size(); ++id) {
      if (written[id] != tensors[id].size_bytes)
        throw bug(fmt::format("tensor {}: {} bytes were written, of {}", in_quotes(tensors[id].name),
                              written[id].load(), tensors[id].size_bytes));
    }
  }
};

SafetensorsSink::SafetensorsSink(std::string path, std::vector<Declaration> declarations, Metadata metadata,
                                 SinkOptions options)
    : state_(
          std::make_unique<State>(std::move(path), std::move(declarations), std::move(metadata), options)) {}
SafetensorsSink::SafetensorsSink(SafetensorsSink&&) noexcept = default;
SafetensorsSink& SafetensorsSink::operator=(SafetensorsSink&&) noexcept = default;
SafetensorsSink::~SafetensorsSink() = default;

void SafetensorsSink::write(Id id, uint64_t offset, std::span<const std::byte> bytes) {
  State& s = *state_;
  if (s.declared.at(id).largest_bytes)
    throw bug("tensor " + in_quotes(s.declared[id].name) + " has no known size: append, not write");
  s.part.write(s.place_of(id, offset, bytes.size()), bytes);
  s.written[id] += bytes.size();
}

void SafetensorsSink::append(Id id, std::span<const std::byte> bytes) {
  state_->part.write(state_->grow(id, bytes.size()), bytes);
}

bool SafetensorsSink::resumed() const { return state_->resumed; }

void SafetensorsSink::adopt(Id id, uint64_t size) {
  State& s = *state_;
  if (s.declared.at(id).largest_bytes) {
    if (size > s.part.kept_bytes() - std::min(s.part.kept_bytes(), s.end))
      throw bug("tensor " + in_quotes(s.declared[id].name) + " is not in the part file");
    s.grow(id, size);
  } else {
    s.place_of(id, 0, size);
    s.written[id] += size;
  }
}

void SafetensorsSink::read_back(Id id, uint64_t offset, std::span<std::byte> out) const {
  state_->part.read(state_->place_of(id, offset, out.size()), out);
}

void SafetensorsSink::sync() { state_->part.sync(); }

void SafetensorsSink::seal(const Metadata& metadata) {
  State& s = *state_;
  s.refuse_unwritten();
  s.settle_empty_tensors();
  const std::string header = s.header(metadata, s.header_bytes - 8);
  if (header.size() != s.header_bytes) {
    throw bug(fmt::format("{}: the header takes {} bytes, but there is room for {}", s.path, header.size(),
                          s.header_bytes));
  }
  s.part.resize(s.end);
  s.part.sync();  // the data before the header that vouches for it
  s.part.write(0, std::as_bytes(std::span(header)));
  s.part.sync();
  s.sealed = true;
}

void SafetensorsSink::publish() {
  if (!state_->sealed) throw bug(state_->path + ": is published before it is sealed");
  state_->part.publish(state_->end);
}

void SafetensorsSink::finish() { finish(state_->metadata); }

void SafetensorsSink::finish(const Metadata& metadata) {
  seal(metadata);
  publish();
}

const std::string& SafetensorsSink::path() const { return state_->path; }
std::vector<TensorInfo> SafetensorsSink::tensors() const {
  std::vector<TensorInfo> all;
  for (const size_t id : state_->order)
    if (!state_->left_out(id)) all.push_back(state_->tensors[id]);
  return all;
}
uint64_t SafetensorsSink::file_bytes() const { return state_->end; }

}  // namespace mlq::tensorfile
