// A model that is read piece by piece, whether it lies in files or is to be made from a base and patches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/patch/layout.h"
#include "lib/patch/piece_codec.h"
#include "lib/quant/pieces.h"
#include "lib/quant/schedule.h"
#include "lib/tensorfile/source.h"

namespace mlq::patch {

// Pieces of a tensor of `bytes` whose words have so many bytes, and where one lies in it, in bytes.
constexpr uint64_t piece_bytes(unsigned width) { return kPieceWords * width; }
constexpr uint64_t piece_count(uint64_t bytes, unsigned width) {
  return quant::pieces_of(bytes, piece_bytes(width));
}
constexpr quant::Range piece_range(uint64_t bytes, unsigned width, uint64_t piece) {
  return quant::piece_at(bytes, piece_bytes(width), piece);
}
inline uint64_t piece_count(const tensorfile::TensorInfo& tensor) {
  return piece_count(tensor.size_bytes, word_kind(tensor.dtype).width);
}
inline quant::Range piece_range(const tensorfile::TensorInfo& tensor, uint64_t piece) {
  return piece_range(tensor.size_bytes, word_kind(tensor.dtype).width, piece);
}

class Model {
 public:
  virtual ~Model() = default;
  virtual const std::string& name() const = 0;  // for messages
  virtual const Layout& layout() const = 0;
  // The bytes of piece `piece` of tensor `tensor` of the layout. Thread-safe, a worker a thread; uses its
  // packed, sections, values and other. Errors: environment Error where reading fails, input Error for what
  // is damaged.
  virtual void read(size_t tensor, uint64_t piece, quant::Worker& worker,
                    std::vector<std::byte>& out) const = 0;
  // An input Error if a file has changed since it was opened. To be called when all is read.
  virtual void check_unchanged() const = 0;
};

// What lies in files. Keeps a reference to the source.
class SourceModel final : public Model {
 public:
  explicit SourceModel(const tensorfile::Source& source) : source_(source), layout_(layout_of(source)) {}
  const std::string& name() const override { return source_.name(); }
  const Layout& layout() const override { return layout_; }
  void read(size_t tensor, uint64_t piece, quant::Worker& worker, std::vector<std::byte>& out) const override;
  void check_unchanged() const override { source_.check_unchanged(); }

 private:
  const tensorfile::Source& source_;
  Layout layout_;
};

}  // namespace mlq::patch
