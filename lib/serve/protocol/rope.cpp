#include "lib/serve/protocol/rope.h"

namespace mlq::serve {

void Rope::copy(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().outside != nullptr) pieces_.push_back({nullptr, own_.size(), 0});
  own_.append(text);
  pieces_.back().size += text.size();
  bytes_ += text.size();
}

void Rope::add(std::string_view text) {
  if (text.size() < kReferenceFrom) return copy(text);
  pieces_.push_back({text.data(), 0, text.size()});
  bytes_ += text.size();
}

std::vector<std::string_view> Rope::pieces() const {
  std::vector<std::string_view> out;
  out.reserve(pieces_.size());
  for (const Piece& piece : pieces_) {
    const char* begin = piece.outside != nullptr ? piece.outside : own_.data() + piece.offset;
    out.emplace_back(begin, piece.size);
  }
  return out;
}

std::string Rope::text() const {
  std::string out;
  out.reserve(bytes_);
  for (const std::string_view piece : pieces()) out.append(piece);
  return out;
}

}  // namespace mlq::serve
