#include "lib/quant/container.h"

#include <algorithm>
#include <cstring>

#include "kernels/lut4.h"
#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"
#include "lib/quant/frames.h"
#include "lib/quant/nested_scale.h"

namespace mlq::quant {
namespace {

using tensorfile::Declaration;
using tensorfile::Dtype;
using tensorfile::TensorInfo;

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kContainers[] = {"safetensors", "mlq", "compressed-tensors", "bnb"};
// Models whose linear layers keep their weights as [in, out]; of their matrices, the embeddings alone do not.
constexpr std::string_view kTransposedModels[] = {"gpt2", "openai-gpt", "imagegpt", "decision_transformer"};
constexpr size_t kStateText = 320;  // of bitsandbytes' JSON beside its shape

Dtype dtype_of(Float type) {
  return type == Float::f32 ? Dtype::f32 : type == Float::f16 ? Dtype::f16 : Dtype::bf16;
}

bool ends_with(std::string_view name, std::string_view ending) {
  return name.size() >= ending.size() && name.substr(name.size() - ending.size()) == ending;
}

std::string module_of(const std::string& name) { return name.substr(0, name.size() - kWeight.size()); }

uint64_t cols_of(const TensorInfo& tensor) { return as_rows(tensor.shape).cols; }

// The shape of one scale a block of a row.
std::vector<uint64_t> scale_shape(const Spec& spec, const TensorInfo& tensor) {
  const Shape2d shape = as_rows(tensor.shape);
  if (spec.block_kind == BlockKind::tensor) return {1};
  const uint64_t blocks = spec.block_kind == BlockKind::row ? 1 : shape.cols / spec.block;
  return {shape.rows, blocks};
}

Coding coding_of(const Spec& spec, const TensorInfo& tensor) {
  return unsettled_coding(spec, source_float(tensor.dtype).value_or(Float::f32), as_rows(tensor.shape));
}

OutPlane fixed(Plane plane, std::string name, Dtype dtype, std::vector<uint64_t> shape) {
  return {plane, {std::move(name), dtype, std::move(shape), {}}, false};
}

std::vector<OutPlane> mlq_planes(const Spec& spec, const TensorInfo& tensor) {
  if (spec.format == Format::raw && spec.zstd == Zstd::off)
    return {fixed(Plane::codes, tensor.name, tensor.dtype, tensor.shape)};
  if (spec.format == Format::bf16 && spec.zstd == Zstd::off)
    return {fixed(Plane::codes, tensor.name, Dtype::bf16, tensor.shape)};
  Coding coding = coding_of(spec, tensor);
  coding.wide = spec.format == Format::ec;  // perhaps
  const bool split = spec.format == Format::raw && tensor.dtype == Dtype::bf16;
  std::vector<OutPlane> planes;
  const auto add = [&](Plane plane, uint64_t bytes) {
    if (bytes == 0) return;
    const bool coded = plane == Plane::codes || plane == Plane::high;
    const bool zstd = coded && spec.zstd != Zstd::off;
    OutPlane out{
        plane, {fmt::format("{}.mlq.{}", tensor.name, name_of(plane)), Dtype::u8, {bytes}, {}}, zstd};
    if (zstd) out.tensor.largest_bytes = largest_packed(bytes);
    if (plane == Plane::escapes || plane == Plane::high) {
      if (!zstd) out.tensor.largest_bytes = bytes;
    }
    planes.push_back(std::move(out));
  };
  if (spec.format == Format::raw) {
    add(Plane::codes, split ? tensor.size_bytes / 2 : tensor.size_bytes);
    if (split) add(Plane::high, tensor.size_bytes / 2);
    return planes;
  }
  for (const Plane plane : kPlanes) add(plane, plane_bytes(coding, plane));
  return planes;
}

std::vector<OutPlane> plain_planes(const Spec& spec, const TensorInfo& tensor) {
  const std::string scale = tensor.name + "_scale";
  switch (spec.format) {
    case Format::int8:
      return {fixed(Plane::codes, tensor.name, Dtype::i8, tensor.shape),
              fixed(Plane::scales, scale, dtype_of(spec.scale), scale_shape(spec, tensor))};
    case Format::fp8e4m3:
      return {fixed(Plane::codes, tensor.name, Dtype::f8_e4m3, tensor.shape),
              fixed(Plane::scales, scale, dtype_of(spec.scale), scale_shape(spec, tensor))};
    case Format::fp8e5m2:
      return {fixed(Plane::codes, tensor.name, Dtype::f8_e5m2, tensor.shape)};
    case Format::bf16:
      return {fixed(Plane::codes, tensor.name, Dtype::bf16, tensor.shape)};
    default:
      return {fixed(Plane::codes, tensor.name, tensor.dtype, tensor.shape)};
  }
}

std::vector<OutPlane> compressed_planes(const Spec& spec, const TensorInfo& tensor) {
  if (spec.format == Format::raw) return plain_planes(spec, tensor);
  const std::string module = module_of(tensor.name);
  const Shape2d shape = as_rows(tensor.shape);
  const std::string packed = module + ".weight_packed", scale = module + ".weight_scale";
  switch (spec.format) {
    case Format::int4:
      return {fixed(Plane::codes, packed, Dtype::i32, {shape.rows, shape.cols / 8}),
              fixed(Plane::scales, scale, dtype_of(spec.scale), scale_shape(spec, tensor))};
    case Format::int8:
      if (spec.signed_codes)
        return {fixed(Plane::codes, tensor.name, Dtype::i8, tensor.shape),
                fixed(Plane::scales, scale, dtype_of(spec.scale), scale_shape(spec, tensor))};
      return {fixed(Plane::codes, packed, Dtype::i32, {shape.rows, shape.cols / 4}),
              fixed(Plane::scales, scale, dtype_of(spec.scale), scale_shape(spec, tensor))};
    case Format::fp8e4m3:
      return {fixed(Plane::codes, tensor.name, Dtype::f8_e4m3, tensor.shape),
              fixed(Plane::scales, scale, dtype_of(spec.scale), scale_shape(spec, tensor))};
    case Format::nvfp4:
      return {fixed(Plane::codes, packed, Dtype::u8, {shape.rows, shape.cols / 2}),
              fixed(Plane::scales, scale, Dtype::f8_e4m3, {shape.rows, shape.cols / 16}),
              fixed(Plane::global, module + ".weight_global_scale", Dtype::f32, {1})};
    default:  // mxfp4
      return {fixed(Plane::codes, packed, Dtype::u8, {shape.rows, shape.cols / 2}),
              fixed(Plane::scales, scale, Dtype::u8, {shape.rows, shape.cols / 32})};
  }
}

std::vector<OutPlane> bnb_planes(const Spec& spec, const TensorInfo& tensor) {
  if (spec.format == Format::raw) return plain_planes(spec, tensor);
  const Coding coding = coding_of(spec, tensor);
  const uint64_t blocks = layout_of(spec, coding.shape).blocks();
  std::vector<OutPlane> planes = {
      fixed(Plane::codes, tensor.name, Dtype::u8, {plane_bytes(coding, Plane::codes), 1}),
      fixed(Plane::scales, tensor.name + ".absmax", spec.double_quant ? Dtype::u8 : Dtype::f32, {blocks})};
  if (spec.double_quant)
    planes.push_back(
        fixed(Plane::nested, tensor.name + ".nested_absmax", Dtype::f32, {nested_groups(blocks)}));
  return planes;
}

template <class Values>
Companion constant(std::string name, Dtype dtype, std::vector<uint64_t> shape, const Values& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {{std::move(name), dtype, std::move(shape), {}}, std::vector<std::byte>(bytes.begin(), bytes.end())};
}

std::string_view torch_name(Dtype dtype) {
  return dtype == Dtype::bf16 ? "bfloat16" : dtype == Dtype::f16 ? "float16" : "float32";
}

// The state of bitsandbytes' Params4bit, padded with spaces to a size that does not depend on its numbers.
std::string bnb_state(const Coding& coding, const TensorInfo& tensor) {
  jsonl::Buffer out;
  out.raw(fmt::format(R"({{"quant_type": "{}", "blocksize": {}, "dtype": "{}", "shape": [{}])",
                      format_info(coding.spec.format).name, coding.spec.block, torch_name(tensor.dtype),
                      fmt::join(tensor.shape, ", ")));
  if (coding.spec.double_quant) {
    out.raw(fmt::format(R"(, "nested_blocksize": {}, "nested_dtype": "float32", "nested_offset": )",
                        kNestedGroup));
    out.number(coding.nested_offset);
  }
  out.raw('}');
  std::string text(out.view());
  text.resize(kStateText + 21 * tensor.shape.size(), ' ');
  return text;
}

std::string compressed_config(const Spec& spec, bool dynamic_activations,
                              const std::vector<std::string>& ignored) {
  const bool whole_row = spec.block_kind == BlockKind::row;
  std::string format = "pack-quantized", type = "int";
  unsigned bits = format_info(spec.format).code_bits;
  std::string strategy = whole_row ? "channel" : "group";
  std::string group = whole_row ? "null" : fmt::format("{}", spec.block);
  if (spec.format == Format::int8 && spec.signed_codes) format = "int-quantized";
  if (spec.format == Format::fp8e4m3) format = "float-quantized";
  if (spec.format == Format::nvfp4) {
    format = "nvfp4-pack-quantized";
    strategy = "tensor_group";
  }
  if (spec.format == Format::mxfp4) format = "mxfp4-pack-quantized";
  if (!is_block_int(spec.format)) type = "float";
  const std::string activations =
      dynamic_activations
          ? fmt::format(
                R"({{"num_bits": 8, "type": "{}", "symmetric": true, "strategy": "token", "dynamic": true}})",
                type)
          : "null";
  jsonl::Buffer names;
  for (const std::string& name : ignored) {
    if (!names.empty()) names.raw(", ");
    names.string(name);
  }
  return fmt::format(
      R"({{"quant_method": "compressed-tensors", "format": "{}", "quantization_status": "compressed", )"
      R"("kv_cache_scheme": null, "ignore": [{}], "config_groups": {{"group_0": {{"targets": ["Linear"], )"
      R"("weights": {{"num_bits": {}, "type": "{}", "symmetric": true, "strategy": "{}", "group_size": {}, )"
      R"("dynamic": false}}, "input_activations": {}, "output_activations": null}}}}}})",
      format, names.view(), bits, type, strategy, group, activations);
}

std::string bnb_config(const Spec& spec, const std::vector<std::string>& ignored) {
  jsonl::Buffer names;
  for (const std::string& name : ignored) {
    if (!names.empty()) names.raw(", ");
    names.string(name);
  }
  return fmt::format(
      R"({{"quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false, )"
      R"("bnb_4bit_quant_type": "{}", "bnb_4bit_use_double_quant": {}, "bnb_4bit_quant_storage": "uint8", )"
      R"("bnb_4bit_compute_dtype": "bfloat16", "llm_int8_skip_modules": [{}]}})",
      format_info(spec.format).name, spec.double_quant, names.view());
}

}  // namespace

