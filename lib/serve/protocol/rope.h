// A body made of pieces, for writev: short text is copied into one buffer, long text is referenced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlq::serve {

// Copies below this many bytes are cheaper than one more piece.
inline constexpr size_t kReferenceFrom = 4096;

// Referenced text must outlive the rope. Movable and copyable; not thread-safe.
class Rope {
 public:
  // Always copied.
  void copy(std::string_view text);
  // Copied if it is shorter than kReferenceFrom, else referenced.
  void add(std::string_view text);

  size_t bytes() const { return bytes_; }
  // The pieces in order; valid until the rope is changed, moved or gone.
  std::vector<std::string_view> pieces() const;
  std::string text() const;

 private:
  struct Piece {
    const char* outside;  // null: at `offset` of own_
    size_t offset;
    size_t size;
  };
  std::string own_;
  std::vector<Piece> pieces_;
  size_t bytes_ = 0;
};

}  // namespace mlq::serve
