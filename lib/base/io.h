// Byte streams: files, standard input and output, zstd, and files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/stop.h"

namespace mlq {

// A source of bytes. `-` is standard input. Compression is recognised by its first bytes: zstd is read in the
// process, gzip and xz through a child (`gzip -dc`, `xz -dc`). Not thread-safe; movable. Owns its file
// descriptor.
class Input {
 public:
  // Throws an environment Error if the file cannot be opened, or if standard output appends to it. `stop`
  // (may be null) must outlive the Input: within a tenth of a second of its being set, by whatever thread,
  // the input ends.
  static Input open(const std::string& path, const StopFlag* stop = nullptr);
  // Bytes that `read(out, size)` hands out as Input::read does, taken as they are. `stop` as above.
  static Input from_source(std::string name, std::function<size_t(char*, size_t)> read,
                           const StopFlag* stop = nullptr);
  // `bytes`, which must outlive the Input, taken as they are.
  static Input from_bytes(std::string name, std::string_view bytes);
  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;
  ~Input();

  // Reads up to `size` bytes and returns how many; 0 is the end. Blocks for at least one byte.
  // Throws an input Error on damaged compressed data, an environment Error on a failed read.
  size_t read(char* out, size_t size);

  // The path, or `standard input`; for messages.
  const std::string& name() const;
  // True if a stop request, not the end of the data, ended the stream.
  bool interrupted() const;

 private:
  struct State;
  explicit Input(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The whole of a small file; an input Error if it is larger than `limit` bytes.
std::string read_file(const std::string& path, size_t limit = size_t{1} << 30);

// A sink of bytes. `-` is standard output; a name that ends in `.zst` is compressed. A regular file is
// written beside its place and renamed at close(), after fsync of file and folder: readers see the old file
// or the whole new one. Without close() the target is left as it was. Not thread-safe; movable. Owns its file
// descriptor. Errors: environment Error on a failed write (full disk), ClosedPipe where the reader has gone.
class Output {
 public:
  static Output open(const std::string& path);
  Output(Output&&) noexcept;
  Output& operator=(Output&&) noexcept;
  ~Output();

  void write(std::string_view bytes);
  // Ends the compression frame and puts the file in its place. Nothing may be written after it.
  void close();
  // Writes what zstd holds back, so that a reader of a live pipe sees it.
  void flush();
  const std::string& name() const;
  // True if close() puts a whole file in the place of what is there.
  bool replaces_file() const;

 private:
  struct State;
  explicit Output(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mlq
