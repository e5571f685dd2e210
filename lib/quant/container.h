// Under which names and types the planes of a tensor stand in a file, so that the loaders that a container is
// for find them: plain safetensors, mlq's own, compressed-tensors, bitsandbytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/quant/tensor_meta.h"
#include "lib/tensorfile/sink.h"

namespace mlq::quant {

enum class Container : uint8_t { safetensors, mlq, compressed_tensors, bnb };
std::string_view name_of(Container container);
Container parse_container(std::string_view text);
// Those two need a folder with a config.json, into which they write how the weights are quantized.
constexpr bool is_folder_container(Container c) {
  return c == Container::compressed_tensors || c == Container::bnb;
}

// A usage Error if the container cannot hold the format at all, with what to use instead.
void check_container(Container container, const Spec& spec);

// The spec with what the container asks for (row blocks, scale types, the order of nibbles) put in, for one
// tensor; or, where the tensor does not fit, why not.
struct Adapted {
  Spec spec;
  std::string unfit;  // empty if it fits
};
Adapted adapt(Container container, Spec spec, const tensorfile::TensorInfo& tensor);

// Whether the model's config.json says that it is of a kind whose layers are not the `Linear` that the
// loaders of folder containers replace, since they hold their weights transposed.
bool has_transposed_weights(std::string_view config);

// Names whose tensors the container's loaders do not take quantized, whatever their shape.
bool is_kept_name(Container container, std::string_view name);

// A tensor of the output that holds a plane.
struct OutPlane {
  Plane plane = Plane::codes;
  tensorfile::Declaration tensor;
  bool zstd = false;
};
// The planes that the tensor may have, in the order in which they are appended where their sizes are not
// known; `spec` adapted, its zstd mode saying whether codes are compressed.
std::vector<OutPlane> out_planes(Container container, const Spec& spec, const tensorfile::TensorInfo& tensor);

// A tensor that the loaders want beside the planes. Its bytes are known when the tensor is encoded.
struct Companion {
  tensorfile::Declaration tensor;
  std::vector<std::byte> bytes;
};
// Of the size that they will have, with the bytes that `coding` gives.
std::vector<Companion> companions(Container container, const Coding& coding,
                                  const tensorfile::TensorInfo& tensor);

// Turns the codes that the kernels make into the container's, or back, in place.
void transcode(Container container, const Spec& spec, std::span<std::byte> codes);

// `config` with what the container's loaders read of the quantization, in its place. An input Error naming
// `where` if it is no JSON object or says already that the model is quantized.
std::string quantized_config(Container container, const Spec& spec, bool dynamic_activations,
                             std::string config, const std::vector<std::string>& ignored,
                             const std::string& where);

}  // namespace mlq::quant
