// JSON text under construction: a byte buffer with the few appends that records need.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace mlq::jsonl {

// Grows by doubling and never shrinks. Not thread-safe; movable.
class Buffer {
 public:
  std::string_view view() const { return {data_.get(), size_}; }
  char* data() { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }
  void truncate(size_t size) { size_ = size; }

  // Room for `n` more bytes; the caller writes there and then says how many with advance().
  char* reserve(size_t n) {
    if (capacity_ - size_ < n) grow(n);
    return data_.get() + size_;
  }
  void advance(size_t n) { size_ += n; }

  void raw(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(reserve(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void raw(char c) {
    *reserve(1) = c;
    ++size_;
  }

  template <std::integral T>
  void integer(T value) {
    char* at = reserve(20);
    size_ += static_cast<size_t>(std::to_chars(at, at + 20, value).ptr - at);
  }
  // Shortest form that reads back to the same double; `null` for NaN and infinity, which JSON does not have.
  void number(double value);
  void boolean(bool value) { raw(value ? std::string_view("true") : std::string_view("false")); }
  // A quoted string. Bytes that are no UTF-8 become U+FFFD; returns how many there were.
  size_t string(std::string_view text);

 private:
  void grow(size_t n);
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace mlq::jsonl