std::string_view name_of(Container container) { return kContainers[static_cast<size_t>(container)]; }

Container parse_container(std::string_view text) {
  for (size_t i = 0; i < std::size(kContainers); ++i)
    if (kContainers[i] == text) return static_cast<Container>(i);
  throw usage_error("\"{}\" must be one of: {}", text, fmt::join(kContainers, ", "));
}

void check_container(Container container, const Spec& spec) {
  const Format f = spec.format;
  const std::string_view name = format_info(f).name;
  const auto refuse = [&](std::string_view holds) {
    throw usage_error(
        "--container {} cannot hold {}; it holds {}; --container mlq, or an OUT "
        "that ends in .mlq.safetensors, holds all",
        name_of(container), name, holds);
  };
  if (container != Container::mlq && spec.zstd != Zstd::off)
    throw usage_error("--zstd: only --container mlq holds compressed planes");
  if (f == Format::raw) return;
  if (container == Container::safetensors && f != Format::int8 && f != Format::fp8e4m3 &&
      f != Format::fp8e5m2 && f != Format::bf16)
    refuse("int8, fp8e4m3, fp8e5m2 and bf16");
  if (container == Container::bnb && f != Format::nf4 && f != Format::fp4) refuse("nf4 and fp4");
  if (container == Container::bnb &&
      (spec.block_kind != BlockKind::fixed || spec.block < 32 || spec.block > 4096))
    throw usage_error("--block: bitsandbytes has blocks of 32 to 4096");
  if (container != Container::compressed_tensors) return;
  const bool fits = f == Format::int4 || f == Format::int8 || f == Format::fp8e4m3 || f == Format::nvfp4 ||
                    f == Format::mxfp4;
  if (!fits) refuse("int4, int8, fp8e4m3, nvfp4 and mxfp4");
  if (f == Format::int4 && (spec.block_kind != BlockKind::fixed || spec.block < 32 || spec.block > 128))
    throw usage_error("--block: compressed-tensors has int4 in blocks of 32, 64 and 128");
  if ((f == Format::int8 || f == Format::fp8e4m3) && spec.block_kind != BlockKind::row)
    throw usage_error("--block: compressed-tensors has {} with a scale a row; give --block row", name);
}

