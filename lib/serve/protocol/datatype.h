// The datatypes of tensors in the Open Inference Protocol v2 (kserve/open-inference-protocol, "Tensor Data
// Types") and BF16, which Triton adds.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mlq::serve {

enum class Datatype : uint8_t {
  boolean,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  fp16,
  bf16,
  fp32,
  fp64,
  bytes
};

// By its name in the protocol: BOOL, UINT8, ... BYTES, in capitals. None if there is no such type.
std::optional<Datatype> datatype_named(std::string_view name);
std::string_view datatype_name(Datatype type);

// Bytes of one element in binary tensor data; 0 for BYTES, whose elements have a length each.
uint32_t element_bytes(Datatype type);

// FP16 and BF16 have no form in JSON: they come as binary data only.
bool has_json_form(Datatype type);

}  // namespace mlq::serve
