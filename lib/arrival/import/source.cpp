#include "lib/arrival/import/source.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace mlq::arrival {

struct SourceHash::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

SourceHash::SourceHash() : state_(std::make_unique<State>()) {
  if (state_->xxh == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh);
}

SourceHash::~SourceHash() = default;

void SourceHash::update(std::string_view bytes) {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::string SourceHash::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

ReadAhead::ReadAhead(Input input) : input_(std::move(input)), thread_([this] { fill(); }) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
}

void ReadAhead::fill() {
  for (;;) {
    Block block;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return full_.size() < kBlocks || abandoned_; });
      if (abandoned_) return;
      if (!spare_.empty()) {
        block = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    std::exception_ptr error;
    try {
      if (!block.bytes) block.bytes = std::make_unique_for_overwrite<char[]>(kBlock);
      block.size = input_.read(block.bytes.get(), kBlock);
    } catch (...) {
      error = std::current_exception();
      block.size = 0;
    }
    const bool last = block.size == 0;
    {
      const std::lock_guard lock(mutex_);
      error_ = error;
      ended_ = last;
      if (!last) full_.push_back(std::move(block));
    }
    changed_.notify_all();
    if (last) return;
  }
}

// Takes the next block; false at the end.
bool ReadAhead::next_block() {
  std::unique_lock lock(mutex_);
  if (block_.bytes) spare_.push_back(std::exchange(block_, {}));
  at_ = 0;
  changed_.wait(lock, [&] { return !full_.empty() || ended_; });
  if (full_.empty()) {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return false;
  }
  block_ = std::move(full_.front());
  full_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return true;
}

size_t ReadAhead::read(char* out, size_t size) {
  if (at_ == block_.size && !next_block()) return 0;
  const size_t n = std::min(size, block_.size - at_);
  std::memcpy(out, block_.bytes.get() + at_, n);
  at_ += n;
  return n;
}

std::string read_head(Input& input, size_t size) {
  std::string head(size, '\0');
  size_t have = 0;
  while (have < size) {
    const size_t n = input.read(head.data() + have, size - have);
    if (n == 0) break;
    have += n;
  }
  head.resize(have);
  return head;
}

namespace {

// Where the bytes of a hashed input come from.
struct Tap {
  std::string head;
  size_t head_at = 0;
  std::unique_ptr<Input> direct;
  std::unique_ptr<ReadAhead> ahead;
  SourceHash* hash;

  size_t read(char* out, size_t size) {
    size_t n = 0;
    if (head_at < head.size()) {
      n = head.copy(out, size, head_at);
      head_at += n;
    } else {
      n = ahead ? ahead->read(out, size) : direct->read(out, size);
    }
    hash->update({out, n});
    return n;
  }
};

}  // namespace

Input hashed_input(Input input, std::string head, SourceHash& hash, bool read_ahead, const StopFlag* stop) {
  auto tap = std::make_shared<Tap>();
  tap->head = std::move(head);
  tap->hash = &hash;
  std::string name = input.name();
  if (read_ahead) {
    tap->ahead = std::make_unique<ReadAhead>(std::move(input));
  } else {
    tap->direct = std::make_unique<Input>(std::move(input));
  }
  return Input::from_source(
      std::move(name), [tap](char* out, size_t size) { return tap->read(out, size); }, stop);
}

}  // namespace mlq::arrival
