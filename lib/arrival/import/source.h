// The bytes of the files that are imported: hashed, and read ahead of the parser.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/base/io.h"

namespace mlq::arrival {

// XXH3-128 of everything that is read from several files, one after the other, as decompressed. Used by one
// thread at a time.
class SourceHash {
 public:
  SourceHash();
  ~SourceHash();
  SourceHash(const SourceHash&) = delete;
  SourceHash& operator=(const SourceHash&) = delete;
  void update(std::string_view bytes);
  std::string hex() const;  // 32 lower-case hexadecimal digits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads an input on a thread of its own: at most 8 blocks of 1 MiB wait for the reader; when they are full,
// the thread waits. An exception of the input comes out of read(). One reader. Not for inputs that may wait
// for ever (pipes): the destructor waits for the read that is under way.
class ReadAhead {
 public:
  explicit ReadAhead(Input input);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // As Input::read.
  size_t read(char* out, size_t size);

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  static constexpr size_t kBlock = size_t{1} << 20;
  static constexpr size_t kBlocks = 8;

  void fill();
  bool next_block();

  Input input_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> full_;
  std::vector<Block> spare_;
  bool ended_ = false;
  bool abandoned_ = false;
  std::exception_ptr error_;
  Block block_;  // the reader's
  size_t at_ = 0;
  std::jthread thread_;  // last, so that it ends before the rest goes
};

// `input` as an Input that hashes what passes, with its first `head` bytes (read already, hashed here too)
// put back; on request, read ahead. `hash` must outlive it.
Input hashed_input(Input input, std::string head, SourceHash& hash, bool read_ahead, const StopFlag* stop);

// Reads up to `size` bytes off the front of `input`.
std::string read_head(Input& input, size_t size);

}  // namespace mlq::arrival
