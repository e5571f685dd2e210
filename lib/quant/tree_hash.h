// The names by which mlq knows tensors and models: XXH3-128 in a tree, so that threads can share the work.
// They find damage and drift; they are no defence against a forger.
//
// A tensor's hash is XXH3-128 over the canonical digests (16 bytes each) of the 64 KiB leaves of its bytes; a
// model's over, for each tensor in byte order of the names: le64 length and name, le64 length and dtype, le64
// number of dimensions, le64 each dimension, the tensor's canonical hash.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct XXH3_state_s;  // of xxhash

namespace mlq::quant {

// A canonical (big-endian) XXH3-128.
using Digest = std::array<uint8_t, 16>;

// `xxh3:` and 32 hexadecimal digits.
std::string hash_text(const Digest& digest);
// What hash_text() wrote; an input Error for anything else.
Digest parse_hash(std::string_view text);

Digest digest_of(std::span<const std::byte> bytes);
// The hash of a tensor from the digests of its leaves (kernels/xxh3_leaves.h), 16 bytes each.
Digest tensor_hash(std::span<const uint8_t> leaves);

// The digest of bytes that come in parts. Not thread-safe.
class ByteHash {
 public:
  ByteHash();
  void add(std::span<const std::byte> bytes);
  Digest digest() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

// Not thread-safe. Tensors may be added in any order; a name twice is the caller's fault.
class ModelHash {
 public:
  void add(std::string_view name, std::string_view dtype, const std::vector<uint64_t>& shape,
           const Digest& hash);
  Digest digest() const;

 private:
  std::map<std::string, std::string, std::less<>> tensors_;  // what each adds
};

}  // namespace mlq::quant
