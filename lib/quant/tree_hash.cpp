#include "lib/quant/tree_hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <new>

#include "lib/base/error.h"

namespace mlq::quant {
namespace {

Digest canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  return std::to_array(bytes.digest);
}

void append_u64(std::string& out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

void append_text(std::string& out, std::string_view text) {
  append_u64(out, text.size());
  out += text;
}

}  // namespace

std::string hash_text(const Digest& digest) {
  std::string text = "xxh3:";
  for (const uint8_t byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

Digest parse_hash(std::string_view text) {
  constexpr std::string_view kind = "xxh3:";
  Digest digest{};
  const auto fail = [&] { throw input_error("\"{}\" is no hash", text); };
  if (!text.starts_with(kind) || text.size() != kind.size() + 2 * digest.size()) fail();
  for (size_t i = 0; i < digest.size(); ++i) {
    const char* at = text.data() + kind.size() + 2 * i;
    if (std::from_chars(at, at + 2, digest[i], 16).ptr != at + 2) fail();
  }
  if (hash_text(digest) != text) fail();  // capital letters
  return digest;
}

void ByteHash::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

ByteHash::ByteHash() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void ByteHash::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

Digest ByteHash::digest() const { return canonical(XXH3_128bits_digest(state_.get())); }

Digest digest_of(std::span<const std::byte> bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

Digest tensor_hash(std::span<const uint8_t> leaves) { return digest_of(std::as_bytes(leaves)); }

void ModelHash::add(std::string_view name, std::string_view dtype, const std::vector<uint64_t>& shape,
                    const Digest& hash) {
  std::string entry;
  append_text(entry, name);
  append_text(entry, dtype);
  append_u64(entry, shape.size());
  for (const uint64_t extent : shape) append_u64(entry, extent);
  entry.append(reinterpret_cast<const char*>(hash.data()), hash.size());
  tensors_.emplace(name, std::move(entry));
}

Digest ModelHash::digest() const {
  ByteHash hash;
  for (const auto& [name, entry] : tensors_) hash.add(std::as_bytes(std::span(entry)));
  return hash.digest();
}

}  // namespace mlq::quant
