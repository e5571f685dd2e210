// Seeded content for requests that bring none of their own (Purpose::payload).
#pragma once

#include <cstdint>

#include "lib/base/random.h"
#include "lib/jsonl/buffer.h"

namespace mlq::replay {

// What content is for; a stream of its own. Frozen: a number never changes its meaning.
enum class Content : uint32_t {
  request = 0,  // the part of a prompt that is the request's own; index: i
  prefix = 1,   // a shared block; index: its id
  bytes = 2,    // a body of bytes; index: i
  tensor = 16,  // the first input of a model, 17 the second, ...; index: i
};

// Thread-safe; the same seed, content and index give the same text, and a shorter text is the beginning of a
// longer one.
class Filler {
 public:
  explicit Filler(uint64_t seed) : draws_(seed, Purpose::payload) {}

  // `count` common English words, nearly all one token in the usual vocabularies, each behind a space, plain
  // ASCII letters. `first` of them, a multiple of 16, are left out at the start.
  void words(Content content, uint64_t index, uint64_t count, jsonl::Buffer& out, uint64_t first = 0) const;
  // `count` token ids, each behind a comma, from 1,000 to 30,999: inside the vocabularies of language models
  // and outside their special tokens.
  void ids(Content content, uint64_t index, uint64_t count, jsonl::Buffer& out) const;
  // `count` letters and digits.
  void bytes(uint64_t index, uint64_t count, jsonl::Buffer& out) const;
  const RandomStream& draws() const { return draws_; }

 private:
  RandomStream draws_;
};

}  // namespace mlq::replay
