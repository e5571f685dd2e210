#include "lib/quant/tensor_meta.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"

namespace mlq::quant {
namespace {

using jsonl::Kind;
using jsonl::Value;

class Writer {
 public:
  Writer() { out_.raw('{'); }
  void text(std::string_view key, std::string_view value) {
    this->key(key);
    out_.string(value);
  }
  template <std::integral T>
  void integer(std::string_view key, T value) {
    this->key(key);
    out_.integer(value);
  }
  void number(std::string_view key, double value) {
    this->key(key);
    out_.number(value);
  }
  void flag(std::string_view key, bool value) {
    this->key(key);
    out_.boolean(value);
  }
  jsonl::Buffer& value(std::string_view key) {
    this->key(key);
    return out_;
  }
  std::string end() {
    out_.raw('}');
    return std::string(out_.view());
  }

 private:
  void key(std::string_view key) {
    if (!first_) out_.raw(',');
    first_ = false;
    out_.string(key);
    out_.raw(':');
  }
  jsonl::Buffer out_;
  bool first_ = true;
};

void write_spec(Writer& out, const TensorMeta& meta) {
  const Coding& c = meta.coding;
  const Spec& spec = c.spec;
  out.text("format", format_info(spec.format).name);
  if (has_plane(c, Plane::scales)) {
    out.text("block", block_text(spec));
    out.text("blocks", spec.row_blocks ? "row" : "flat");
  }
  if (is_block_int(spec.format)) out.text("grid", name_of(spec.grid));
  if (is_block_int(spec.format) || spec.format == Format::nf4 || spec.format == Format::fp4 ||
      spec.format == Format::fp8e4m3)
    out.text("scale", name_of(spec.scale));
  if (spec.format == Format::nf4 || spec.format == Format::fp4)
    out.text("order", spec.order == kernels::NibbleOrder::low_first ? "low" : "high");
  if (spec.double_quant) out.number("nested_offset", c.nested_offset);
  if (spec.format == Format::raw && c.wide) out.flag("wide", true);
  if (spec.format == Format::ec) {
    out.number("step", c.step);
    out.flag("wide", c.wide);
    out.integer("escapes", meta.escapes);
  }
}

void write_planes(Writer& out, const TensorMeta& meta) {
  jsonl::Buffer& json = out.value("planes");
  json.raw('{');
  for (const StoredPlane& plane : meta.planes) {
    if (&plane != &meta.planes.front()) json.raw(',');
    json.string(name_of(plane.plane));
    json.raw(":{\"tensor\":");
    json.string(plane.tensor);
    json.raw(",\"bytes\":");
    json.integer(plane.bytes);
    json.raw(",\"zstd\":");
    json.boolean(plane.zstd);
    json.raw('}');
  }
  json.raw('}');
}

// The members of one entry; every complaint names the tensor and the member.
class Entry {
 public:
  Entry(std::string_view name, std::string_view json, std::string_view where)
      : where_(fmt::format("{}: {}{}", where, kMetaPrefix, name)), object_(json) {
    if (!object_.ok()) fail(object_.parser().error());
  }

  [[noreturn]] void fail(std::string_view why) const {
    throw input_error("{}: {}; the file is damaged, or of a later version", where_, why);
  }
  const Value& need(std::string_view key, Kind kind) {
    const Value* value = object_.parser().find(key);
    if (value == nullptr || value->kind != kind)
      fail(fmt::format("\"{}\" is missing or of a wrong type", key));
    return *value;
  }
  std::string_view text(std::string_view key) { return need(key, Kind::string).text; }
  bool flag(std::string_view key) { return need(key, Kind::boolean).boolean; }
  uint64_t integer(std::string_view key) {
    const Value* value = object_.parser().find(key);
    const auto number = value == nullptr ? std::nullopt : value->as_uint64();
    if (!number) fail(fmt::format("\"{}\" must be a whole number", key));
    return *number;
  }
  double number(std::string_view key) {
    const Value* value = object_.parser().find(key);
    const auto number = value == nullptr ? std::nullopt : value->as_double();
    if (!number || !std::isfinite(*number)) fail(fmt::format("\"{}\" must be a number", key));
    return *number;
  }
  // `null` where there is none, as an error of a tensor of zeros.
  double number_or_zero(std::string_view key) {
    const Value* value = object_.parser().find(key);
    return value != nullptr && value->kind != Kind::null ? number(key) : 0;
  }
  bool has(std::string_view key) { return object_.parser().find(key) != nullptr; }
  // `parse` throws a usage Error for what it does not know; here that is the file's fault.
  template <class Parse>
  auto word(std::string_view key, Parse parse) {
    const std::string_view given = text(key);
    try {
      return parse(given);
    } catch (const Error& error) {
      fail(fmt::format("\"{}\": {}", key, error.what()));
    }
  }