Adapted adapt(Container container, Spec spec, const TensorInfo& tensor) {
  Adapted result{spec, {}};
  Spec& s = result.spec;
  if (s.format == Format::raw || container == Container::mlq) return result;
  const uint64_t cols = cols_of(tensor);
  const auto divides = [&](uint64_t unit) {
    if (unit != 0 && cols % unit != 0)
      result.unfit = fmt::format("rows of {} are no multiple of {}", cols, unit);
  };
  if (container == Container::bnb) {
    s.order = kernels::NibbleOrder::high_first;
    s.scale = Float::f32;
    s.row_blocks = false;
    if (tensor.elems % 2 != 0) result.unfit = "an odd number of elements";
    return result;
  }
  s.row_blocks = true;
  if (container == Container::compressed_tensors) {
    s.positive_scales = true;
    if (s.format == Format::nvfp4) s.eighth_for_zero = true;
    if (is_block_int(s.format) || s.format == Format::fp8e4m3)
      s.scale = tensor.dtype == Dtype::f16 ? Float::f16 : Float::bf16;
    if (s.format == Format::int8 && !s.signed_codes) divides(4);
  }
  if (s.block_kind == BlockKind::fixed && s.format != Format::bf16 && s.format != Format::fp8e5m2)
    divides(s.block);
  return result;
}

