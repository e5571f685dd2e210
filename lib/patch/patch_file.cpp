#include "lib/patch/patch_file.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"
#include "lib/quant/tensor_meta.h"

namespace mlq::patch {
namespace {

using tensorfile::Metadata;

const std::string* find(const Metadata& metadata, std::string_view key) {
  const auto it = metadata.find(key);
  return it == metadata.end() ? nullptr : &it->second;
}

const std::string& need(const Metadata& metadata, std::string_view key, const std::string& where) {
  const std::string* value = find(metadata, key);
  if (value == nullptr) throw input_error("{}: its metadata lack \"{}\"; the file is damaged", where, key);
  return *value;
}

quant::Digest need_hash(const Metadata& metadata, std::string_view key, const std::string& where) {
  try {
    return quant::parse_hash(need(metadata, key, where));
  } catch (const Error& error) {
    throw input_error("{}: {}: {}", where, key, error.what());
  }
}

std::optional<uint64_t> read_step(const Metadata& metadata, const std::string& where) {
  const std::string* text = find(metadata, kStepKey);
  if (text == nullptr) return std::nullopt;
  uint64_t step = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, step);
  if (error != std::errc() || stop != end)
    throw input_error("{}: {}: {} is no number; the file is damaged", where, kStepKey,
                      tensorfile::in_quotes(*text));
  return step;
}

constexpr ChangeKind kChangeKinds[] = {ChangeKind::lossless, ChangeKind::raw, ChangeKind::delta,
                                       ChangeKind::key};
std::string_view name_of_kind(ChangeKind kind) { return name_of(kind); }

void add_text(quant::ByteHash& hash, std::string_view text) {
  uint64_t size = text.size();
  std::array<std::byte, 8> bytes{};
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(size);
    size >>= 8;
  }
  hash.add(bytes);
  hash.add(std::as_bytes(std::span(text)));
}

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::lossless:
      return "lossless";
    case ChangeKind::raw:
      return "raw";
    case ChangeKind::delta:
      return "delta";
    case ChangeKind::key:
      return "key";
  }
  return "";
}

std::string change_json(const TensorChange& change) {
  jsonl::Buffer out;
  out.raw("{\"change\":");
  out.string(name_of(change.kind));
  if (is_lossy(change.kind)) {
    out.raw(',');
    out.raw(spec_json(change.lossy));
    if (change.packed) out.raw(",\"codec\":\"zstd\"");
  }
  out.raw(",\"hash\":");
  out.string(quant::hash_text(change.result));
  out.raw('}');
  return std::string(out.view());
}

TensorChange parse_change(std::string_view name, std::string_view json, const std::string& where) {
  const auto fail = [&](std::string_view why) -> Error {
    return input_error("{}: {}{}: {}; the file is damaged, or of a later version", where, quant::kMetaPrefix,
                       name, why);
  };
  jsonl::OwnedObject object(json);
  if (!object.ok()) throw fail(object.parser().error());
  const auto text = [&](std::string_view key) {
    const jsonl::Value* value = object.parser().find(key);
    if (value == nullptr || value->kind != jsonl::Kind::string)
      throw fail(fmt::format("\"{}\" is missing or no text", key));
    return value->text;
  };
  const auto number = [&](std::string_view key) {
    const jsonl::Value* value = object.parser().find(key);
    const auto count = value == nullptr ? std::nullopt : value->as_uint64();
    if (!count) throw fail(fmt::format("\"{}\" is missing or no whole number", key));
    return *count;
  };
  TensorChange change;
  const std::string_view kind = text("change");
  const auto* const found = std::ranges::find(kChangeKinds, kind, name_of_kind);
  if (found == std::end(kChangeKinds))
    throw fail(fmt::format("{} is no change that is known", tensorfile::in_quotes(kind)));
  change.kind = *found;
  try {  // what these do not know is a usage Error, and here the file's fault
    change.result = quant::parse_hash(text("hash"));
    if (!is_lossy(change.kind)) return change;
    change.lossy.code.bits = static_cast<unsigned>(std::min<uint64_t>(number("bits"), 64));
    change.lossy.block = number("block");
    change.lossy.code.grid = quant::parse_grid(text("grid"));
    change.lossy.code.scale = quant::parse_float(text("scale"));
    validate(change.lossy);
    change.packed = object.parser().find("codec") != nullptr;
    if (change.packed && text("codec") != "zstd") throw fail("its codec is none that is known");
  } catch (const Error& error) {
    throw fail(error.what());
  }
  return change;
}

