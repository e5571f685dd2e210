// A safetensors file to write, in constant memory and in any order of its bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/tensorfile/source.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {

// A tensor that will be written.
struct Declaration {
  std::string name;
  Dtype dtype = Dtype::u8;
  std::vector<uint64_t> shape;
  // Set: U8 of one dimension whose size is known only when it has been written, at most so many bytes.
  // `dtype` and `shape` are not looked at.
  std::optional<uint64_t> largest_bytes = {};
};

struct SinkOptions {
  // Bytes of metadata for which room is left in the header, as metadata_bytes() counts them; at least what
  // the constructor is given. What is not used becomes spaces.
  uint64_t metadata_room = 0;
  // For work that is to be resumed: a part file that is there is kept and continued, and the sink's own stays
  // if it is destroyed before publish().
  bool keep_part = false;
  // Where the file is made if it must then be sent on as a stream.
  std::string spool_folder = "/var/tmp";
};

// Bytes that `metadata` takes in a header.
uint64_t metadata_bytes(const Metadata& metadata);

// Writes a safetensors file that appears whole or not at all: as PATH.part in the folder of PATH, on disk in
// full (fsync) before it is renamed. Without publish() the part file is removed and PATH is left as it was.
// If PATH is
// `-`, a device, a FIFO, or ends in `.zst`, the file is made without a name in the spool folder and sent on
// by publish(), so that what fails leaves nothing.
//
// Order of the file: tensors of known size as the reference writer has them (last dtype first, then by name,
// so that each is aligned), then the others in the order of their declaration. The header is padded with
// spaces to a multiple of 8.
//
// A tensor's id is its index among the declarations. write() is thread-safe, also beside append(); append()
// is for one thread. Errors: environment Error on a failed write or a full disk, usage Error if another
// process is writing the same file; an Error of kind `bug` for what breaks the contract (bytes outside a
// tensor, an undeclared or repeated name, a tensor that was not written in full).
class SafetensorsSink {
 public:
  using Id = size_t;

  // Takes the disk space of all that is of known size.
  SafetensorsSink(std::string path, std::vector<Declaration> declarations, Metadata metadata,
                  SinkOptions options = {});
  SafetensorsSink(SafetensorsSink&&) noexcept;
  SafetensorsSink& operator=(SafetensorsSink&&) noexcept;
  ~SafetensorsSink();

  // Bytes of a tensor of known size, from `offset` of it on. No byte may be written twice.
  void write(Id id, uint64_t offset, std::span<const std::byte> bytes);
  // The next bytes of a tensor of unknown size. In the order of declaration: once a tensor has bytes, those
  // before it are complete; one that is passed over is left out.
  void append(Id id, std::span<const std::byte> bytes);

  // For resuming, with keep_part: true if the part file was there and has this layout and at least its fixed
  // size.
  bool resumed() const;
  // Says that tensor `id` is in the part file already, with `size` bytes. Variable ones in their order.
  void adopt(Id id, uint64_t size);
  // Bytes that were written, by this sink or the one before it.
  void read_back(Id id, uint64_t offset, std::span<std::byte> out) const;
  // What was written so far is on disk when it returns: for a journal that says so.
  void sync();

  // Ends the file: header, `metadata` in the room that there is for it, fsync. Only publish() may follow.
  void seal(const Metadata& metadata);
  // Puts it in its place, or sends it on. Several sealed sinks are best published together.
  void publish();
  // seal and publish, with the metadata of the constructor or others.
  void finish();
  void finish(const Metadata& metadata);

  const std::string& path() const;
  // After seal(): the tensors in the order of the file, with their final sizes and places; the size of the
  // whole file.
  std::vector<TensorInfo> tensors() const;
  uint64_t file_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlq::tensorfile