bool has_transposed_weights(std::string_view config) {
  jsonl::OwnedObject parsed(config);
  const jsonl::Value* type = parsed.ok() ? parsed.parser().find("model_type") : nullptr;
  return type != nullptr && std::find(std::begin(kTransposedModels), std::end(kTransposedModels),
                                      type->text) != std::end(kTransposedModels);
}

bool is_kept_name(Container container, std::string_view name) {
  if (!is_folder_container(container)) return false;
  if (!ends_with(name, kWeight)) return true;
  for (const std::string_view part : {"lm_head", "embed", "wte", "wpe", "norm", "ln_"})
    if (name.find(part) != name.npos) return true;
  return false;
}

std::vector<OutPlane> out_planes(Container container, const Spec& spec, const TensorInfo& tensor) {
  switch (container) {
    case Container::mlq:
      return mlq_planes(spec, tensor);
    case Container::compressed_tensors:
      return compressed_planes(spec, tensor);
    case Container::bnb:
      return bnb_planes(spec, tensor);
    case Container::safetensors:
      break;
  }
  return plain_planes(spec, tensor);
}

std::vector<Companion> companions(Container container, const Coding& coding, const TensorInfo& tensor) {
  const Spec& spec = coding.spec;
  if (spec.format == Format::raw) return {};
  const bool packed_int = spec.format == Format::int4 || (spec.format == Format::int8 && !spec.signed_codes);
  if (container == Container::compressed_tensors && packed_int)
    return {
        constant(module_of(tensor.name) + ".weight_shape", Dtype::i64, {tensor.shape.size()}, tensor.shape)};
  if (container != Container::bnb) return {};
  const auto table = spec.format == Format::nf4 ? kernels::Table4::nf4 : kernels::Table4::fp4;
  const std::string state = bnb_state(coding, tensor);
  std::vector<Companion> result = {
      constant(tensor.name + ".quant_map", Dtype::f32, {16}, std::span(kernels::lut4_values(table), 16)),
      constant(fmt::format("{}.quant_state.bitsandbytes__{}", tensor.name, format_info(spec.format).name),
               Dtype::u8, {state.size()}, state)};
  if (spec.double_quant)
    result.push_back(constant(tensor.name + ".nested_quant_map", Dtype::f32, {256}, nested_table()));
  return result;
}

void transcode(Container container, const Spec& spec, std::span<std::byte> codes) {
  if (container != Container::compressed_tensors || spec.format != Format::int8 || spec.signed_codes) return;
  for (std::byte& code : codes) code ^= std::byte{0x80};
}

std::string quantized_config(Container container, const Spec& spec, bool dynamic_activations,
                             std::string config, const std::vector<std::string>& ignored,
                             const std::string& where) {
  jsonl::OwnedObject parsed(config);
  if (!parsed.ok()) throw input_error("{}: {}", where, parsed.parser().error());
  if (parsed.parser().find("quantization_config") != nullptr)
    throw input_error("{}: has a quantization_config: the model is quantized already; decode it first",
                      where);
  const std::string added = container == Container::bnb
                                ? bnb_config(spec, ignored)
                                : compressed_config(spec, dynamic_activations, ignored);
  const size_t end = config.rfind('}');
  const bool empty = parsed.parser().members().empty();
  size_t last = end;
  while (last > 0 && std::isspace(static_cast<unsigned char>(config[last - 1])) != 0) --last;
  return config.substr(0, last) + (empty ? "\n" : ",\n") + "  \"quantization_config\": " + added + "\n}\n";
}

}  // namespace mlq::quant
