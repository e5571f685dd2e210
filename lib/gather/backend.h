// Where a rank keeps its weights, what it holds and what it sends, and computes with them: host memory, or a
// device. The bytes are the same everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lib/gather/codec.h"

namespace mlq::gather {

// Memory of a backend, or of the host; addresses of a device are not for the CPU. Copies are the same memory.
class Memory {
 public:
  Memory() = default;
  Memory(std::shared_ptr<std::byte> bytes, uint64_t size) : bytes_(std::move(bytes)), size_(size) {}
  std::byte* data() const { return bytes_.get(); }
  uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<std::byte> span() const { return {data(), size_}; }

 private:
  std::shared_ptr<std::byte> bytes_;
  uint64_t size_ = 0;
};

// Memory of the host, zeroed.
Memory host_memory(uint64_t bytes);

// Pointers are into the backend's memory, spans into the host's. Work is done in the order in which it was
// given, and may go on after a call returns; what is in host memory is there or was taken when it does. For
// one thread at a time.
class Backend {
 public:
  virtual ~Backend() = default;
  // Whether its memory is the host's.
  virtual bool is_host() const = 0;

  virtual Memory allocate(uint64_t bytes) = 0;  // zeroed
  // Host memory that it copies from and to quickly; not initialised.
  virtual Memory allocate_staging(uint64_t bytes) { return host_memory(bytes); }
  virtual void upload(std::byte* to, std::span<const std::byte> from) = 0;
  virtual void download(std::span<std::byte> to, const std::byte* from) = 0;
  virtual void copy(std::byte* to, const std::byte* from, uint64_t bytes) = 0;
  virtual void zero(std::byte* to, uint64_t bytes) = 0;
  // Fills memory with what `read` puts into the spans that it is given, from `offset` on.
  using Read = std::function<void(uint64_t offset, std::span<std::byte> to)>;
  virtual void fill(std::byte* to, uint64_t bytes, const Read& read) = 0;

  // As of codec.h. What `ready` says is final will be when the work given so far is done.
  virtual std::vector<PartError> encode_parts(const Settings& settings, const Frame& frame,
                                              const Packing& packing, std::span<const OwnPart> parts,
                                              std::byte* payload, const Ready& ready) = 0;
  virtual void apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                           std::span<const HeldPart> parts, const std::byte* payload) = 0;
  // The hash of a tensor or a payload (tree_hash.h).
  virtual quant::Digest hash(const std::byte* at, uint64_t bytes) = 0;
  // Until all work is done; its Error if it failed.
  virtual void finish() = 0;
};

// On so many threads of the CPU.
class HostBackend final : public Backend {
 public:
  explicit HostBackend(unsigned threads) : threads_(threads) {}
  bool is_host() const override { return true; }
  Memory allocate(uint64_t bytes) override { return host_memory(bytes); }
  void upload(std::byte* to, std::span<const std::byte> from) override;
  void download(std::span<std::byte> to, const std::byte* from) override;
  void copy(std::byte* to, const std::byte* from, uint64_t bytes) override;
  void zero(std::byte* to, uint64_t bytes) override;
  void fill(std::byte* to, uint64_t bytes, const Read& read) override;
  std::vector<PartError> encode_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                                      std::span<const OwnPart> parts, std::byte* payload,
                                      const Ready& ready) override;
  void apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                   std::span<const HeldPart> parts, const std::byte* payload) override;
  quant::Digest hash(const std::byte* at, uint64_t bytes) override;
  void finish() override {}

 private:
  unsigned threads_;
};

}  // namespace mlq::gather
