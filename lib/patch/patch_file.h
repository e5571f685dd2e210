// A patch (.mlqd): what turns one model into the next. An ordinary safetensors file whose metadata name the
// models by their hashes (lib/quant/tree_hash.h), hold the new model's headers, and say of each tensor that
// is not as it was what became of it:
//
//   mlq.version        "1"
//   mlq.kind           "delta"
//   mlq.parent_hash    of the model that it is for
//   mlq.result_hash    of the model that it makes
//   mlq.step           a number that whoever made it gave; may be missing
//   mlq.content_hash   of all other metadata and of the bytes of all tensors of the patch
//   mlq.file.N, mlq.header.N, mlq.index.name, mlq.index     layout.h
//   mlq.t.NAME         TensorChange, as JSON
//
// Of a tensor X, `X.mlq.delta` holds what changed: without loss (delta_stream.h) or with loss (lossy.h,
// code_stream.h). One
// that is new or of another type or shape may stand in the patch as it is, under its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/patch/layout.h"
#include "lib/patch/lossy.h"
#include "lib/quant/tree_hash.h"
#include "lib/tensorfile/source.h"

namespace mlq::patch {

inline constexpr std::string_view kPatchKind = "delta";
inline constexpr std::string_view kParentKey = "mlq.parent_hash", kResultKey = "mlq.result_hash";
inline constexpr std::string_view kStepKey = "mlq.step", kContentKey = "mlq.content_hash";

enum class ChangeKind : uint8_t {
  lossless,  // a delta stream, to a tensor of the same type and shape
  raw,       // the bytes themselves
  delta,     // codes of differences to a tensor of the same shape, in any type of float
  key,       // codes of differences to zeros
};
std::string_view name_of(ChangeKind kind);
constexpr bool is_lossy(ChangeKind kind) { return kind == ChangeKind::delta || kind == ChangeKind::key; }

// What a patch says of one tensor.
struct TensorChange {
  ChangeKind kind = ChangeKind::lossless;
  quant::Digest result{};  // hash of the tensor's bytes as the patch leaves it
  LossySpec lossy = {};    // of delta and key
  bool packed = false;     // their codes and scales are compressed
};
std::string change_json(const TensorChange& change);
// An input Error that names `where` and the tensor for what change_json() does not write.
TensorChange parse_change(std::string_view name, std::string_view json, const std::string& where);
// Under which name the bytes of a change are stored.
std::string stored_name(std::string_view tensor, ChangeKind kind);

// Of everything that a patch file holds: its metadata but mlq.content_hash, and its tensors, `tensors` being
// their part in a ModelHash.
quant::Digest content_hash(const tensorfile::Metadata& metadata, const quant::ModelHash& tensors);

// Opened and checked as far as that goes without reading what it stores. Immutable and thread-safe; movable.
class PatchFile {
 public:
  // An input Error if it is no patch, or what its metadata say does not go together.
  explicit PatchFile(tensorfile::Source source);

  const std::string& name() const { return source_.name(); }
  const tensorfile::Source& source() const { return source_; }
  const quant::Digest& parent() const { return parent_; }
  const quant::Digest& result() const { return result_; }
  const quant::Digest& content() const { return content_; }
  const std::optional<uint64_t>& step() const { return step_; }
  const Layout& layout() const { return layout_; }  // of the model that it makes
  uint64_t size_bytes() const { return source_.shard(0).size_bytes; }

  struct Entry {
    TensorChange change;
    size_t stored = 0;  // the tensor of source() that holds its bytes
  };
  // Of a tensor of the layout; null where it is as it was.
  const Entry* entry(size_t tensor) const;

 private:
  void read_entries();

  tensorfile::Source source_;
  quant::Digest parent_{}, result_{}, content_{};
  std::optional<uint64_t> step_;
  Layout layout_;
  std::vector<std::optional<Entry>> entries_;  // by tensor of the layout
};

// Opens a file. Errors as PatchFile's and open_source()'s.
PatchFile open_patch(const std::string& path, const tensorfile::SourceOptions& options = {});
// Whether the metadata are those of a patch, whatever its state.
bool is_patch(const tensorfile::Metadata& metadata);

}  // namespace mlq::patch