 private:
  std::string where_;
  jsonl::OwnedObject object_;
};

void read_spec(Entry& entry, TensorMeta& meta) {
  Spec& spec = meta.coding.spec;
  spec = default_spec(entry.word("format", parse_format));
  spec.zstd = Zstd::off;
  const bool table = spec.format == Format::nf4 || spec.format == Format::fp4;
  const bool scaled = is_block_int(spec.format) || table || spec.format == Format::fp8e4m3;
  // What the format does not have is not looked at.
  if (has_plane(meta.coding, Plane::scales)) {
    entry.word("block", [&](std::string_view text) {
      parse_block(text, spec);
      return true;
    });
    spec.row_blocks = entry.text("blocks") == "row";
  }
  if (is_block_int(spec.format)) spec.grid = entry.word("grid", parse_grid);
  if (scaled) spec.scale = entry.word("scale", parse_float);
  if (table && entry.text("order") == "high") spec.order = kernels::NibbleOrder::high_first;
  if (table && entry.has("nested_offset")) {
    spec.double_quant = true;
    meta.coding.nested_offset = static_cast<float>(entry.number("nested_offset"));
  }
  if (spec.format == Format::raw && entry.has("wide")) meta.coding.wide = entry.flag("wide");
  if (spec.format == Format::ec) {
    meta.coding.step = static_cast<float>(entry.number("step"));
    if (!std::isnormal(meta.coding.step) || meta.coding.step < 0 || !std::isnormal(1 / meta.coding.step))
      entry.fail("\"step\" is out of range");
    meta.coding.wide = entry.flag("wide");
    meta.escapes = entry.integer("escapes");
  }
  try {
    validate(spec);
  } catch (const Error& error) {
    entry.fail(error.what());
  }
}

Plane parse_plane(Entry& entry, std::string_view name) {
  for (const Plane plane : kPlanes)
    if (name_of(plane) == name) return plane;
  entry.fail(fmt::format("unknown plane \"{}\"", name));
}

uint64_t expected_bytes(const TensorMeta& meta, Plane plane) {
  if (meta.coding.spec.format == Format::raw)
    return plane == Plane::codes ? (meta.coding.wide ? meta.size_bytes / 2 : meta.size_bytes)
           : plane == Plane::high && meta.coding.wide ? meta.size_bytes / 2
                                                      : 0;
  return plane == Plane::escapes ? meta.escapes * size_of(meta.coding.source)
                                 : plane_bytes(meta.coding, plane);
}

void read_planes(Entry& entry, TensorMeta& meta) {
  std::vector<jsonl::Member> members;
  jsonl::read_members(entry.need("planes", Kind::object), members);
  for (const jsonl::Member& member : members) {
    StoredPlane plane{parse_plane(entry, member.key), {}, 0, false};
    const auto tensor = jsonl::member(member.value, "tensor");
    const auto bytes = jsonl::member(member.value, "bytes");
    const auto zstd = jsonl::member(member.value, "zstd");
    if (!tensor || tensor->kind != Kind::string || !bytes || !bytes->as_uint64() || !zstd ||
        zstd->kind != Kind::boolean)
      entry.fail(fmt::format("plane \"{}\" lacks tensor, bytes or zstd", member.key));
    plane.tensor = tensor->text;
    plane.bytes = *bytes->as_uint64();
    plane.zstd = zstd->boolean;
    if (plane.bytes == 0 || plane.bytes != expected_bytes(meta, plane.plane))
      entry.fail(fmt::format("plane \"{}\" does not fit format and shape", member.key));
    for (const StoredPlane& other : meta.planes)
      if (other.plane == plane.plane) entry.fail(fmt::format("plane \"{}\" stands there twice", member.key));
    meta.planes.push_back(std::move(plane));
  }
  for (const Plane plane : kPlanes) {
    const bool there = std::any_of(meta.planes.begin(), meta.planes.end(),
                                   [&](const StoredPlane& stored) { return stored.plane == plane; });
    if (!there && expected_bytes(meta, plane) > 0)
      entry.fail(fmt::format("plane \"{}\" is missing", name_of(plane)));
  }
}

}  // namespace

std::optional<Float> source_float(tensorfile::Dtype dtype) {
  switch (dtype) {
    case tensorfile::Dtype::f32:
    case tensorfile::Dtype::f64:
      return Float::f32;
    case tensorfile::Dtype::f16:
      return Float::f16;
    case tensorfile::Dtype::bf16:
      return Float::bf16;
    default:
      return std::nullopt;
  }
}

std::string meta_key(std::string_view name) { return fmt::format("{}{}", kMetaPrefix, name); }

std::string meta_json(const TensorMeta& meta) {
  Writer out;
  out.text("dtype", tensorfile::dtype_name(meta.dtype));
  jsonl::Buffer& shape = out.value("shape");
  shape.raw('[');
  for (size_t i = 0; i < meta.shape.size(); ++i) {
    if (i > 0) shape.raw(',');
    shape.integer(meta.shape[i]);
  }
  shape.raw(']');
  write_spec(out, meta);
  write_planes(out, meta);
  out.text("hash_source", meta.hash_source);
  out.text("hash_decoded", meta.hash_decoded);
  out.number("rmse", meta.rmse);
  out.number("rel_rmse", meta.rel_rmse);
  out.number("max_abs_err", meta.max_abs_err);
  return out.end();
}

TensorMeta widest(TensorMeta meta) {
  constexpr double kLongDouble = -2.2250738585072014e-308;
  constexpr float kLongFloat = -1.1754944e-38F;  // as the double that it is: 1.1754943508222875e-38
  meta.coding.wide =
      meta.coding.spec.format == Format::raw;  // it is said of raw where it is so, of ec always
  meta.coding.step = kLongFloat;
  meta.coding.nested_offset = kLongFloat;
  meta.escapes = std::numeric_limits<uint64_t>::max();
  meta.hash_source = meta.hash_decoded = hash_text({});
  meta.rmse = meta.rel_rmse = meta.max_abs_err = kLongDouble;
  for (StoredPlane& plane : meta.planes) plane.bytes = std::numeric_limits<uint64_t>::max();
  return meta;
}

TensorMeta parse_meta(std::string_view name, std::string_view json, std::string_view where) {
  Entry entry(name, json, where);
  TensorMeta meta;
  meta.name = name;
  const auto dtype = tensorfile::find_dtype(entry.text("dtype"));
  if (!dtype) entry.fail("unknown dtype");
  meta.dtype = *dtype;
  if (!jsonl::read_uint64_array(entry.need("shape", Kind::array), meta.shape))
    entry.fail("\"shape\" is no shape");
  const tensorfile::TensorInfo info = tensorfile::make_tensor(where, meta.name, meta.dtype, meta.shape);
  meta.coding.shape = as_rows(meta.shape);
  meta.size_bytes = info.size_bytes;
  read_spec(entry, meta);
  const auto source = source_float(meta.dtype);
  if (!source && meta.coding.spec.format != Format::raw) entry.fail("only floats can be quantized");
  meta.coding.source = source.value_or(Float::f32);
  read_planes(entry, meta);
  meta.hash_source = entry.text("hash_source");
  meta.hash_decoded = entry.text("hash_decoded");
  meta.rmse = entry.number_or_zero("rmse");
  meta.rel_rmse = entry.number_or_zero("rel_rmse");
  meta.max_abs_err = entry.number_or_zero("max_abs_err");
  return meta;
}

}  // namespace mlq::quant