std::string stored_name(std::string_view tensor, ChangeKind kind) {
  return kind == ChangeKind::raw ? std::string(tensor) : fmt::format("{}.mlq.delta", tensor);
}

quant::Digest content_hash(const Metadata& metadata, const quant::ModelHash& tensors) {
  quant::ByteHash hash;
  for (const auto& [key, value] : metadata) {
    if (key == kContentKey) continue;
    add_text(hash, key);
    add_text(hash, value);
  }
  const quant::Digest stored = tensors.digest();
  hash.add(std::as_bytes(std::span(stored)));
  return hash.digest();
}

bool is_patch(const Metadata& metadata) {
  const std::string* kind = find(metadata, quant::kKindKey);
  return kind != nullptr && *kind == kPatchKind;
}

PatchFile::PatchFile(tensorfile::Source source) : source_(std::move(source)) {
  const Metadata& metadata = source_.shard(0).metadata;
  if (source_.shards() != 1 || find(metadata, quant::kVersionKey) == nullptr)
    throw input_error("{}: is no patch; name what mlq-quant diff has written", name());
  if (const std::string& version = need(metadata, quant::kVersionKey, name()); version != quant::kMetaVersion)
    throw input_error("{}: written by a later mlq-quant (version {} of its metadata; this one reads {})",
                      name(), tensorfile::in_quotes(version), quant::kMetaVersion);
  if (!is_patch(metadata))
    throw input_error("{}: holds {}, not a patch", name(),
                      tensorfile::in_quotes(need(metadata, quant::kKindKey, name())));
  parent_ = need_hash(metadata, kParentKey, name());
  result_ = need_hash(metadata, kResultKey, name());
  content_ = need_hash(metadata, kContentKey, name());
  step_ = read_step(metadata, name());
  layout_ = read_layout(metadata, name());
  read_entries();
}

// Every tensor of the file is that of one change, and none is left over.
void PatchFile::read_entries() {
  entries_.resize(layout_.tensors.size());
  std::vector<bool> used(source_.tensors().size(), false);
  size_t count = 0;
  for (const auto& [key, value] : source_.shard(0).metadata) {
    if (!key.starts_with(quant::kMetaPrefix)) continue;
    const std::string_view tensor = std::string_view(key).substr(quant::kMetaPrefix.size());
    const auto fail = [&](std::string_view why) {
      return input_error("{}: tensor {} {}; the file is damaged", name(), tensorfile::in_quotes(tensor), why);
    };
    const auto place = layout_.find(tensor);
    if (!place) throw fail("is changed, and is not in the model");
    const TensorChange change = parse_change(tensor, value, name());
    const auto stored = source_.find(stored_name(tensor, change.kind));
    if (!stored || used[*stored]) throw fail("is changed, and nothing is stored of it");
    used[*stored] = true;
    ++count;
    const tensorfile::TensorInfo &is = source_.tensors()[*stored], &becomes = layout_.tensors[*place];
    if (change.kind == ChangeKind::raw ? is.dtype != becomes.dtype || is.shape != becomes.shape
                                       : is.dtype != tensorfile::Dtype::u8 || is.shape.size() != 1)
      throw fail("is stored with another type or shape");
    if (is_lossy(change.kind) &&
        (!state_float(becomes.dtype) ||
         (!change.packed && is.size_bytes != stored_bytes(change.lossy, becomes.elems))))
      throw fail("is stored with another size than its codes have");
    entries_[*place] = Entry{change, *stored};
  }
  if (count != source_.tensors().size())
    throw input_error("{}: stores {} tensors and says of {} of them what they are; the file is damaged",
                      name(), source_.tensors().size(), count);
}

const PatchFile::Entry* PatchFile::entry(size_t tensor) const {
  return entries_[tensor] ? &*entries_[tensor] : nullptr;
}

PatchFile open_patch(const std::string& path, const tensorfile::SourceOptions& options) {
  return PatchFile(tensorfile::open_source(path, options));
}

}  // namespace mlq::patch
